"""The table `signals`: the latest state of each signal, what rules can match of it, and what holds it.

Every function takes the transaction first and raises StoreError. A row that cannot be read is set aside, and its signal is
unknown then. A transaction that changes signals locks them first, in the order of their keys.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import orjson

from router.domain.decisions import Outcome
from router.domain.hubs import Arrival
from router.domain.keys import bounded
from router.domain.rule_fields import RuleFields, StandingSignal
from router.domain.severity import find_severity
from router.domain.signals import Kind, Stream
from router.store.codec import MOST_STEPS, MOST_TURNS, Columns, decode, encode, micros, readable
from router.store.ledger import Held, HeldBy, LedgerRow, Seen, State
from router.store.quarantine import read_sound
from router.store.retention import age_of_signal
from router.store.snapshots import Appearances, days_in
from router.store.store import Transaction

_HELD = ("held_by", "held_until", "held_since", "held_messages")
"""What holds a signal; empty where nothing does."""

_APPEARANCES = ("subscription", "kind", "named", "in_snapshot", "snapshot_days")
"""When messages named a finding; empty where it never ends by itself."""

_COLUMNS = (
    "key", "stream", "resolved", "status", "severity", "measure", "changed", "origin", "place", "part", "enqueued", "deleted",
    "turn", "outcome", "open", "grouped", "forwarded", "closed_at", "heard", *_APPEARANCES, *_HELD,
)  # fmt: skip
"""What a transition of a signal asks for."""

_BODIES = ("held_rulebook", "held_source", "held_body")
"""What a signal that is held is decided again from."""

_MATCHED = ("type", "rule_fields")
"""What rules can match of a signal."""

_MICROSECOND = timedelta(microseconds=1)

_FIND = f"SELECT {', '.join(_COLUMNS)} FROM signals WHERE key = ANY(?)"
_LOCK = f"{_FIND} ORDER BY key FOR UPDATE"
_FIND_HELD = (
    f"SELECT {', '.join((*_COLUMNS, *_BODIES))} FROM signals WHERE key = ANY(?) AND held_by IS NOT NULL ORDER BY key"
)

_ALL = (*_COLUMNS, "review_at", *_BODIES, *_MATCHED)
_INSERT = f"INSERT INTO signals ({', '.join(_ALL)}) VALUES ({', '.join('?' * len(_ALL))})"

# A row that is written without what rules can match keeps what is stored of that.
_REPLACE = (
    f"{_INSERT} ON CONFLICT (key) DO UPDATE SET "
    f"{', '.join(f'{name}=excluded.{name}' for name in (*_COLUMNS[2:], 'review_at', *_BODIES))}, "
    "type=CASE WHEN excluded.rule_fields IS NULL THEN signals.type ELSE excluded.type END, "
    "rule_fields=COALESCE(excluded.rule_fields, signals.rule_fields)"
)

_NAME = f"UPDATE signals SET {', '.join(f'{name}=?' for name in _APPEARANCES)} WHERE key=?"

_LAST_TURNS = (
    "SELECT key, max(turn) AS turn FROM deliveries WHERE key = ANY(?) GROUP BY key "
    "UNION ALL SELECT signal, max(turn) FROM members WHERE signal = ANY(?) GROUP BY signal"
)

# Each name once, by as many steps along the index.
_HOLDERS = """
WITH RECURSIVE holders (name) AS (
    SELECT min(held_by) FROM signals WHERE stream=? AND held_by IS NOT NULL
    UNION ALL
    SELECT (SELECT min(held_by) FROM signals WHERE stream=? AND held_by>holders.name) FROM holders WHERE name IS NOT NULL
)
SELECT name FROM holders WHERE name IS NOT NULL
"""

_ENDED = """
SELECT key FROM signals WHERE stream=? AND held_by IS NOT NULL AND held_until<=?
UNION ALL SELECT key FROM signals WHERE stream=? AND held_by IS NOT NULL AND held_rulebook<?
UNION ALL SELECT key FROM signals WHERE stream=? AND held_by IS NOT NULL AND held_rulebook>?
"""
_HELD_BY = "SELECT key FROM signals WHERE stream=? AND held_by=?"

_DROP_HELD = f"UPDATE signals SET {', '.join(f'{name}=NULL' for name in (*_HELD, *_BODIES))} WHERE key=? AND turn=?"

_STANDING = "key, outcome, severity, held_by, held_until, type, rule_fields FROM signals"
_STANDS = "resolved=0 AND outcome IN ('routed', 'suppressed')"
_WALK = f"SELECT {_STANDING} WHERE stream=? AND {_STANDS} AND type<=? AND (type, key)>(?, ?) ORDER BY type, key LIMIT ?"
_WALK_HELD = (
    f"SELECT {_STANDING} WHERE stream=? AND held_by=? AND (held_until, key)>(?, ?) ORDER BY held_until, key LIMIT ?"
)
_COUNT_HELD = "SELECT held_by, count(*) AS many FROM signals WHERE stream=? AND held_by IS NOT NULL GROUP BY held_by"
_PAGE = 2_000
"""Rows of a page."""

_FIRST = -(2**63)
"""Before every instant."""

_BEYOND = "\U0010ffff"
"""After every type."""


async def find_signals(tx: Transaction, keys: Collection[str]) -> dict[str, LedgerRow]:
    """Return those signals that are known, with what holds them, without its body."""
    return {row.key: row for row in await read_sound(tx, "signals", _FIND, [list(keys)], _row_in)} if keys else {}


async def lock_signals(tx: Transaction, keys: Collection[str]) -> dict[str, LedgerRow]:
    """Return the same, locked until the transaction ends."""
    return {row.key: row for row in await read_sound(tx, "signals", _LOCK, [list(keys)], _row_in)} if keys else {}


async def find_held(tx: Transaction, keys: Collection[str]) -> list[LedgerRow]:
    """Return those signals that are held, with their bodies."""
    return await read_sound(tx, "signals", _FIND_HELD, [list(keys)], _row_in)


async def write_signals(tx: Transaction, rows: Iterable[LedgerRow]) -> None:
    """Write signals. One that was found to be new, and that another transaction has written since, is a Conflict."""
    written = sorted(rows, key=lambda row: row.key)
    await tx.write_many(_INSERT, [_values_of(row) for row in written if not row.is_stored])
    await tx.write_many(_REPLACE, [_values_of(row) for row in written if row.is_stored])


async def write_appearances(tx: Transaction, rows: Iterable[LedgerRow]) -> None:
    """Write of signals only when messages named them; all else stays."""
    named = sorted(rows, key=lambda row: row.key)
    await tx.write_many(_NAME, [(*_appearance_values(row.appearances), row.key) for row in named])


async def find_last_turns(tx: Transaction, keys: Collection[str]) -> Mapping[str, int]:
    """Return the highest turns of those signals of which deliveries or memberships in groups are kept.

    A signal whose row was lost goes on after that turn: under one that was owed before, its message would be a repeat.
    """
    turns: dict[str, int] = {}
    for row in await tx.fetch(_LAST_TURNS, list(keys), list(keys)):
        key, turn = row.text("key"), readable(0, row.whole, "turn", 1, MOST_TURNS)
        turns[key] = max(turn, turns.get(key, 0))
    return turns


async def read_fields(tx: Transaction, keys: Collection[str]) -> Mapping[str, RuleFields]:
    """Return what rules can match of those signals of which it is kept and sound."""
    rows = await tx.fetch(
        "SELECT key, rule_fields FROM signals WHERE key = ANY(?) AND rule_fields IS NOT NULL", list(keys)
    )
    found = ((row.raw("key"), readable(None, _fields_in, row)) for row in rows)
    return {key: fields for key, fields in found if fields is not None}


async def find_in_doubt(
    tx: Transaction, stream: str, rulebook: str, active: Collection[str], now: datetime
) -> list[str]:
    """Return the keys of what was held until now, under another rulebook, or by what is not among the active ones."""
    rows = await tx.fetch(_ENDED, stream, micros(now), stream, rulebook, stream, rulebook)
    for holder in await tx.fetch(_HOLDERS, stream, stream):
        if (name := holder.raw("name")) not in active:
            rows += await tx.fetch(_HELD_BY, stream, name)
    return sorted({row.raw("key") for row in rows})


async def drop_held(tx: Transaction, turns: Iterable[tuple[str, int]]) -> None:
    """Drop what is held of some signals, by their keys, that are still at those turns."""
    await tx.write_many(_DROP_HELD, sorted(turns))


async def walk_standing(
    tx: Transaction, stream: str, types: Collection[str] | None = None, page: int = _PAGE
) -> AsyncIterator[Sequence[StandingSignal]]:
    """Yield the signals of a stream that stand and that rules could match, in pages.

    `types` are alert types or recommendation categories, case-folded: then those are left out that are known to be of another.
    """
    # A finding may be of a category, which is no column; of some signals no type is known.
    spans = (
        [("", _BEYOND)]
        if types is None or stream != Stream.CWPP
        else [(one, one) for one in sorted({"", *map(_type_of, types)})]
    )
    for first, last in spans:
        walked = _pages(tx, _WALK, (stream, last), lambda row: (row.raw("type"), row.raw("key")), (first, ""), page)
        async for rows in walked:
            yield [one for one in _standing(rows) if one.is_of_type(types)]


async def walk_held(
    tx: Transaction, stream: str, name: str, page: int = _PAGE
) -> AsyncIterator[Sequence[StandingSignal]]:
    """Yield the signals of a stream that a rule or silence holds now, in pages."""
    first = _FIRST, ""
    walked = _pages(tx, _WALK_HELD, (stream, name), lambda row: (row.raw("held_until"), row.raw("key")), first, page)
    async for rows in walked:
        yield _standing(rows)


async def count_held(tx: Transaction, stream: str) -> Mapping[str, int]:
    """Return how many signals of a stream each rule or silence holds now, by its name."""
    rows = await tx.fetch(_COUNT_HELD, stream)
    return {row.words("held_by"): row.whole("many") for row in rows}


async def _pages(
    tx: Transaction,
    select: str,
    values: tuple[object, ...],
    place_of: Callable[[Columns], tuple[object, ...]],
    after: tuple[object, ...],
    page: int,
) -> AsyncIterator[list[Columns]]:
    """Yield pages of rows."""
    while True:
        rows = await tx.fetch(select, *values, *after, page)
        yield rows
        if len(rows) < page:
            return
        after = place_of(rows[-1])


def _standing(rows: Iterable[Columns]) -> list[StandingSignal]:
    """The signals that stand in rows; a damaged row is set aside when its signal is asked for."""
    return [one for row in rows if (one := readable(None, _standing_in, row)) is not None]


def _values_of(row: LedgerRow) -> tuple[object, ...]:
    """Return the values of _COLUMNS, `review_at`, _BODIES and _MATCHED."""
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
        *_appearance_values(row.appearances),
        *((held.rule, micros(held.until), micros(held.since), held.messages) if held is not None else (None,) * 4),
        since + age_of_signal(row.outcome) // _MICROSECOND if since is not None else None,
        *((held.rulebook, held.source, held.body) if held is not None else (None,) * 3),
        _type_of(fields.type) if fields is not None else "",
        encode(fields) if fields is not None else None,
    )


def _type_of(type: str) -> str:
    """Return a type as signals are found by it, whatever its case."""
    return bounded(type.casefold())


def _row_in(row: Columns) -> LedgerRow:
    """Return the signal that columns hold; raises Undecodable."""
    severity = row.raw("severity")
    arrival = Arrival(row.text("origin"), row.whole("place"), row.find_time("enqueued"), row.whole("part"))
    held = _held_in(row) if row.raw("held_body") is not None else None
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
        appearances=_appearances_in(row),
        held=held,
        held_by=_held_by_in(row) if row.raw("held_by") is not None else None,
        is_stored=True,
    )


def _held_by_in(row: Columns) -> HeldBy:
    """Return what holds a signal; raises Undecodable."""
    return HeldBy(
        rule=row.text("held_by"),
        until=row.time("held_until"),
        since=row.find_time("held_since"),
        messages=row.whole("held_messages", 1, MOST_STEPS) if row.raw("held_messages") is not None else None,
    )


def _held_in(row: Columns) -> Held:
    """Return what holds a signal, with its body; raises Undecodable."""
    by = _held_by_in(row)
    return Held(
        rule=by.rule,
        until=by.until,
        rulebook=row.text("held_rulebook"),
        source=row.text("held_source"),
        body=row.body("held_body"),
        since=by.since,
        messages=by.messages,
    )


def _standing_in(row: Columns) -> StandingSignal:
    """Return a signal that stands, with what rules can match of it if that is there and sound; raises Undecodable."""
    return StandingSignal(
        key=row.text("key"),
        outcome=row.word("outcome", Outcome),
        severity=find_severity(row.raw("severity")),
        held_by=row.find_text("held_by"),
        fields=readable(None, _fields_in, row),
    )


def _fields_in(row: Columns) -> RuleFields:
    """Return what rules can match of a signal; raises Undecodable."""
    return decode(RuleFields, row.body("rule_fields"))


def _appearance_values(appearances: Appearances | None) -> tuple[object, ...]:
    """Return the values of _APPEARANCES."""
    if appearances is None:
        return (None,) * len(_APPEARANCES)
    subscription, kind, named, in_snapshot, days = appearances
    return subscription, kind, micros(named), micros(in_snapshot), " ".join(map(str, days))


def _appearances_in(row: Columns) -> Appearances | None:
    """Return when messages named a finding, None where that is not asked; raises Undecodable."""
    if row.raw("subscription") is None:
        return None
    kind, named, in_snapshot = row.word("kind", Kind).value, row.time("named"), row.find_time("in_snapshot")
    return Appearances(row.text("subscription"), kind, named, in_snapshot, days_in(row))
