"""The table `signals`: the latest state of each signal, what rules can match of it, and what holds it.

Every function takes the transaction first and raises StoreError. A row that cannot be read is set aside, and its signal is
unknown then. Whoever changes signals locks them first, in the order of their keys.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime

from router.domain.ledger import LedgerRow
from router.domain.lookback import StandingSignal
from router.domain.rule_fields import RuleFields
from router.domain.signals import Stream
from router.store.codec import MOST_TURNS, Columns, micros, readable
from router.store.engine import Transaction
from router.store.quarantine import read_sound
from router.store.signal_rows import (
    APPEARANCES,
    BODIES,
    COLUMNS,
    HELD,
    MATCHED,
    appearance_values,
    fields_in,
    row_in,
    standing_in,
    type_of,
    values_of,
)

_FIND = f"SELECT {', '.join(COLUMNS)} FROM signals WHERE key = ANY(?)"
_LOCK = f"{_FIND} ORDER BY key FOR UPDATE"
_FIND_HELD = (
    f"SELECT {', '.join((*COLUMNS, *BODIES))} FROM signals WHERE key = ANY(?) AND held_by IS NOT NULL ORDER BY key"
)

_ALL = (*COLUMNS, "review_at", *BODIES, *MATCHED)
_INSERT = f"INSERT INTO signals ({', '.join(_ALL)}) VALUES ({', '.join('?' * len(_ALL))})"

# A row that is written without what rules can match keeps what is stored of that.
_REPLACE = (
    f"{_INSERT} ON CONFLICT (key) DO UPDATE SET "
    f"{', '.join(f'{name}=excluded.{name}' for name in (*COLUMNS[2:], 'review_at', *BODIES))}, "
    "type=CASE WHEN excluded.rule_fields IS NULL THEN signals.type ELSE excluded.type END, "
    "rule_fields=COALESCE(excluded.rule_fields, signals.rule_fields)"
)

_NAME = f"UPDATE signals SET {', '.join(f'{name}=?' for name in APPEARANCES)} WHERE key=?"

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

_DROP_HELD = f"UPDATE signals SET {', '.join(f'{name}=NULL' for name in (*HELD, *BODIES))} WHERE key=? AND turn=?"

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
    return {row.key: row for row in await read_sound(tx, "signals", _FIND, [list(keys)], row_in)} if keys else {}


async def lock_signals(tx: Transaction, keys: Collection[str]) -> dict[str, LedgerRow]:
    """Return the same, locked until the transaction ends."""
    return {row.key: row for row in await read_sound(tx, "signals", _LOCK, [list(keys)], row_in)} if keys else {}


async def find_held(tx: Transaction, keys: Collection[str]) -> list[LedgerRow]:
    """Return those signals that are held, with their bodies."""
    return await read_sound(tx, "signals", _FIND_HELD, [list(keys)], row_in)


async def write_signals(tx: Transaction, rows: Iterable[LedgerRow]) -> None:
    """Write signals. One that was found to be new, and that another transaction has written since, is a Conflict."""
    written = sorted(rows, key=lambda row: row.key)
    await tx.write_many(_INSERT, [values_of(row) for row in written if not row.is_stored])
    await tx.write_many(_REPLACE, [values_of(row) for row in written if row.is_stored])


async def write_appearances(tx: Transaction, rows: Iterable[LedgerRow]) -> None:
    """Write of signals only when messages named them; all else stays."""
    named = sorted(rows, key=lambda row: row.key)
    await tx.write_many(_NAME, [(*appearance_values(row.appearances), row.key) for row in named])


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
    found = ((row.raw("key"), readable(None, fields_in, row)) for row in rows)
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
    # A finding may be of a category, which is no column.
    spans = [("", _BEYOND)] if types is None or stream != Stream.CWPP else [(one, one) for one in _known_as(types)]
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


def _known_as(types: Collection[str]) -> list[str]:
    """The types as signals are found by them, and the one of signals of which no type is known."""
    return sorted({"", *map(type_of, types)})


def _standing(rows: Iterable[Columns]) -> list[StandingSignal]:
    """The signals that stand in rows; a damaged row is set aside when its signal is asked for."""
    return [one for row in rows if (one := readable(None, standing_in, row)) is not None]
