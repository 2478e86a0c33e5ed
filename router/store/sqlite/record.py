"""The record in SQLite: every decision, its counts, and what finds it again.

What one transaction puts on record it also counts, so that the two never differ.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice

from router.domain.counts import Cell, RuleHits, decided_at
from router.domain.decisions import Outcome
from router.domain.errors import Undecodable
from router.domain.ledger import message_of
from router.domain.lookback import DecisionPage
from router.domain.lookups import SignalAtResource, SignalLookup, ending, written
from router.domain.notices import RecordEntry
from router.store.cells import cell_in
from router.store.codec import attempt, encode, readable
from router.store.row_reader import Columns
from router.store.sqlite.connection import Clock, Connection
from router.store.sqlite.damaged_rows import sound
from router.store.sqlite.decision_walk import SqliteDecisionWalk
from router.store.sqlite.record_rows import enter, entry_in
from router.store.sqlite.schema import micros
from router.store.sqlite.selecting import columns_of

_BEYOND = "\U0010ffff"
"""Sorts after every text that begins as what stands before it."""

_INSERT = (
    "INSERT INTO record (key, message, at, outcome, body, stream, signal, turn, decided) VALUES (?,?,?,?,?,?,?,?,?)"
)


_AT_RESOURCE = """
SELECT l.signal, l.id_end, l.type, l.sample, (
    SELECT r.decided FROM record r WHERE r.signal=l.signal AND r.outcome<>'repeat' ORDER BY r.decided DESC LIMIT 1
) AS decided FROM lookups l WHERE l.resource_end=? AND l.stream=? LIMIT ?
"""


class SqliteRecord:
    """Every decision, in the table `record`; what finds signals in `lookups`, how many there were in `counts` and `hits`."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def put_on_record(self, entries: Sequence[RecordEntry]) -> None:
        """Puts decisions on record, create-if-absent by their key: a message's first outcome is its outcome."""
        if not entries:
            return
        with self._connection.writing() as db:
            fresh = _fresh(db, entries)
            db.executemany(_INSERT, [_row_of(entry) for entry in fresh])
            enter(db, fresh)

    async def find_outcomes(self, keys: Collection[str]) -> Mapping[str, Outcome]:
        """The latest outcomes of those messages that are on record; one that is damaged is set aside, and on record no more."""
        where = "message IN (SELECT value FROM json_each(?)) ORDER BY rowid"
        return dict(self._sound("record", where, (json.dumps(list(keys)),), _outcome, "key, message, outcome"))

    async def decisions_of(self, signal: str, most: int) -> Sequence[RecordEntry]:
        """The latest decisions on a signal, by its key; the latest first."""
        where = "signal=? ORDER BY decided DESC, rowid DESC LIMIT ?"
        return self._sound("record", where, (signal, most), entry_in)

    async def decisions_between(
        self, since: datetime, until: datetime, most: int, outcomes: Collection[Outcome] = frozenset(Outcome)
    ) -> Sequence[RecordEntry]:
        """The latest decisions from one instant to before another, with one of some outcomes; the latest first."""
        where = "outcome=? AND decided>=? AND decided<? ORDER BY decided DESC LIMIT ?"
        found = [
            self._sound("record", where, (outcome.value, micros(since), micros(until), most), entry_in)
            for outcome in outcomes
        ]
        return list(islice(merge(*found, key=decided_at, reverse=True), most))

    def walk_decisions(
        self, stream: str, since: datetime, until: datetime, outcomes: Collection[Outcome]
    ) -> AsyncIterator[DecisionPage]:
        """The decisions of a stream in a span of time, in pages, the latest first: all of them."""
        return SqliteDecisionWalk(self._connection, self._clock).pages(stream, since, until, outcomes)

    async def find_signals(self, id: str, most: int, stream: str | None = None) -> Sequence[SignalLookup]:
        """Signals of a stream, or of any, of that id, or whose id ends so, whatever its case; whole ids first."""
        return self._look_up("id_end", ending(id), most, stream)

    async def find_signals_at(self, resource: str, most: int, stream: str | None = None) -> Sequence[SignalLookup]:
        """Signals of a stream, or of any, at that resource, or at one whose id ends so, whatever its case; whole ids first."""
        return self._look_up("resource_end", ending(resource), most, stream)

    async def signals_at(self, stream: str, resource: str, most: int) -> Sequence[SignalAtResource]:
        """Signals of a stream at exactly that resource, whatever its case, at most so many. Damaged ones are left out."""
        if not (end := ending(resource)):
            return []
        with self._connection.reading() as db:
            rows = columns_of(db.execute(_AT_RESOURCE, (end, stream, most)))
        return [one for row in rows if not isinstance(one := attempt(_at_resource, row), Undecodable)]

    def _look_up(self, column: str, end: str, most: int, stream: str | None) -> list[SignalLookup]:
        if not end:
            return []
        # The + keeps SQLite on the index of endings.
        where = f"{column}>=? AND {column}<? AND (? IS NULL OR +stream=?) ORDER BY {column}, signal LIMIT ?"
        return self._sound("lookups", where, (end, end + _BEYOND, stream, stream, most), _lookup)

    async def read_counts(self, since: datetime, until: datetime) -> Mapping[datetime, Mapping[Cell, int]]:
        """How many decisions are in each cell, for each hour that began from one instant to before another."""
        where = "hour>=? AND hour<? ORDER BY hour"
        hours: dict[datetime, dict[Cell, int]] = {}
        for hour, cell, count in self._sound("counts", where, (micros(since), micros(until)), _count):
            hours.setdefault(hour, {})[cell] = count
        return hours

    async def read_hits(self, stream: str) -> Mapping[str, RuleHits]:
        """How often each suppression rule of a stream ever held a signal, by its name."""
        return dict(self._sound("hits", "stream=?", (stream,), _hits))

    def _sound[T](
        self, table: str, where: str, values: Sequence[object], read: Callable[[Columns], T], columns: str = "*"
    ) -> list[T]:
        return sound(self._connection, self._clock, table, where, values, read, columns)


