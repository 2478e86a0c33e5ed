"""A Log Analytics workspace in memory: rows in, and KQL over them, by duckdb-kql.

The engine translates KQL to SQL and refuses what it cannot translate faithfully, so that a query either runs or fails.
What it knows of Kusto's semantics is its authors' work; Microsoft's own parser, which knows no rows, has the last word on
names and types (`grammar/`). As in Azure, a query sees the rows of a window of time only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import batched, chain
from typing import Any

import duckdb_kql

from tests.infra.queries.tables import SCHEMA

type Row = Mapping[str, Any]
"""A row as it is sent: by column, without those that have no value."""

type Rows = Mapping[str, Iterable[Row]]
"""Rows by table."""

_TYPES = {
    "string": "VARCHAR",
    "int": "INTEGER",
    "real": "DOUBLE",
    "bool": "BOOLEAN",
    "datetime": "TIMESTAMP",
    "dynamic": "JSON",
}


def answers(
    query: str,
    rows: Rows,
    *,
    now: datetime,
    window: timedelta = timedelta(days=30),
    tables: Iterable[str] = SCHEMA,
) -> list[dict[str, Any]]:
    """What a query answers over the rows of the window that ends now; only `tables` are in the workspace."""
    found = duckdb_kql.query(_holding(rows, now - window, now, tables), query, query_now=now)
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def columns_of(query: str, now: datetime) -> list[str]:
    """The columns of what a query answers over tables without rows."""
    return list(duckdb_kql.query(_holding({}, now, now, SCHEMA), query, query_now=now).columns)


def _holding(rows: Rows, since: datetime, until: datetime, tables: Iterable[str]) -> Any:
    # Nobody closes it: a closed one that pytest shows in a traceback takes the process with it (duckdb 2.0.1).
    workspace = duckdb_kql.connect()
    for table in tables:
        columns = ", ".join(f'"{name}" {_TYPES[type]}' for name, type in SCHEMA[table].items())
        workspace.execute(f'CREATE TABLE "{table}" ({columns})')
        _fill(workspace, table, rows.get(table, ()), since, until)
    return workspace


def _fill(workspace: Any, table: str, rows: Iterable[Row], since: datetime, until: datetime) -> None:
    columns, held = SCHEMA[table], list[list[Any]]()
    for row in rows:
        unknown = row.keys() - columns.keys()
        assert not unknown, f"{table} has no columns {sorted(unknown)}"
        values = {name: _value(type, row.get(name)) for name, type in columns.items()}
        if since.replace(tzinfo=None) < values["TimeGenerated"] <= until.replace(tzinfo=None):
            held.append(list(values.values()))
    places = f"({', '.join('?' * len(columns))})"
    for some in batched(held, 500, strict=False):
        all_places = ", ".join([places] * len(some))
        workspace.execute(f'INSERT INTO "{table}" VALUES {all_places}', list(chain(*some)))


def _value(type: str, value: Any) -> Any:
    """A value as the table keeps it: text that is missing is empty in Kusto, and times are UTC."""
    if type == "string":
        return "" if value is None else value
    if value is None:
        return None
    if type == "datetime":
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
        return time.astimezone(UTC).replace(tzinfo=None)
    return json.dumps(value) if type == "dynamic" else value
