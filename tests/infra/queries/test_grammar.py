"""Microsoft's own parser reads every query over the schema that the code declares, and the files name each other rightly.

It is @kusto/language-service-next, the one behind the editors of Azure's portals. It knows a schema and no rows.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import npm
from tests.builders import NOW
from tests.infra.queries.workspace import (
    DATABASE,
    NAMESPACE,
    QUERIES,
    SCHEMA,
    Columns,
    alert_rules,
    columns_of,
    parameters,
    tile_queries,
    tiles,
)

CONTROLS = {
    "no column": "AlertRouterDecisions_CL | where Outcom == 'routed'",
    "a column": "AlertRouterDecisions_CL | project Outcome",
}
"""Queries of a column that no table has, and of one that there is."""


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """What a query is to the parser: its problems, and the columns of its answer with their types."""

    problems: Sequence[str]
    columns: Columns


@pytest.fixture(scope="module")
def parsed() -> Mapping[str, ParsedQuery]:
    """What the parser says of each query over the tables of the schema."""
    queries, here = {**QUERIES, **CONTROLS}, Path(__file__).parent / "grammar"
    asked = {"modules": str(npm.installed(here, "kusto")), "schema": SCHEMA, "queries": list(queries.values())}
    node = [str(npm.NODE), str(here / "read.cjs")]
    said = subprocess.run(node, input=json.dumps(asked), capture_output=True, text=True, check=True).stdout
    return {name: ParsedQuery(**one) for name, one in zip(queries, json.loads(said), strict=True)}


def test_a_query_is_right_in_every_name_and_type(parsed: Mapping[str, ParsedQuery], subtests: pytest.Subtests) -> None:
    """Also in those that no row of a test ever reaches. The engine is not Microsoft's, so it is believed only where the parser
    sees the same columns."""
    for name, query in QUERIES.items():
        with subtests.test(name):
            assert parsed[name].problems == []
            assert columns_of(query, now=NOW) == list(parsed[name].columns)


def test_the_parser_sees_a_column_that_no_table_has(parsed: Mapping[str, ParsedQuery]) -> None:
    """Else its silence would say nothing."""
    wrong, right = (parsed[name] for name in CONTROLS)
    assert [problem.partition(":")[0] for problem in wrong.problems] == ["KS142"]
    assert (right.problems, right.columns) == ([], {"Outcome": "string"})


def test_a_tile_paints_columns_that_its_query_has_and_is_about_a_time(
    parsed: Mapping[str, ParsedQuery], subtests: pytest.Subtests
) -> None:
    """A formatter whose column is not there does nothing, and says nothing. The time is what the page's only parameter gives,
    or one of its own; else it would be about whatever Azure takes."""
    for name, look in tiles().items():
        with subtests.test(name):
            for formatter in look.get("gridSettings", {}).get("formatters", ()):
                assert set(formatter["columnMatch"].split("|")) <= parsed[name].columns.keys()
            assert look.get("timeContextFromParameter") in (None, *parameters())
            assert ("timeContextFromParameter" in look) != ("timeContext" in look)


def test_an_alert_is_about_columns_of_text_that_its_query_has(parsed: Mapping[str, ParsedQuery]) -> None:
    """Azure splits a rule's alerts by text and numbers only; here it is always text."""
    for name, rule in alert_rules().items():
        columns = parsed[f"alert-{name}"].columns
        assert {columns[dimension] for dimension in rule.dimensions} <= {"string"}


def test_every_query_stands_once_and_is_used_once() -> None:
    """In the workbook under its own name, or in the alert rule of its name, about the hubs that are deployed with it; that of
    file integrity in the rule of its own name, where it is chosen."""
    assert tile_queries() == [(name, QUERIES[name]) for name in tiles()]
    alerted = {f"alert-{name}": rule.query for name, rule in alert_rules().items()}
    assert alerted == {name: _deployed(query) for name, query in QUERIES.items() if name.startswith("alert-")}
    (sent,) = (one for name, one in alert_rules("several-subscriptions").items() if name not in alert_rules())
    assert sent.query == QUERIES[sent.name]
    assert {*tiles(), *alerted, sent.name} == set(QUERIES)


def _deployed(query: str) -> str:
    """A query with what a deployment knows."""
    known = {
        "eventHubNamespaceId": NAMESPACE,
        "databaseServerId": DATABASE,
        "databaseConnections": "414",
        "firstDeployed": "",
    }
    for name, value in known.items():
        query = query.replace(f"{{{name}}}", value)
    return query