def _fresh(db: sqlite3.Connection, entries: Sequence[RecordEntry]) -> list[RecordEntry]:
    """Those entries that are not on record yet, each key once."""
    first: dict[str, RecordEntry] = {}
    for entry in entries:
        first.setdefault(entry.key, entry)
    keys = json.dumps(list(first))
    known = {
        key for (key,) in db.execute("SELECT key FROM record WHERE key IN (SELECT value FROM json_each(?))", (keys,))
    }
    return [entry for entry in first.values() if entry.key not in known]


def _row_of(entry: RecordEntry) -> tuple[object, ...]:
    return (
        entry.key,
        message_of(entry.key),
        entry.at,
        entry.outcome,
        encode(entry),
        entry.stream,
        entry.signal,
        entry.turn,
        micros(decided_at(entry)),
    )


def _outcome(row: Columns) -> tuple[str, Outcome]:
    return row.text("message"), row.word("outcome", Outcome)


def _lookup(row: Columns) -> SignalLookup:
    resource = row.find_text("resource_end") or ""
    return SignalLookup(row.text("signal"), row.text("stream"), written(row.text("id_end")), written(resource))


def _at_resource(row: Columns) -> SignalAtResource:
    return SignalAtResource(
        row.text("signal"),
        written(row.text("id_end")),
        row.find_text("type"),
        # A program of before wrote neither.
        readable(None, row.flag, "sample"),
        readable(None, row.find_time, "decided"),
    )


def _count(row: Columns) -> tuple[datetime, Cell, int]:
    return row.time("hour"), cell_in(row.text("cell")), row.whole("count", 1)


def _hits(row: Columns) -> tuple[str, RuleHits]:
    return row.text("rule"), RuleHits(row.whole("total", 1), row.time("first"), row.time("last"))
