"""The rows of the table `signals`: what their columns mean, and how they are written."""

from __future__ import annotations

from datetime import timedelta

import orjson

from router.domain.decisions import Outcome
from router.domain.errors import Undecodable
from router.domain.keys import bounded
from router.domain.ledger import Arrival, Held, HeldBy, LedgerRow, Seen, State
from router.domain.lookback import StandingSignal
from router.domain.retention import age_of_signal
from router.domain.rule_fields import RuleFields
from router.domain.severity import find_severity
from router.domain.signals import Kind, Stream
from router.domain.snapshots import Appearances
from router.store.codec import MOST_STEPS, MOST_TURNS, Columns, decode, encode, micros, readable

HELD = ("held_by", "held_until", "held_since", "held_messages")
"""What holds a signal; empty where nothing does."""

APPEARANCES = ("subscription", "kind", "named", "in_snapshot", "snapshot_days")
"""When messages named a finding; empty where it never ends by itself."""

COLUMNS = (
    "key", "stream", "resolved", "status", "severity", "measure", "changed", "origin", "place", "part", "enqueued", "deleted",
    "turn", "outcome", "open", "grouped", "forwarded", "closed_at", "heard", *APPEARANCES, *HELD,
)  # fmt: skip
"""What a transition of a signal asks for."""

BODIES = ("held_rulebook", "held_source", "held_body")
"""What a signal that is held is decided again from."""

MATCHED = ("type", "rule_fields")
"""What rules can match of a signal."""

_MICROSECOND = timedelta(microseconds=1)

_LONGEST_DAY = 8
"""Digits that no number of a day has."""


def values_of(row: LedgerRow) -> tuple[object, ...]:
    """Return the values of COLUMNS, `review_at`, BODIES and MATCHED."""
    state, seen, held, fields = row.state, row.seen, row.held, row.fields
    since = micros(row.closed_at or row.heard)
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
        *appearance_values(row.appearances),
        *((held.rule, micros(held.until), micros(held.since), held.messages) if held is not None else (None,) * 4),
        since + age_of_signal(row.outcome) // _MICROSECOND if since is not None else None,
        *((held.rulebook, held.source, held.body) if held is not None else (None,) * 3),
        type_of(fields.type) if fields is not None else "",
        encode(fields) if fields is not None else None,
    )


def type_of(type: str) -> str:
    """Return a type as signals are found by it, whatever its case."""
    return bounded(type.casefold())


def row_in(row: Columns) -> LedgerRow:
    """Return the signal that columns hold; raises Undecodable."""
    severity = row.raw("severity")
    arrival = Arrival(row.text("origin"), row.whole("place"), row.find_time("enqueued"), row.whole("part"))
    held = held_in(row) if row.raw("held_body") is not None else None
    return LedgerRow(
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
        appearances=appearances_in(row),
        held=held,
        held_by=held_by_in(row) if row.raw("held_by") is not None else None,
        is_stored=True,
    )


def held_by_in(row: Columns) -> HeldBy:
    """Return what holds a signal; raises Undecodable."""
    return HeldBy(
        rule=row.text("held_by"),
        until=row.time("held_until"),
        since=row.find_time("held_since"),
        messages=row.whole("held_messages", 1, MOST_STEPS) if row.raw("held_messages") is not None else None,
    )


def held_in(row: Columns) -> Held:
    """Return what holds a signal, with its body; raises Undecodable."""
    by = held_by_in(row)
    return Held(
        rule=by.rule,
        until=by.until,
        rulebook=row.text("held_rulebook"),
        source=row.text("held_source"),
        body=row.body("held_body"),
        since=by.since,
        messages=by.messages,
    )


def standing_in(row: Columns) -> StandingSignal:
    """Return a signal that stands, with what rules can match of it if that is there and sound; raises Undecodable."""
    return StandingSignal(
        key=row.text("key"),
        outcome=row.word("outcome", Outcome),
        severity=find_severity(row.raw("severity")),
        held_by=row.find_text("held_by"),
        fields=readable(None, fields_in, row),
    )


def fields_in(row: Columns) -> RuleFields:
    """Return what rules can match of a signal; raises Undecodable."""
    return decode(RuleFields, row.body("rule_fields"))


def appearance_values(appearances: Appearances | None) -> tuple[object, ...]:
    """Return the values of APPEARANCES."""
    if appearances is None:
        return (None,) * len(APPEARANCES)
    subscription, kind, named, in_snapshot, days = appearances
    return subscription, kind, micros(named), micros(in_snapshot), " ".join(map(str, days))


def appearances_in(row: Columns) -> Appearances | None:
    """Return when messages named a finding, None where that is not asked; raises Undecodable."""
    if row.raw("subscription") is None:
        return None
    kind, named, in_snapshot = row.word("kind", Kind).value, row.time("named"), row.find_time("in_snapshot")
    return Appearances(row.text("subscription"), kind, named, in_snapshot, days_in(row))


def days_in(row: Columns) -> tuple[int, ...]:
    """Return the days on which rows of snapshots named a finding, in order; raises Undecodable."""
    days = row.text("snapshot_days").split()
    if not all(one.isdecimal() and len(one) < _LONGEST_DAY for one in days):
        raise Undecodable("snapshot_days: is no list of days")
    return tuple(sorted(map(int, days)))
