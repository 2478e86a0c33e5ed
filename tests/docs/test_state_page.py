"""docs/state.md says what is kept, where, and how long."""

from __future__ import annotations

import re

from router.domain import groups
from router.store.azure.store import TABLES
from router.store.private import FILES
from router.store.stored_names import TYPES
from router.store.upgrade import STEPS
from tests.docs.pages import column, page, spans

PAGE = page("docs/state.md")


def test_every_file_of_a_state_is_listed() -> None:
    """The files are those that are kept private."""
    named = [name for row in PAGE.table("Where it lies", "file") for name in spans(row["file"])]
    assert {*named, "router.db-journal"} == set(FILES)


def test_states_of_groups_are_called_as_their_classes() -> None:
    """What the page calls a class is one, and is stored."""
    named = column(PAGE.table("Groups", "state"), "class in `router/domain/groups.py`")
    assert {getattr(groups, name) for name in named} <= set(TYPES.values())


def test_stored_names_are_those_that_are_stored() -> None:
    """Tables and columns of the file, tables of the account, and tags."""
    table = PAGE.table("Names in storage", "word")
    schema = "\n".join(STEPS)
    tables = {*re.findall(r"EXISTS (\w+) \(", schema), *TABLES}
    columns = set(re.findall(r"\b(\w+) (?:TEXT|BYTEA|BIGINT)\b", schema))
    for row in table:
        assert set(spans(row["in `router.db`"])) <= tables | columns | set(TYPES)
    assert {"groups", "journal", "ledger", "deliveries"} <= {
        name for row in table for name in spans(row["in an account"]) if name in TABLES
    }
    tags = {name.rstrip(":") for row in table for name in spans(row["in an account"])} & set(TYPES)
    assert tags == {tag for tag, kind in TYPES.items() if kind.__module__ == groups.__name__}
