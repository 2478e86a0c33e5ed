"""The queries that are known -> their rows. It is no engine of the query language: what it does not know it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping

from tests.stack.azure_management.estate import Estate, Row

_TEXT = re.compile(r"'((?:[^'\\]|\\.)*)'")
_CONDITION = re.compile(
    r"(?P<field>[\w.]+|tostring\(properties\.displayName\)) (?:=~ (?P<one>'(?:[^'\\]|\\.)*')|in~ \((?P<many>[^)]*)\))"
)


class UnknownQuery(Exception):
    """A query that nobody asked when this was written."""


def rows_of(estate: Estate, query: str, subscriptions: Container[str]) -> list[Row]:
    """The rows of a query over some subscriptions, or over all that can be read; raises UnknownQuery."""
    steps = [step.strip() for step in _outer(query)]
    tables = [steps[0], *(step.removeprefix("union ") for step in steps if step.startswith("union "))]
    if not set(tables) <= set(estate.graph):
        raise UnknownQuery(query)
    rows = [row for table in tables for row in estate.graph[table] if _is_in(estate, row, subscriptions)]
    for step in steps[1:]:
        if step.startswith("where "):
            rows = list(filter(_condition(step), rows))
        elif step.startswith("join kind=leftouter ("):
            rows = list(_joined(estate, rows, step))
        elif step.startswith("project "):
            rows = list(_projected(rows, step))
        elif not step.startswith("union "):
            raise UnknownQuery(query)
    return sorted(rows, key=lambda row: str(row["id"]).lower())


def _outer(query: str) -> Iterator[str]:
    """The steps of a query; those of a query in parentheses are a part of theirs."""
    depth, begun = 0, ""
    for character in query:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and depth == 0:
            yield begun
            begun = ""
        else:
            begun += character
    yield begun


def _is_in(estate: Estate, row: Row, subscriptions: Container[str]) -> bool:
    subscription = str(row["id"]).split("/")[2].lower()
    return subscription not in estate.hidden and (not subscriptions or subscription in subscriptions)


def _condition(step: str) -> Callable[[Row], bool]:
    """Whether a row fits a `where`, whose conditions hold together or, with an `or` between them, one of them does."""
    conditions = []
    for found in _CONDITION.finditer(step):
        field = found["field"].removeprefix("tostring(").removesuffix(")")
        conditions.append((field, {text.lower() for text in _TEXT.findall(found["one"] or found["many"])}))
    if not conditions:
        raise UnknownQuery(step)
    together = any if " or " in step else all
    return lambda row: together(str(_value(row, field)).lower() in wanted for field, wanted in conditions)


def _joined(estate: Estate, rows: list[Row], step: str) -> Iterator[Row]:
    """Each machine with its extension, or each subscription with the types of its resources; else with empty columns."""
    if "make_set(tolower(type), 1000) by subscriptionId" in step:
        for row in rows:
            own = f"/subscriptions/{row['subscriptionId']}/".lower()
            types = {one["type"].lower() for one in estate.graph["resources"] if one["id"].lower().startswith(own)}
            yield {**row, "resourceTypes": sorted(types) or None}
        return
    inner = step[step.index("(") + 1 : step.rindex(")")]
    condition = _condition(next(part.strip() for part in inner.split("|") if part.strip().startswith("where ")))
    extensions = {
        row["id"].lower().split("/extensions/")[0]: row for row in estate.graph["resources"] if condition(row)
    }
    for row in rows:
        found: Mapping[str, object] = extensions.get(row["id"].lower(), {})
        yield {**row, "name1": found.get("name", ""), "properties1": found.get("properties")}


def _projected(rows: list[Row], step: str) -> Iterator[Row]:
    columns = []
    for column in step.removeprefix("project ").split(","):
        name, _, path = (part.strip() for part in column.partition("="))
        columns.append((name, path or name))
    for row in rows:
        yield {
            name: str(row["id"]).lower() if path.startswith("tolower(") else _value(row, path) for name, path in columns
        }


def _value(row: Row, path: str) -> object:
    value: object = row
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
