"""The tables `deliveries` and `payloads` as the outbox asks for them. The index of what is due is its queue.

Nothing in here lets go of the event loop, so a transaction is nobody else's.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from datetime import datetime, timedelta

from router.domain.damage import DamagedLetter, quarantine_entry_of
from router.domain.deliveries import Claim, DeadLetter, Delivery, DeliveryState, Pointer
from router.domain.delivery_lifecycle import OPEN
from router.domain.errors import StoreError, Undecodable
from router.domain.supersession import asks_for_closed
from router.store.codec import attempt, encode, tag_of
from router.store.outbox import Move, SignalEntries
from router.store.row_reader import Columns
from router.store.sqlite.connection import Clock, Connection
from router.store.sqlite.delivery_rows import (
    COLUMNS,
    ODD,
    WITH_PAYLOAD,
    claim_of,
    damaged_row,
    delivery_of,
    letter_id,
    letter_of,
    park,
    see_to_odd,
    take_off,
)
from router.store.sqlite.entry_rows import ENTRY, INSERT, IS_OPEN, UPDATE, SqliteEntry, entry_of, insertion, update
from router.store.sqlite.impossible_times import died_after, with_impossible_times
from router.store.sqlite.quarantine import keep
from router.store.sqlite.schema import micros
from router.store.sqlite.selecting import columns_of

_AT_A_TIME = 500
"""Signals, or deliveries, that are read together."""

_THOSE = "SELECT value FROM json_each(?)"

# What is due, and when the first open turn of its signal is. A destination that was down has many whose first turn waits for
# its retry: they are passed over without a look at the whole signal.
_DUE = f"""
SELECT d.rowid, d.key,
       (SELECT f.due FROM deliveries f WHERE f.key=d.key AND f.destination=d.destination AND f.{IS_OPEN}
        ORDER BY f.turn LIMIT 1)
FROM deliveries d INDEXED BY due WHERE d.stream=? AND d.destination=? AND d.{IS_OPEN} AND d.due<=? ORDER BY d.due, d.rowid
"""

_SIGNALS = f"""
SELECT {", ".join(f"e.{column}" for column in ENTRY)}, e.key FROM json_each(?) j CROSS JOIN deliveries d ON d.rowid=j.value
CROSS JOIN deliveries e ON e.key=d.key AND e.destination=d.destination WHERE e.state IN (SELECT value FROM json_each(?))
"""

_ENTRIES = f"SELECT {', '.join(ENTRY)} FROM deliveries"

_CLAIMS = f"""
SELECT {COLUMNS},
       (SELECT o.receipt FROM deliveries o WHERE o.key=d.key AND o.destination=d.destination AND o.turn=d.opened)
       AS receipt_of_opening
