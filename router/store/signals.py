"""The table `signals`: the latest state of each signal, what rules can match of it, and what holds it.

Every function takes the transaction first and raises StoreError. A row that cannot be read is set aside, and its signal is
unknown then. A transaction that changes signals locks them first, in the order of their keys.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from router.domain.decisions import Outcome
from router.domain.hubs import Arrival
from router.domain.keys import bounded
from router.domain.rule_fields import RuleFields, StandingSignal
from router.domain.severity import GRAVITIES, find_severity
from router.domain.signals import Kind, Stream
from router.store.codec import (
    MICROSECOND,
    MOST_TURNS,
    Columns,
    RowForm,
    insert,
    micros,
    pack,
    readable,
    unpack,
    upsert,
)
from router.store.ledger import Held, LedgerRow, Seen, State
from router.store.quarantine import read_sound
from router.store.retention import DAYS
from router.store.snapshots import Appearances, days_in
from router.store.store import Transaction

_HELD: dict[str, Any] = {name: "held_by" if name == "rule" else f"held_{name}" for name in Held.__struct_fields__}
_APPEARANCES = RowForm(
    Appearances,
    {"kind": lambda row: row.word("kind", Kind).value, "days": days_in},
    days="snapshot_days",
)
_SIGNAL = RowForm(
    LedgerRow,
    {"stream": lambda row: row.word("stream", Stream).value},
    ("fields", "is_stored"),
    state=RowForm(State),
    seen=RowForm(Seen, arrival=RowForm(Arrival, left_out=["again"])),
    held=RowForm(Held, **_HELD),
    appearances=_APPEARANCES,
)
_COLUMNS = ", ".join(name for name in _SIGNAL.columns if name != "held_body")
_ALL = (*_SIGNAL.columns, "review_at", "type", "rule_fields")

_FIND = f"SELECT {_COLUMNS} FROM signals WHERE key = ANY(?)"
_LOCK = f"{_FIND} ORDER BY key FOR UPDATE"
_FIND_HELD = f"SELECT {_COLUMNS}, held_body FROM signals WHERE key = ANY(?) AND held_by IS NOT NULL ORDER BY key"
_INSERT = insert("signals", _ALL)

# A row that is written without what rules can match keeps what is stored of that.
_REPLACE = upsert(
    "signals",
    _ALL,
    ["key"],
    [
        *(f"{name}=excluded.{name}" for name in _ALL[:-2] if name not in ("key", "stream")),
        "type=CASE WHEN excluded.rule_fields IS NULL THEN signals.type ELSE excluded.type END",
        "rule_fields=COALESCE(excluded.rule_fields, signals.rule_fields)",
    ],
)
_NAME = f"UPDATE signals SET {', '.join(f'{name}=?' for name in _APPEARANCES.columns)} WHERE key=?"

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

_DROP_HELD = f"UPDATE signals SET {', '.join(f'{name}=NULL' for name in _HELD.values())} WHERE key=? AND turn=?"

AS_GRAVE = f"""
stream=? AND resolved=0 AND outcome IN ('routed', 'suppressed')
AND CASE WHEN severity BETWEEN 1 AND 5 THEN severity ELSE {max(GRAVITIES)} END=?
"""
"""What stands of one gravity: the index of what stands has it by since when it stands."""

_STANDING = "key, outcome, severity, held_by, held_until, since, type, rule_fields FROM signals"
_WALK = f"SELECT {_STANDING} WHERE {AS_GRAVE} AND (since, key)>(?, ?) ORDER BY since, key LIMIT ?"
_WALK_HELD = f"SELECT {_STANDING} WHERE {AS_GRAVE} AND held_by=? AND (since, key)>(?, ?) ORDER BY since, key LIMIT ?"
_COUNT_HELD = "SELECT held_by, count(*) AS many FROM signals WHERE stream=? AND held_by IS NOT NULL GROUP BY held_by"
_PAGE = 2_000


async def find_signals(tx: Transaction, keys: Collection[str], sql: str = _FIND) -> dict[str, LedgerRow]:
    """Return those signals that are known, without the bodies of what holds them."""
    read = partial(_SIGNAL.read, is_stored=True)
    return {row.key: row for row in await read_sound(tx, "signals", sql, [list(keys)], read)} if keys else {}


async def lock_signals(tx: Transaction, keys: Collection[str]) -> dict[str, LedgerRow]:
    """Return the same, locked until the transaction ends."""
    return await find_signals(tx, keys, _LOCK)


async def find_held(tx: Transaction, keys: Collection[str]) -> list[LedgerRow]:
    """Return those signals that are held, with their bodies."""
    return list((await find_signals(tx, keys, _FIND_HELD)).values())


async def write_signals(tx: Transaction, rows: Iterable[LedgerRow]) -> None:
    """Write signals. One that was found to be new, and that another transaction has written since, is a Conflict."""
    written = sorted(rows, key=lambda row: row.key)
    await tx.write_many(_INSERT, [_values_of(row) for row in written if not row.is_stored])
    await tx.write_many(_REPLACE, [_values_of(row) for row in written if row.is_stored])


async def write_appearances(tx: Transaction, rows: Iterable[LedgerRow]) -> None:
    """Write of signals only when messages named them; all else stays."""
    named = sorted(rows, key=lambda row: row.key)
    await tx.write_many(_NAME, [(*_APPEARANCES.values(row.appearances), row.key) for row in named])


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
    sql = "SELECT key, rule_fields FROM signals WHERE key = ANY(?) AND rule_fields IS NOT NULL"
    found = ((row.raw("key"), _find_fields(row)) for row in await tx.fetch(sql, list(keys)))
    return {key: fields for key, fields in found if fields is not None}


async def find_in_doubt(
    tx: Transaction, stream: str, rulebook: str, active: Collection[str], now: datetime
) -> list[str]:
    """Return the keys of what was held until now, under another rulebook, or by what is not among the active ones."""
    rows = await tx.fetch(_ENDED, stream, now, stream, rulebook, stream, rulebook)
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
    wanted = {"", *map(type_as_found, types)} if types is not None and stream == Stream.CWPP else None
    for gravity in GRAVITIES:
        async for some in _pages(tx, _WALK, (stream, gravity), page, wanted):
            yield [one for one in some if one.is_of_type(types)]


async def walk_held(
    tx: Transaction, stream: str, name: str, page: int = _PAGE
) -> AsyncIterator[Sequence[StandingSignal]]:
    """Yield the signals of a stream that a rule or silence holds now, in pages; the gravest first."""
    for gravity in GRAVITIES:
        async for some in _pages(tx, _WALK_HELD, (stream, gravity, name), page):
            yield some


async def count_held(tx: Transaction, stream: str) -> Mapping[str, int]:
    """Return how many signals of a stream each rule or silence holds now, by its name."""
    rows = await tx.fetch(_COUNT_HELD, stream)
    return {row.words("held_by"): row.whole("many") for row in rows}


async def _pages(
    tx: Transaction,
    sql: str,
    values: tuple[object, ...],
    page: int,
    types: Collection[str] | None = None,
) -> AsyncIterator[list[StandingSignal]]:
    """Yield pages of signals that stand, of some types if given; a damaged row is set aside when its signal is asked for."""
    after: tuple[object, str] = -(2**63), ""
    while True:
        rows = await tx.fetch(sql, *values, *after, page)
        some = [row for row in rows if types is None or row.raw("type") in types]
        yield [one for row in some if (one := readable(None, _standing_in, row)) is not None]
        if len(rows) < page:
            return
        after = rows[-1].raw("since"), rows[-1].raw("key")


def _values_of(row: LedgerRow) -> tuple[object, ...]:
    """Return the values of _ALL."""
    since, fields = row.closed_at or row.heard, row.fields
    return (
        *_SIGNAL.values(row),
        micros(since) + DAYS[row.outcome] // MICROSECOND if since is not None else None,
        type_as_found(fields.type) if fields is not None else "",
        pack(fields) if fields is not None else None,
    )


def type_as_found(type: str) -> str:
    """Return a type as signals are found by it, whatever its case."""
    return bounded(type.casefold())


def _standing_in(row: Columns) -> StandingSignal:
    """Return a signal that stands, with what rules can match of it if that is there and sound; raises Undecodable."""
    return StandingSignal(
        key=row.text("key"),
        outcome=row.word("outcome", Outcome),
        severity=find_severity(row.raw("severity")),
        held_by=row.find_text("held_by"),
        fields=_find_fields(row),
    )


def _find_fields(row: Columns) -> RuleFields | None:
    return readable(None, lambda: unpack(RuleFields, row.body("rule_fields")))
