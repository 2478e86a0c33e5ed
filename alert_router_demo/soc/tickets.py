"""The records of the ServiceNow double: what the platform does to a record, whoever writes it."""

import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from alert_router_demo.soc.encoded_query import Query

PREFIXES = {"incident": "INC", "sn_si_incident": "SIR", "problem": "PRB"}
JOURNALS = ("work_notes", "comments")
# Longest value a column keeps, in characters; the platform cuts what is longer without a word.
LENGTHS = {"short_description": 160, "correlation_id": 100, "correlation_display": 100}
LONGEST = 4000
RESOLVED_STATES = frozenset({"6", "7"})
_FIRST_NUMBER = 10001
_LOWEST = "3"  # of impact and urgency; 1 is the highest
_COLUMNS = (
    "short_description", "description", "category", "subcategory", "assignment_group", "assigned_to", "caller_id",
    "cmdb_ci", "correlation_id", "correlation_display", "close_code", "close_notes", "contact_type", "priority",
    "severity", "work_notes", "comments",
)  # fmt: skip
_BASE = dict.fromkeys(_COLUMNS, "") | {"state": "1", "active": "true", "impact": _LOWEST, "urgency": _LOWEST}
_SYSTEM = ("number", "sys_id", "sys_created_by", "sys_created_on", "sys_updated_by", "sys_updated_on", "sys_mod_count")


def is_column(name: str) -> bool:
    """Says whether tables here have this column: those of the base system, and a customer's own `u_...`."""
    return name in _BASE or name in _SYSTEM or name.startswith("u_")


@dataclass(slots=True)
class TicketRecord:
    """One record of a table.

    Attributes:
        table: the table's name.
        fields: its columns as text, as the Table API gives them.
        visible_at: from when look-ups find it.
        journal: its notes and comments.
    """

    table: str
    fields: dict[str, str]
    visible_at: float
    journal: list[dict[str, str]] = field(default_factory=list)

    @property
    def is_active(self) -> bool:
        """Says whether the platform counts the record as open."""
        return self.fields["active"] == "true"


class Tickets:
    """All records, in the order of their insertion. `correlation_id` is a column like any other: nothing is unique.

    Attributes:
        duplicates: how many were inserted while an open record had the same `correlation_id`.
    """

    def __init__(self, inactive_states: Callable[[], frozenset[str]]) -> None:
        self._inactive_states = inactive_states
        self._by_sys_id: dict[tuple[str, str], TicketRecord] = {}
        self._by_correlation: dict[tuple[str, str], list[TicketRecord]] = defaultdict(list)
        self._numbers: dict[str, int] = defaultdict(lambda: _FIRST_NUMBER)
        self.duplicates = 0

    def __iter__(self) -> Iterator[TicketRecord]:
        return iter(list(self._by_sys_id.values()))

    def __len__(self) -> int:
        return len(self._by_sys_id)

    def find(self, table: str, sys_id: str) -> TicketRecord | None:
        """Finds a record by its key, which never lags."""
        return self._by_sys_id.get((table, sys_id))

    def select(self, table: str, query: Query, at: float) -> list[TicketRecord]:
        """Gives the records of a table that meet a query and are visible to queries at this instant."""
        correlation = query.find_equal("correlation_id")
        if correlation:
            candidates: Iterator[TicketRecord] = iter(self._correlated(table, correlation))
        else:
            candidates = (ticket for ticket in self if ticket.table == table)
        found = [ticket for ticket in candidates if ticket.visible_at <= at and query.is_met(ticket.fields)]
        for column, is_descending in reversed(query.order):
            found.sort(key=lambda ticket: ticket.fields.get(column, ""), reverse=is_descending)
        return found

    def insert(self, table: str, values: Mapping[str, str], by: str, now: datetime, visible_at: float) -> TicketRecord:
        """Adds a record, also where one with the same `correlation_id` stands."""
        sys_id = secrets.token_hex(16)
        system = {
            "number": f"{PREFIXES[table]}{self._numbers[table]:07d}",
            "sys_id": sys_id,
            "sys_created_by": by,
            "sys_created_on": _written(now),
            "sys_mod_count": "-1",
        }
        self._numbers[table] += 1
        ticket = TicketRecord(table, _BASE | system, visible_at)
        correlation = values.get("correlation_id", "")
        if correlation and any(other.is_active for other in self._correlated(table, correlation)):
            self.duplicates += 1
        self._by_sys_id[table, sys_id] = ticket
        self.update(ticket, values, by, now)
        return ticket

    def update(self, ticket: TicketRecord, values: Mapping[str, str], by: str, now: datetime) -> None:
        """Writes columns; what goes to a journal is appended and reads back empty."""
        fields = ticket.fields
        before = fields["correlation_id"]
        for column, value in values.items():
            if column in JOURNALS and value:
                note = {"element": column, "value": value, "sys_created_on": _written(now), "sys_created_by": by}
                ticket.journal.append(note)
            elif is_column(column) and column not in _SYSTEM and column not in JOURNALS:
                fields[column] = value
        self._follow_rules(fields)
        fields["sys_updated_by"], fields["sys_updated_on"] = by, _written(now)
        fields["sys_mod_count"] = str(int(fields["sys_mod_count"]) + 1)
        if fields["correlation_id"] and fields["correlation_id"] != before:
            self._correlated(ticket.table, fields["correlation_id"]).append(ticket)

    def _correlated(self, table: str, correlation: str) -> list[TicketRecord]:
        return self._by_correlation[table, correlation.lower()]

    def _follow_rules(self, fields: dict[str, str]) -> None:
        fields["active"] = "false" if fields["state"] in self._inactive_states() else "true"
        # The base system's look-up: whatever a caller sends as priority is overwritten.
        if {fields["impact"], fields["urgency"]} <= {"1", "2", _LOWEST}:
            fields["priority"] = str(int(fields["impact"]) + int(fields["urgency"]) - 1)


def _written(now: datetime) -> str:
    return f"{now:%Y-%m-%d %H:%M:%S}"


def as_columns(body: Mapping[str, Any]) -> dict[str, str]:
    """Gives a request's values as the platform stores them: text, cut to the column's length."""
    return {name: _as_text(value)[: LENGTHS.get(name, LONGEST)] for name, value in body.items()}


def _as_text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)
