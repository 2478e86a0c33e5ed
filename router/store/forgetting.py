"""Takes what is old out of the state, in small steps: each is a transaction, and finds by an index what is old.

How long each thing stays is said in `router/store/retention.py`. What is old and stays is marked with when to look again, so
that a step reads no more where much is kept. What another transaction has locked is left to the next sweep.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from functools import partial

from router.domain.decisions import Outcome
from router.domain.documents import DocumentKind
from router.domain.keys import ABOUT
from router.domain.signals import Stream
from router.store.codec import Columns
from router.store.ledger import record_key
from router.store.quarantine import KEYS
from router.store.retention import AGAIN, COUNTS, LONGEST, SESSIONS, Forgotten, Retention
from router.store.store import Store, Transaction

STEP = 100
"""Rows that one step looks at: its transaction is to be short."""

_OLD_DECISIONS = " UNION ALL ".join(
    f"SELECT * FROM (SELECT place, key, signal FROM decisions INDEXED BY decided "
    f"WHERE stream IN ('', 'cwpp', 'cspm') AND outcome='{outcome.value}' AND at<=? LIMIT ?) AS {outcome.value}"
    for outcome in Outcome
)

_IS_OVER = "state IN ('sent', 'skipped')"

# What is owed needs the receipt of its opening, and a dead letter that is redriven what came after it. Of a signal that is
# known, the last that was sent says what people know, and its end needs the receipt of its opening.
_LATER = "SELECT 1 FROM deliveries l WHERE l.key=d.key AND l.destination=d.destination AND l.turn>d.turn"
_FORGET_DELIVERED = f"""
DELETE FROM deliveries WHERE place IN (
    SELECT d.place FROM deliveries d WHERE d.key = ANY(?) AND d.{_IS_OVER}
    AND (d.key, d.turn) NOT IN (SELECT signal, turn FROM decisions WHERE signal = ANY(?) AND turn IS NOT NULL)
    AND (d.key, d.destination) NOT IN (SELECT key, destination FROM deliveries WHERE key = ANY(?) AND NOT {_IS_OVER})
    AND (
        NOT EXISTS (SELECT 1 FROM signals s WHERE s.key=d.key)
        OR (EXISTS ({_LATER} AND l.state='sent') AND NOT (d.turn=d.opened AND EXISTS ({_LATER} AND l.opened=d.turn)))
    )
)
"""
_FORGET_NOTICES = """
DELETE FROM notices WHERE key = ANY(?)
AND (key, turn, type) NOT IN (SELECT key, turn, type FROM deliveries WHERE key = ANY(?))
"""

# The key of what the record's second home gets names the stream after the decision, in five characters.
_OUTLIVED = f"""
SELECT place, key FROM deliveries INDEXED BY acted_on
WHERE destination='record' AND {_IS_OVER} AND (redriven>0 OR state='skipped') AND settled<=?
AND NOT EXISTS (SELECT 1 FROM decisions r WHERE r.key=substr(deliveries.key, 1, length(deliveries.key)-5))
ORDER BY settled LIMIT ? FOR UPDATE SKIP LOCKED
"""
_ANNOUNCED = f"""
SELECT place, key FROM deliveries INDEXED BY announced WHERE key>='{ABOUT}' AND key<'about~' AND {_IS_OVER} AND settled<=?
ORDER BY settled LIMIT ? FOR UPDATE SKIP LOCKED
"""

_OLD_GROUPS = f"""
SELECT g.stream, g.destination, g.key,
EXISTS (SELECT 1 FROM deliveries d WHERE d.key=g.key AND NOT d.{_IS_OVER}) AS is_needed
FROM groups g WHERE g.standing=0 AND g.at<=? ORDER BY g.at LIMIT ? FOR UPDATE OF g SKIP LOCKED
"""

# A row of a table is never closed, so a signal that is open there alone is open to no one. A signal begins anew with its first
# turn, so its row outlives every delivery and membership that bears one of them.
_OLD_SIGNALS = f"""
SELECT s.key, s.outcome='suppressed'
OR EXISTS (SELECT 1 FROM members m WHERE m.signal=s.key)
OR EXISTS (SELECT 1 FROM deliveries d WHERE d.key=s.key AND (NOT d.{_IS_OVER} OR d.settled>?))
OR (s.open<>'{{}}' AND EXISTS (
    SELECT 1 FROM deliveries d WHERE d.key=s.key AND d.lane<>'rows' AND d.change<>'resolved'
    AND NOT EXISTS ({_LATER} AND l.change='resolved')
)) AS is_needed
FROM signals s WHERE s.review_at<=? ORDER BY s.review_at LIMIT ? FOR UPDATE OF s SKIP LOCKED
"""

_FACTS = (DocumentKind.FACT, DocumentKind.TAGS, DocumentKind.COVERAGE)
"""The kinds of documents that say nothing any more when they are old. Of a source it counts just then that it is silent,
and one that only a pattern of the manifest expects is known by nothing else."""

# A rule that is there is known, and not gone; a silence has its document.
_IS_GONE = """
COALESCE(last_hit, gone_since)<=? AND (known_since IS NULL OR gone_since IS NOT NULL)
AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.kind='silence' AND 'silence:' || d.id=rules.name)
"""

_BY_DATE = (
    ("members", "stands=0 AND at<=?", LONGEST),
    ("named_alerts", "until<=?", LONGEST),
    ("counts", "hour<=?", COUNTS),
    ("told", "until<=?", COUNTS),
    ("changes", "at<=?", COUNTS),
    ("sessions", "until<=?", SESSIONS),
    ("rules", _IS_GONE, COUNTS),
    ("snapshots", "last<=?", LONGEST),
    ("sources", "heard<=? AND silent_since IS NULL", COUNTS),
    *(("documents", f"kind='{kind.value}' AND at<=?", LONGEST if kind in _FACTS else COUNTS) for kind in DocumentKind),
)
"""The tables of which rows go by their date alone: which of them, and after how long."""

type Step = Callable[[Transaction], Awaitable[int]]
"""Takes some of what is old away, or marks it; returns how many rows it looked at, which is less than STEP at the end."""


async def forget(store: Store, now: datetime, retention: Retention, most: int) -> Forgotten:
    """Take away what is old enough, in at most so many steps; raises StoreError. Safe to repeat, and to break off anywhere."""
    number = 0
    for step in _steps(now, retention):
        found = STEP
        while found >= STEP:
            if most <= 0:
                return Forgotten(number, is_done=False)
            found = await store.run(step)
            number += found
            # To look and to find nothing costs next to nothing.
            most -= found > 0
    return Forgotten(number, is_done=True)


def _steps(now: datetime, retention: Retention) -> Iterator[Step]:
    """The steps, in an order in which what needs another thing goes before it."""
    delivered = now - retention.deliveries
    yield partial(_forget_decisions, now=now, retention=retention)
    yield partial(_forget_loose, old=_OUTLIVED, until=delivered)
    yield partial(_forget_loose, old=_ANNOUNCED, until=delivered)
    yield partial(_forget_groups, now=now)
    for table, old, age in _BY_DATE:
        key = ", ".join(KEYS[table])
        some = f"SELECT {key} FROM {table} WHERE {old} LIMIT ? FOR UPDATE SKIP LOCKED"
        yield partial(_forget_rows, sql=f"DELETE FROM {table} WHERE ({key}) IN ({some})", until=now - age)
    yield partial(_forget_signals, now=now, delivered=delivered)


async def _forget_rows(tx: Transaction, sql: str, until: datetime) -> int:
    return await tx.execute(sql, until, STEP)


async def _forget_decisions(tx: Transaction, now: datetime, retention: Retention) -> int:
    """The oldest decisions, and of what was delivered for those and earlier ones what nothing needs."""
    limits = [limit for outcome in Outcome for limit in (now - retention.decisions[outcome], STEP)]
    rows = await tx.fetch(_OLD_DECISIONS, *limits)
    if rows:
        keys = {key for row in rows if (key := row.raw("signal")) is not None}
        keys.update(record_key(row.words("key"), stream) for row in rows for stream in Stream)
        await tx.write("DELETE FROM decisions WHERE place = ANY(?)", [row.raw("place") for row in rows])
        await tx.write(_FORGET_DELIVERED, keys, keys, keys)
        await tx.write(_FORGET_NOTICES, keys, keys)
    return len(rows)


async def _forget_loose(tx: Transaction, old: str, until: datetime) -> int:
    """Deliveries that belong to no decision and no signal with which they would go."""
    rows = await tx.fetch(old, until, STEP)
    if rows:
        keys = {row.raw("key") for row in rows}
        await tx.write("DELETE FROM deliveries WHERE place = ANY(?)", [row.raw("place") for row in rows])
        await tx.write(_FORGET_NOTICES, keys, keys)
    return len(rows)


async def _forget_groups(tx: Transaction, now: datetime) -> int:
    """Groups that are over, with what was delivered of them."""
    rows = await tx.fetch(_OLD_GROUPS, now - LONGEST, STEP)
    await _forget_unneeded(tx, "groups", "at", rows, now - LONGEST + AGAIN)
    return len(rows)


async def _forget_signals(tx: Transaction, now: datetime, delivered: datetime) -> int:
    """Signals that are as old as they may be, with what was delivered of them."""
    rows = await tx.fetch(_OLD_SIGNALS, delivered, now, STEP)
    going = await _forget_unneeded(tx, "signals", "review_at", rows, now + AGAIN)
    await tx.write("DELETE FROM lookups WHERE signal = ANY(?)", going)
    return len(rows)


async def _forget_unneeded(
    tx: Transaction, table: str, mark: str, rows: Sequence[Columns], again: datetime
) -> list[str]:
    """Those of some signals or groups that nothing needs, with all that was delivered of them; return their keys.

    The others are marked with when to look again. Of those that go nothing is owed or dead.
    """
    where = " AND ".join(f"{name}=?" for name in KEYS[table])
    places = sorted((bool(row.raw("is_needed")), *map(row.raw, KEYS[table])) for row in rows)
    await tx.write_many(
        f"UPDATE {table} SET {mark}=? WHERE {where}", [(again, *place) for is_needed, *place in places if is_needed]
    )
    going = [place for is_needed, *place in places if not is_needed]
    await tx.write_many(f"DELETE FROM {table} WHERE {where}", going)
    keys = [key for *_, key in going]
    for delivered in ("deliveries", "notices") if keys else ():
        await tx.write(f"DELETE FROM {delivered} WHERE key = ANY(?)", keys)
    return keys
