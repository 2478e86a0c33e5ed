"""A Log Analytics workspace in memory: the tables and queries that are shipped, rows in, and KQL over them, by duckdb-kql."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import duckdb_kql
from duckdb_kql.translate import CLOCK_SLOT

from router.destinations.log_analytics import log_tables
from tests.infra.predicted import INFRA, deployed

type Columns = Mapping[str, str]
"""The columns of a table, and their types as Kusto calls them."""

KUSTO = {"string": "string", "int": "int", "boolean": "bool", "datetime": "datetime", "dynamic": "dynamic"}
"""What Kusto calls the types that tables are declared with."""

AZURES = {
    "AppMetrics": "TimeGenerated: datetime, Name: string, Sum: real, Min: real, Max: real, ItemCount: int, Properties: dynamic",
    "AzureMetrics": "TimeGenerated: datetime, ResourceId: string, MetricName: string, "
    "Total: real, Maximum: real, Minimum: real",
    "MDCFileIntegrityMonitoringEvents": "TimeGenerated: datetime, AzureResourceId: string, Computer: string, "
    "MonitoredEntityType: string, ChangeType: string, FileName: string, FilePath: string, RegistryKey: string",
    "SecurityAlert": "TimeGenerated: datetime, ProductName: string, SystemAlertId: string, VendorOriginalId: string",
}
"""The tables that Azure fills, as Kusto writes a schema."""

SCHEMA: Mapping[str, Columns] = {
    **{name: {column: KUSTO[type] for column, type in table.columns.items()} for name, table in log_tables().items()},
    **{name: dict(re.findall(r"(\w+): (\w+)", columns)) for name, columns in AZURES.items()},
}


QUERIES: Mapping[str, str] = {path.stem: path.read_text("utf-8") for path in sorted((INFRA / "queries").glob("*.kql"))}
NAMESPACE = deployed("default").one("Microsoft.EventHub/namespaces").id
DATABASE = deployed("default").one("Microsoft.DBforPostgreSQL/flexibleServers").id

_ISO = {"PT{}M": "minutes", "PT{}H": "hours", "P{}D": "days"}
_TILE = re.compile(r"'type', 3, 'name', '([^']+)'.*?'query', '((?:[^']|'')*)'", re.DOTALL)
"""A tile in the expression that makes the page, which Azure evaluates."""


_PAGE = json.loads((INFRA / "workbook.json").read_text("utf-8"))
TILES: Mapping[str, Any] = {tile["name"]: tile["look"] for tile in _PAGE["tiles"]}
"""How each tile of the workbook looks, by its name."""

PARAMETERS: list[str] = [parameter["name"] for parameter in _PAGE["time"]["content"]["parameters"]]
"""The names of the workbook's parameters."""


@dataclass(frozen=True, slots=True)
class AlertRule:
    """An alert rule as it is deployed."""

    name: str
    said: str
    query: str
    severity: int
    every: timedelta
    window: timedelta
    dimensions: tuple[str, ...]


def alert_rules(variant: str = "default") -> Mapping[str, AlertRule]:
    """Every rule of a deployment by its name."""
    made = deployed(variant).of("Microsoft.Insights/scheduledQueryRules")
    rules = [_rule(one.name.removeprefix("alert-router-"), one.properties) for one in made]
    return {rule.name: rule for rule in rules}


def tile_queries() -> list[tuple[str, str]]:
    """What each tile of the deployed page asks, with its name."""
    (page,) = deployed("default").of("Microsoft.Insights/workbooks")
    found = _TILE.findall(page.properties["serializedData"])
    return [(name, query.replace("''", "'")) for name, query in found]


def _rule(name: str, said: Mapping[str, Any]) -> AlertRule:
    (criterion,) = said["criteria"]["allOf"]
    return AlertRule(
        name=name,
        said=said["description"],
        query=criterion["query"],
        severity=said["severity"],
        every=duration(said["evaluationFrequency"]),
        window=duration(said["windowSize"]),
        dimensions=tuple(one["name"] for one in criterion["dimensions"]),
    )


def duration(iso: str) -> timedelta:
    """A length of time as Bicep has it."""
    number = "".join(letter for letter in iso if letter.isdigit())
    return timedelta(**{_ISO[iso.replace(number, "{}")]: int(number)})


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
    query: str, rows: Rows, *, now: datetime, window: timedelta = timedelta(days=30), tables: Iterable[str] = SCHEMA
) -> list[dict[str, Any]]:
    """What a query answers over the rows of the window that ends now; only `tables` are in the workspace."""
    found = _asked(query, rows, now - window, now, tables)
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def columns_of(query: str, now: datetime) -> list[str]:
    """The columns of what a query answers over tables without rows."""
    return list(_asked(query, {}, now, now, SCHEMA).columns)


def _asked(query: str, rows: Rows, since: datetime, until: datetime, tables: Iterable[str]) -> Any:
    here = frozenset(table for table in tables if table in query)
    sql = _translated(query, here)
    values = sql.parameters
    if CLOCK_SLOT in values:
        values = {**values, CLOCK_SLOT: until.astimezone(UTC).replace(tzinfo=None)}
    return _holding(rows, since, until, here).sql(str(sql), params=values or None)


@cache
def _translated(query: str, tables: frozenset[str]) -> duckdb_kql.TranslationResult:
    """A query in DuckDB's SQL, whatever the time is: reading KQL takes several times as long as answering it."""
    return duckdb_kql.to_sql(
        query, {table: [*SCHEMA[table]] for table in tables}, query_now=datetime.max.replace(tzinfo=UTC)
    )


def _holding(rows: Rows, since: datetime, until: datetime, tables: Iterable[str]) -> Any:
    unknown = rows.keys() - SCHEMA.keys()
    assert not unknown, f"no tables {sorted(unknown)}"
    # Nobody closes it: a closed one that pytest shows in a traceback takes the process with it (duckdb 2.0.1).
    workspace = duckdb_kql.connect()
    for table in tables:
        columns = ", ".join(f'"{name}" {_TYPES[type]}' for name, type in SCHEMA[table].items())
        workspace.execute(f'CREATE TABLE "{table}" ({columns})')
        _fill(workspace, table, rows.get(table, ()), since, until)
    return workspace


def _fill(workspace: Any, table: str, rows: Iterable[Row], since: datetime, until: datetime) -> None:
    columns, held = SCHEMA[table], list[dict[str, Any]]()
    for row in rows:
        unknown = row.keys() - columns.keys()
        assert not unknown, f"{table} has no columns {sorted(unknown)}"
        if since < _time(row["TimeGenerated"]) <= until:
            held.append({name: _value(type, row.get(name)) for name, type in columns.items()})
    if not held:
        return
    # All rows in one parameter: a parameter each makes DuckDB plan for longer than the query takes.
    kept = json.dumps([{name: _TYPES[type] for name, type in columns.items()}])
    workspace.execute(
        f'INSERT INTO "{table}" SELECT unnest(from_json(?::JSON, ?), max_depth := 2)', [json.dumps(held), kept]
    )


def _time(value: str | datetime) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _value(type: str, value: Any) -> Any:
    """A value as the table keeps it: text that is missing is empty in Kusto, and times are UTC."""
    if type == "string":
        return "" if value is None else value
    if value is None:
        return None
    return _time(value).astimezone(UTC).replace(tzinfo=None).isoformat() if type == "datetime" else value
