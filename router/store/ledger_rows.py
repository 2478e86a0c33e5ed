"""The rows of the ledger, and of what holds its signals: what their columns mean, and how they are written."""

from __future__ import annotations

from dataclasses import replace

import orjson

from router.domain.decisions import Outcome
from router.domain.holds import HeldBy
from router.domain.ledger import Arrival, Held, LedgerRow, Seen, State
from router.domain.signals import Stream
from router.store.appearances import COLUMN, appearances_in, written_appearances
from router.store.codec import readable
from router.store.holds import COLUMN as HOLD
from router.store.holds import with_hold, written_hold
from router.store.instants import EPOCH, micros
from router.store.row_reader import MOST_TURNS, Columns, printable

COLUMNS = (
    "key", "stream", "resolved", "status", "severity", "measure", "changed", "origin", "place", "part", "enqueued", "deleted",
    "turn", "outcome", "open", "grouped", "forwarded", "closed_at", "heard", "snapshots",
)  # fmt: skip


def values_of(row: LedgerRow) -> tuple[object, ...]:
    """Return the values of COLUMNS."""
    state, seen = row.state, row.seen
    return (
        row.key,
        row.stream,
        state.resolved,
        state.status,
        state.severity,
        state.measure,
        micros(seen.changed),
        seen.arrival.origin,
        seen.arrival.place,
        seen.arrival.part,
        micros(seen.arrival.enqueued),
        seen.deleted,
        row.turn,
        row.outcome.value,
        orjson.dumps(row.open).decode(),
        orjson.dumps(sorted(row.grouped)).decode(),
        row.forwarded,
        micros(row.closed_at),
        micros(row.heard),
        written_appearances(row.appearances),
    )


def held_values_of(row: LedgerRow, held: Held) -> tuple[object, ...]:
    """Return the values of the row that says what holds a signal, with its body."""
    return row.key, row.stream, held.rule, micros(held.until), held.rulebook, held.source, held.body, written_hold(row)


def row_in(row: Columns) -> LedgerRow:
    """Return the signal's row that columns of the ledger hold, with what holds it if they say so; raises Undecodable."""
    severity = row.raw("severity")
    arrival = Arrival(row.text("origin"), row.whole("place"), row.find_time("enqueued"), row.whole("part"))
    found = LedgerRow(
        key=row.text("key"),
        stream=row.word("stream", Stream).value,
        state=State(
            resolved=row.flag("resolved"),
            status=row.text("status"),
            severity=row.whole("severity", -1) if severity is not None else None,
            measure=row.find_text("measure"),
        ),
        seen=Seen(row.find_time("changed"), arrival, row.flag("deleted")),
        turn=row.whole("turn", 1, MOST_TURNS),
        outcome=row.word("outcome", Outcome),
        open=row.turns("open"),
        grouped=row.names("grouped"),
        forwarded=row.flag("forwarded"),
        closed_at=row.find_time("closed_at"),
        heard=row.find_time("heard"),
        appearances=appearances_in(row.raw(COLUMN)),
    )
    return found if row.raw("rule") is None else replace(found, held_by=held_by_in(row))


def held_by_in(row: Columns) -> HeldBy:
    """Return what holds a signal, whatever its columns hold."""
    return with_hold(HeldBy(rule=row.words("rule"), until=readable(EPOCH, row.time, "until")), row.raw(HOLD))


def held_in(row: Columns) -> Held:
    """Return what is held, whatever its columns hold: it is decided again from its body, which is quarantined if it is none."""
    body, by = row.raw("body"), held_by_in(row)
    return Held(
        rule=by.rule,
        until=by.until,
        rulebook=row.words("rulebook"),
        source=row.words("source"),
        body=body if isinstance(body, bytes) else printable(body).encode(),
        since=by.since,
        messages=by.messages,
    )