FROM {WITH_PAYLOAD} WHERE d.rowid IN ({_THOSE})
"""

_OPEN = [state.value for state in OPEN]
_ALL = [state.value for state in DeliveryState]


class SqliteOutboxTable:
    """Deliveries in their table; a turn's payload is kept once for all destinations. Raises StoreError."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def transaction(self) -> AbstractContextManager[object]:
        """A transaction: all of it is kept, or none."""
        return self._connection.writing()

    async def add(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        """Creates deliveries where there are none."""
        payloads = {(one.key, one.turn, tag_of(one.content)): one.content for one in deliveries}
        with self._connection.writing() as db:
            db.executemany(
                "INSERT OR IGNORE INTO payloads (key, turn, type, body) VALUES (?,?,?,?)",
                [(*place, encode(content)) for place, content in payloads.items()],
            )
            db.executemany(INSERT, [insertion(one, now) for one in deliveries])

    async def due(
        self, pointer: Pointer, now: datetime, lease: timedelta, limit: int
    ) -> AsyncGenerator[Sequence[SignalEntries[SqliteEntry]]]:
        """Signals of which something is due and no earlier turn waits, in order of due."""
        at = micros(now)
        with self._connection.writing() as db:
            see_to_odd(db, now)
            seen: set[str] = set()
            places: list[int] = []
            with closing(db.execute(_DUE, (pointer.stream, pointer.destination, at))) as found:
                for place, key, first_due in found:
                    if first_due > at or key in seen:
                        continue
                    seen.add(key)
                    places.append(place)
                    if len(places) >= min(limit, _AT_A_TIME):
                        yield self._signals(db, places, now)
                        places = []
            if places:
                yield self._signals(db, places, now)

    async def signals_of(
        self, entries: Sequence[SqliteEntry], turn: int | None = None
    ) -> Sequence[SignalEntries[SqliteEntry]]:
        """The signals of some entries as they are now, each once."""
        with self._connection.writing() as db:
            return self._signals(db, [one.rowid for one in entries], self._clock())

    def _signals(
        self, db: sqlite3.Connection, places: Sequence[int], now: datetime
    ) -> list[SignalEntries[SqliteEntry]]:
        """The signals of some rows, in the order of these: what is open, and what is closed where it is asked for."""
        signals = _by_signal(db, places, _OPEN, now)
        with_closed = [next(iter(one.values())).rowid for one in signals.values() if asks_for_closed(one.values())]
        if with_closed:
            signals |= _by_signal(db, with_closed, _ALL, now)
        return [SignalEntries(list(one.values())) for one in signals.values()]

    async def move(self, moves: Sequence[Move[SqliteEntry]]) -> Sequence[SqliteEntry | None]:
        """Makes moves, each by itself; returns the entries as they are now, None for one that was not as before any more."""
        with self._connection.writing() as db:
            if db.executemany(UPDATE, map(update, moves)).rowcount == len(moves):
                return [one.after for one in moves]
            stored = {one.rowid: one for one in _entries(db, [one.before.rowid for one in moves])}
        return [one.after if _is_same(one.after, stored.get(one.after.rowid)) else None for one in moves]

    async def move_together(self, moves: Sequence[Move[SqliteEntry]]) -> bool:
        """Makes moves of one signal, all or none; nobody else changes anything inside a transaction."""
        return None not in await self.move(moves)

    async def move_in_order(self, signals: Sequence[Sequence[Move[SqliteEntry]]]) -> Sequence[bool]:
        """Makes the moves of some signals."""
        await self.move([move for moves in signals for move in moves])
        return [True] * len(signals)

    async def claims(self, entries: Sequence[SqliteEntry]) -> Sequence[Claim | Undecodable | StoreError]:
        """The claims that entries stand for, read whole."""
        with self._connection.reading() as db:
            found = columns_of(db.execute(_CLAIMS, (json.dumps([one.rowid for one in entries]),)))
        rows = {row.raw("place"): row for row in found}
        return [attempt(claim_of, rows[one.rowid], one) for one in entries]

    async def read(self, entries: Sequence[SqliteEntry]) -> Sequence[Delivery | Undecodable]:
        """The deliveries of some entries."""
        with self._connection.reading() as db:
            rows = {row.raw("place"): row for row in _whole(db, [one.rowid for one in entries])}
        return [attempt(delivery_of, rows[one.rowid]) for one in entries]

    async def set_aside(self, entry: SqliteEntry, why: Undecodable) -> None:
        """Keeps the row of a delivery whole that cannot be decoded."""
        with self._connection.writing() as db:
            for row in _whole(db, [entry.rowid]):
                keep(db, quarantine_entry_of(damaged_row(row, why), self._clock()))

    async def find_all(self, deliveries: Sequence[Delivery]) -> Sequence[SqliteEntry]:
        """The entries of those deliveries that are there."""
        with self._connection.reading() as db:
            ids = json.dumps([one.id for one in deliveries])
            rows = columns_of(db.execute(f"{_ENTRIES} WHERE id IN ({_THOSE})", (ids,)))
        return _sound(rows)

    async def history(self, entry: SqliteEntry) -> Sequence[SqliteEntry]:
        """Every entry of the same signal at the same destination."""
        with self._connection.reading() as db:
            places, states = json.dumps([entry.rowid]), json.dumps(_ALL)
            return _sound(columns_of(db.execute(_SIGNALS, (places, states))))

    async def note_delivered(self, takers: Collection[tuple[str, str]]) -> None:
        """Remembers that destinations, each with its stream, took a delivery."""
        with self._connection.writing() as db:
            db.executemany("INSERT OR IGNORE INTO reached (stream, destination) VALUES (?,?)", takers)

    async def point(self, entries: Sequence[SqliteEntry], now: datetime) -> None:
        """Does nothing: what is due is found by its index."""

    async def point_soon(self, entries: Sequence[SqliteEntry]) -> None:
        """Does nothing."""

    async def dead(self) -> Sequence[DeadLetter | DamagedLetter]:
        """The dead letters, oldest first; those that are damaged, and not given up on yet, among them."""
        with self._connection.reading() as db:
            found = columns_of(
                db.execute(f"SELECT {COLUMNS} FROM {WITH_PAYLOAD} WHERE d.state='dead' ORDER BY d.settled, d.id")
            )
            found += columns_of(
                db.execute(f"SELECT {COLUMNS} FROM {WITH_PAYLOAD} WHERE d.rowid IN ({ODD}) AND d.state<>'dead'")
            )
        letters = [(row, letter_of(row)) for row in found]
        return [
            letter
            for row, letter in letters
            if row.raw("state") == DeliveryState.DEAD
            or isinstance(letter, DamagedLetter)
            or isinstance(attempt(row.word, "state", DeliveryState), Undecodable)
        ]

    async def find_letter(self, id: str, now: datetime) -> SqliteEntry | DamagedLetter | None:
        """The dead letter of an id."""
        with self._connection.writing() as db:
            see_to_odd(db, now)
            found = _find_dead(db, id)
        if found is None:
            return None
        letter, entry = letter_of(found), attempt(entry_of, found)
        if isinstance(letter, DamagedLetter):
            return letter
        return entry if isinstance(entry, SqliteEntry) else None

    async def discard_damaged(self, id: str, now: datetime) -> bool:
        """Takes a dead letter off the list that cannot be decoded; False if there is none."""
        with self._connection.writing() as db:
            found = _find_dead(db, id)
            return found is not None and take_off(db, found, now)

    async def open_since(
        self, stream: str, names: Collection[str], born_until: datetime, now: datetime, *, others: bool = False
    ) -> AsyncGenerator[Sequence[SqliteEntry]]:
        """What has been owed since an instant or longer to destinations of those names, or to all others; some at a time."""
        among = f"destination {'NOT ' if others else ''}IN ({_THOSE})"
        where = f"INDEXED BY due WHERE stream=? AND {IS_OPEN} AND born<=? AND {among}"
        with self._connection.writing() as db:
            see_to_odd(db, now)
            values = (stream, micros(born_until), json.dumps(list(names)))
            places = [place for (place,) in db.execute(f"SELECT rowid FROM deliveries {where}", values)]
            for start in range(0, len(places), _AT_A_TIME):
                yield _entries(db, places[start : start + _AT_A_TIME])

    async def with_impossible_times(self, now: datetime) -> AsyncGenerator[Sequence[SqliteEntry]]:
        """Open entries that only a wrong clock can have written so; some at a time."""
        with self._connection.writing() as db:
            see_to_odd(db, now)
            places = with_impossible_times(db, now)
            for start in range(0, len(places), _AT_A_TIME):
                yield _entries(db, places[start : start + _AT_A_TIME])

    async def claimed(self) -> Sequence[SqliteEntry]:
        """Every entry that is claimed."""
        with self._connection.reading() as db:
            where = f"INDEXED BY due WHERE {IS_OPEN} AND state IN ({_THOSE})"
            states = json.dumps([DeliveryState.CLAIMED.value])
            return _sound(columns_of(db.execute(f"{_ENTRIES} {where}", (states,))))

    async def died_after(self, instant: datetime) -> Sequence[SqliteEntry]:
        """The dead letters that died after an instant."""
        with self._connection.reading() as db:
            return _entries(db, died_after(db, instant))


def _by_signal(
    db: sqlite3.Connection, places: Sequence[int], states: Iterable[str], now: datetime
) -> dict[str, dict[int, SqliteEntry]]:
    """The entries of the signals of some rows, by their keys and turns; one that cannot be decoded is given up on."""
    signals: dict[str, dict[int, SqliteEntry]] = {}
    for row in columns_of(db.execute(_SIGNALS, (json.dumps(places), json.dumps(list(states))))):
        entry = attempt(entry_of, row)
        if isinstance(entry, SqliteEntry):
            signals.setdefault(row.raw("key"), {})[entry.turn] = entry
        elif row.raw("state") in _OPEN:
            for whole in _whole(db, [row.raw("place")]):
                park(db, whole, entry, now)
    return signals


def _entries(db: sqlite3.Connection, places: Sequence[int]) -> list[SqliteEntry]:
    return _sound(columns_of(db.execute(f"{_ENTRIES} WHERE rowid IN ({_THOSE})", (json.dumps(places),))))


def _sound(rows: Iterable[Columns]) -> list[SqliteEntry]:
    return [entry for row in rows if isinstance(entry := attempt(entry_of, row), SqliteEntry)]


def _whole(db: sqlite3.Connection, places: Sequence[int]) -> list[Columns]:
    sql = f"SELECT {COLUMNS} FROM {WITH_PAYLOAD} WHERE d.rowid IN ({_THOSE})"
    return columns_of(db.execute(sql, (json.dumps(places),)))


def _is_same(one: SqliteEntry, other: SqliteEntry | None) -> bool:
    """Whether an entry is what is stored, as far as that is kept."""
    return other is not None and replace(one, claim="", due=other.due) == other


def _find_dead(db: sqlite3.Connection, id: str) -> Columns | None:
    """The dead letter of that id, by the id under which it is listed."""
    dead = f"SELECT {COLUMNS} FROM {WITH_PAYLOAD} WHERE d.state='dead' AND "
    found = columns_of(db.execute(f"{dead} d.id=?", (id,)))
    if not found:
        # One whose id is damaged is listed under what can be shown of it.
        found = [row for row in columns_of(db.execute(f"{dead} 1=1")) if letter_id(row) == id]
    return found[0] if found else None
