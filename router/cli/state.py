"""`alert-router state`: what is in a state, how large and how old, and what of it is forgotten next."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console

from router.app.connections import store_at
from router.app.settings import Settings
from router.cli.funnel import OUTCOMES
from router.cli.given import clock_for
from router.cli.opened_state import refuse_missing
from router.cli.printing import print_json, print_lines
from router.cli.screen import print_table, screen, table_of
from router.domain.deliveries import DeliveryState
from router.domain.destination_holds import words_of_hold
from router.domain.documents import DocumentKind
from router.domain.errors import BadFile
from router.domain.plurals import counted
from router.domain.retention import Retention
from router.domain.state_report import NONE, Count, NextForgotten, StateReport, sum_of
from router.domain.timestamps import timestamp
from router.store.conninfo import PostgresqlAddress
from router.store.store import Store
from router.store.upgrade import VERSION

_UNITS = ("bytes", "KB", "MB", "GB", "TB")
_THOUSAND = 1000

_SMALL = 100
"""A table that takes less than that part of all is left out of what people read."""


def show(options: Namespace) -> int:
    """Prints what is in a state, and leaves it as it is."""
    report = asyncio.run(_report(options, Settings().retention))
    if report is None and isinstance(options.state, Path):
        raise BadFile(f"{options.state}: holds no state yet; a run begins one")
    if report is None:
        raise BadFile(f"{options.state.name}: holds no state yet; alert-router state upgrade begins one")
    if options.format == "json":
        print_json(document_of(report, options.state))
    else:
        print_report(report, options.state)
    return 0


async def _report(options: Namespace, retention: Retention) -> StateReport | None:
    if isinstance(options.state, Path):
        refuse_missing(options.state)
        return await Store.describe_in(options.state, clock_for(options.now)(), retention)
    store = store_at(options.state, Settings())
    try:
        async with store.engine.session() as tx:
            return await store.describe(options.now or tx.now, retention)
    finally:
        await store.close()


def upgrade(options: Namespace) -> int:
    """Makes the tables of a database that has none, and carries a state forward to this program's version."""
    refuse_missing(options.state)
    steps = asyncio.run(_upgrade(options))
    done = f"{counted(steps, 'step')} carried out" if steps else "nothing to do"
    print_lines([f"{options.state}: {done}, at version {VERSION}"])
    return 0


async def _upgrade(options: Namespace) -> int:
    store = store_at(options.state, Settings())
    try:
        return await store.upgrade()
    finally:
        await store.close()


def print_report(report: StateReport, state: Path | PostgresqlAddress) -> None:
    """Prints a report for people."""
    shown = screen()
    print_table(shown, table_of(("", ""), list(_summary(report, state))), indent=0)
    shown.print()
    _print_record(shown, report)
    if report.deliveries:
        shown.print()
        _print_deliveries(shown, report)
    if report.tables:
        shown.print()
        _print_tables(shown, report)


def _print_record(shown: Console, report: StateReport) -> None:
    decisions = [
        (words, _written(report.decisions.get(outcome, NONE)), *_forgotten(report, outcome))
        for outcome, words in OUTCOMES.items()
    ]
    signals = ("signals", _written(report.signals), *_forgotten(report, None))
    heads = ("on record", "number", "for days", "next is due", "overdue", "within 7 days")
    print_table(shown, table_of(heads, [*decisions, signals], numbers=(1, 2, 4, 5)), indent=0)


def _print_deliveries(shown: Console, report: StateReport) -> None:
    rows = [
        (one.stream, one.destination, *(_written(one.states.get(state, NONE)) for state in DeliveryState))
        for one in report.deliveries
    ]
    heads = ("deliveries", "to", *DeliveryState)
    print_table(shown, table_of(heads, rows, numbers=range(2, len(heads))), indent=0)


def _print_tables(shown: Console, report: StateReport) -> None:
    """Prints what the tables take but for the small ones: in bytes, or in rows where those are not known."""
    least = sum_of(one.bytes for one in report.tables if one.bytes).number // _SMALL
    rows = [
        (one.name, _optional(one.rows), _size(one.bytes) if one.bytes else None)
        for one in report.tables
        if (one.bytes.number > least if one.bytes else one.rows and one.rows.number)
    ]
    columns = [0, *(column for column in (1, 2) if any(row[column] for row in rows))]
    heads = ("table", "rows", "takes")
    cells = [[row[column] for column in columns] for row in rows]
    print_table(shown, table_of([heads[column] for column in columns], cells, numbers=(1, 2)), indent=0)


def _summary(report: StateReport, state: Path | PostgresqlAddress) -> Iterator[tuple[str, str]]:
    """What a person wants to see first, a line each."""
    yield "state", str(state)
    who = "other command" if isinstance(state, Path) else "worker"
    later = f", the next {who} carries it forward to version {report.next_version}" if report.next_version else ""
    yield "version", f"{report.version}{later}"
    parts = ", ".join(f"{name} {_size(size)}" for name, size in report.files.items())
    yield "size", parts if len(report.files) == 1 else f"{_size(report.bytes)}: {parts}"
    span = f", from {timestamp(report.oldest)} to {timestamp(report.newest)}" if report.oldest and report.newest else ""
    yield "decisions", f"{_written(sum_of(report.decisions.values()))}{span}"
    since = f", the oldest since {timestamp(report.owed_since)}" if report.owed_since else ""
    yield "owed", f"{_written(report.owed)}{since}"
    yield "dead letters", _written(report.dead)
    for hold in report.destination_holds:
        yield "held", f"{hold.stream} {hold.destination}: {words_of_hold(hold)}"
    yield "quarantine", f"messages {_written(report.quarantined)}, damaged rows {_written(report.damaged)}"
    yield "lost events", _written(report.lost)
    yield (
        "signals",
        f"{_written(report.signals)}: not ended {_written(report.standing)}, held {_written(report.held)}",
    )
    yield "groups", _written(report.groups)
    yield "counted", f"hours {_written(report.hours)}, rules with hits {_written(report.rules)}"
    kinds = ", ".join(f"{kind} {_written(count)}" for kind, count in report.documents.items())
    yield "documents", kinds or "0"


