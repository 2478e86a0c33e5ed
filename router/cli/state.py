"""`alert-router state`: what is in a state, how large and how old."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from router.app.connections import store_at
from router.app.settings import Settings
from router.cli.open_state import refuse_missing
from router.cli.option_values import clock_for
from router.cli.printing import print_json, print_lines
from router.cli.screen import print_table, screen, table_of
from router.decide import iso
from router.domain.decisions import OUTCOMES
from router.domain.deliveries import OPEN, DeliveryState
from router.domain.destination_holds import words_of_hold
from router.domain.documents import DocumentKind
from router.domain.errors import BadFile, BadUsage
from router.domain.readable import counted, timestamp
from router.store.conninfo import PostgresqlAddress
from router.store.describing import StateReport, describe
from router.store.sqlite import back_up, opened_unchanged

_UNITS = ("bytes", "KB", "MB", "GB", "TB")
_THOUSAND = 1000

_SMALL = 100
"""A table that takes less than that part of all is left out of what people read."""


def show(options: Namespace) -> int:
    """Print what is in a state, and leave it as it is."""
    report = asyncio.run(_report(options))
    if report is None and isinstance(options.state, Path):
        raise BadFile(f"{options.state}: holds no state yet; a run begins one")
    if report is None:
        raise BadFile(f"{options.state.name}: holds no state yet; alert-router state upgrade begins one")
    if options.format == "json":
        print_json(document_of(report, options.state))
    else:
        print_report(report, options.state)
    return 0


async def _report(options: Namespace) -> StateReport | None:
    if isinstance(options.state, Path):
        refuse_missing(options.state)
        with opened_unchanged(options.state) as unchanged:
            return await describe(unchanged, clock_for(options.now)())
    store = store_at(options.state, Settings())
    try:
        async with store.session() as tx:
            return await describe(store, options.now or tx.now)
    finally:
        await store.close()


def upgrade(options: Namespace) -> int:
    """Make the tables of a database that has none, and carry a state forward to this program's version."""
    refuse_missing(options.state)
    steps, version = asyncio.run(_upgrade(options))
    done = f"{counted(steps, 'step')} carried out" if steps else "nothing to do"
    print_lines([f"{options.state}: {done}, at version {version}"])
    return 0


async def _upgrade(options: Namespace) -> tuple[int, int]:
    store = store_at(options.state, Settings())
    try:
        return await store.upgrade(), await store.refuse_newer()
    finally:
        await store.close()


def print_report(report: StateReport, state: Path | PostgresqlAddress) -> None:
    """Print a report for people."""
    shown = screen()
    print_table(shown, table_of(("", ""), list(_summary(report, state))), indent=0)
    counts = [(words, f"{report.decisions.get(one, 0):,}") for one, words in OUTCOMES.items()]
    deliveries = [
        (*place, *(f"{states.get(state, 0):,}" for state in DeliveryState))
        for place, states in report.deliveries.items()
    ]
    least = sum(report.tables.values()) // _SMALL
    tables = [(name, _size(size)) for name, size in report.tables.items() if size > least]
    for heads, rows, numbers in (
        (("on record", "number"), counts, (1,)),
        (("deliveries", "to", *DeliveryState), deliveries, range(2, 7)),
        (("table", "takes"), tables, (1,)),
    ):
        if rows:
            shown.print()
            print_table(shown, table_of(heads, rows, numbers), indent=0)


def _summary(report: StateReport, state: Path | PostgresqlAddress) -> Iterator[tuple[str, str]]:
    """Return what a person wants to see first, a line each."""
    yield "state", str(state)
    who = "other command" if isinstance(state, Path) else "worker"
    later = f", the next {who} carries it forward to version {report.next_version}" if report.next_version else ""
    yield "version", f"{report.version}{later}"
    parts = ", ".join(f"{name} {_size(size)}" for name, size in report.files.items())
    yield "size", parts if len(report.files) == 1 else f"{_size(sum(report.files.values()))}: {parts}"
    span = f", from {timestamp(report.oldest)} to {timestamp(report.newest)}" if report.oldest and report.newest else ""
    yield "decisions", f"{sum(report.decisions.values()):,}{span}"
    since = f", the oldest since {timestamp(report.owed_since)}" if report.owed_since else ""
    yield "owed", f"{_count(report, *OPEN):,}{since}"
    yield "dead letters", f"{_count(report, DeliveryState.DEAD):,}"
    for hold in report.destination_holds:
        yield "held", f"{hold.stream} {hold.destination}: {words_of_hold(hold)}"
    yield "quarantine", f"messages {report.quarantined:,}, damaged rows {report.damaged:,}"
    yield "lost events", f"{report.lost:,}"
    yield "signals", f"{report.signals:,}: not ended {report.standing:,}, held {report.held:,}"
    yield "groups", f"{report.groups:,}"
    yield "counted", f"hours {report.hours:,}, rules with hits {report.rules:,}"
    yield "documents", ", ".join(f"{kind} {count:,}" for kind, count in report.documents.items()) or "0"


def _count(report: StateReport, *states: DeliveryState) -> int:
    """Return how many deliveries are in one of some states."""
    return sum(counts.get(state, 0) for counts in report.deliveries.values() for state in states)


def _size(number: int) -> str:
    size, unit = float(number), 0
    while size >= _THOUSAND and unit < len(_UNITS) - 1:
        size, unit = size / _THOUSAND, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{number} {_UNITS[0]}"


def document_of(report: StateReport, state: Path | PostgresqlAddress) -> dict[str, object]:
    """Return a report for programs."""
    return {
        "state": str(state),
        "at": iso(report.at),
        "version": report.version,
        "next_version": report.next_version,
        "bytes": sum(report.files.values()),
        "files": report.files,
        "decisions": {
            "total": sum(report.decisions.values()),
            "oldest": iso(report.oldest),
            "newest": iso(report.newest),
            "by_outcome": {outcome: report.decisions.get(outcome, 0) for outcome in OUTCOMES},
        },
        "owed": _count(report, *OPEN),
        "owed_since": iso(report.owed_since),
        "dead_letters": _count(report, DeliveryState.DEAD),
        "quarantine": {"messages": report.quarantined, "damaged_rows": report.damaged},
        "lost_events": report.lost,
        "signals": {
            "total": report.signals,
            "not_ended": report.standing,
            "held": report.held,
            "unfinished_turns": 0,
        },
        "groups": report.groups,
        "hours_counted": report.hours,
        "rules_with_hits": report.rules,
        "documents": {kind: report.documents.get(kind, 0) for kind in DocumentKind},
        "destination_holds": [
            {
                "stream": hold.stream,
                "name": hold.destination,
                "author": hold.author,
                "reason": hold.reason,
                "since": iso(hold.since),
                "until": iso(hold.ends),
            }
            for hold in report.destination_holds
        ],
        "deliveries": [
            {"stream": stream, "destination": name, **{state: states.get(state, 0) for state in DeliveryState}}
            for (stream, name), states in report.deliveries.items()
        ],
        "tables": [{"name": name, "rows": None, "bytes": size} for name, size in report.tables.items()],
        "at_least": [],
    }


def copy(options: Namespace) -> int:
    """Copy the state of a directory into a file, as it was last committed."""
    if not isinstance(options.state, Path):
        raise BadUsage(
            f"{options.state}: is kept by a server, whose own tools copy it: pg_dump, or in Azure point-in-time restore"
        )
    refuse_missing(options.state)
    back_up(options.state, options.copy)
    print_lines([f"{options.copy}: holds the state of {options.state}, as it was last committed"])
    return 0