def _forgotten(report: StateReport, outcome: object) -> tuple[str | None, ...]:
    """What is forgotten next of decisions with an outcome, or of signals, as cells."""
    found = next((one for one in report.forgotten_next if one.outcome == outcome), None)
    if found is None:
        return None, None, None, None
    age = str(found.age.days) if found.age is not None else None
    due = timestamp(found.next) if found.next is not None else None
    return age, due, _written(found.overdue), _written(found.soon)


def _written(count: Count) -> str:
    return f"{count.number:,}" if count.is_whole else f"at least {count.number:,}"


def _optional(count: Count | None) -> str | None:
    return _written(count) if count is not None else None


def _size(count: Count) -> str:
    size, unit = float(count.number), 0
    while size >= _THOUSAND and unit < len(_UNITS) - 1:
        size, unit = size / _THOUSAND, unit + 1
    words = f"{size:.1f} {_UNITS[unit]}" if unit else f"{count.number} {_UNITS[0]}"
    return words if count.is_whole else f"at least {words}"


def document_of(report: StateReport, state: Path | PostgresqlAddress) -> dict[str, object]:
    """A report for programs: each count is a number, and `at_least` names those that are not whole."""
    counts = _Counts()
    number = counts.number
    document: dict[str, object] = {
        "state": str(state),
        "at": _iso(report.at),
        "version": report.version,
        "next_version": report.next_version,
        "bytes": number("bytes", report.bytes),
        "files": {name: number(f"files.{name}", size) for name, size in report.files.items()},
        "decisions": {
            "total": number("decisions.total", sum_of(report.decisions.values())),
            "oldest": _iso(report.oldest),
            "newest": _iso(report.newest),
            "by_outcome": {
                outcome.value: number(f"decisions.by_outcome.{outcome}", report.decisions.get(outcome, NONE))
                for outcome in OUTCOMES
            },
        },
        "owed": number("owed", report.owed),
        "owed_since": _iso(report.owed_since),
        "dead_letters": number("dead_letters", report.dead),
        "quarantine": {
            "messages": number("quarantine.messages", report.quarantined),
            "damaged_rows": number("quarantine.damaged_rows", report.damaged),
        },
        "lost_events": number("lost_events", report.lost),
        "signals": {
            "total": number("signals.total", report.signals),
            "not_ended": number("signals.not_ended", report.standing),
            "held": number("signals.held", report.held),
            "unfinished_turns": 0,
        },
        "groups": number("groups", report.groups),
        "hours_counted": number("hours_counted", report.hours),
        "rules_with_hits": number("rules_with_hits", report.rules),
        "documents": {
            kind.value: number(f"documents.{kind}", report.documents.get(kind, NONE)) for kind in DocumentKind
        },
        "destination_holds": [
            {
                "stream": hold.stream,
                "name": hold.destination,
                "author": hold.author,
                "reason": hold.reason,
                "since": _iso(hold.since),
                "until": _iso(hold.ends),
            }
            for hold in report.destination_holds
        ],
        "deliveries": [
            {
                "stream": one.stream,
                "destination": one.destination,
                **_states(one.states, f"deliveries.{one.stream}.{one.destination}", counts),
            }
            for one in report.deliveries
        ],
        "forgotten_next": [_next(one, counts) for one in report.forgotten_next],
        "tables": [
            {
                "name": one.name,
                "rows": number(f"tables.{one.name}.rows", one.rows),
                "bytes": number(f"tables.{one.name}.bytes", one.bytes),
            }
            for one in report.tables
        ],
    }
    return {**document, "at_least": counts.at_least}


class _Counts:
    """Counts as numbers.

    Attributes:
        at_least: the names of those that are not whole.
    """

    def __init__(self) -> None:
        self.at_least: list[str] = []

    def number(self, name: str, count: Count | None) -> int | None:
        """A count as a number, which is called so where it is not whole."""
        if count is None:
            return None
        if not count.is_whole:
            self.at_least.append(name)
        return count.number


def _states(states: Mapping[DeliveryState, Count], name: str, counts: _Counts) -> dict[str, int | None]:
    return {state.value: counts.number(f"{name}.{state}", states.get(state, NONE)) for state in DeliveryState}


def _next(one: NextForgotten, counts: _Counts) -> dict[str, object]:
    name = f"forgotten_next.{one.outcome or 'signals'}"
    return {
        "of": "signals" if one.outcome is None else "decisions",
        "outcome": one.outcome,
        "days": one.age // timedelta(days=1) if one.age is not None else None,
        "next": _iso(one.next),
        "overdue": counts.number(f"{name}.overdue", one.overdue),
        "within_7_days": counts.number(f"{name}.within_7_days", one.soon),
    }


def _iso(time: datetime | None) -> str | None:
    return time.isoformat().replace("+00:00", "Z") if time is not None else None
