"""The record: every decision, and how many there were of which sort.

What one transaction puts on record it also counts, so that the two never differ.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice

from router.domain.counts import Cell, RuleHits, counted, decided_at, hits_in
from router.domain.decisions import Outcome
from router.domain.keys import fingerprint_of
from router.domain.ledger import message_of
from router.domain.lookback import DecisionPage, Looked
from router.domain.notices import RecordEntry
from router.store.cells import cell_in, text_of
from router.store.codec import decision_in, encode
from router.store.engine import Engine, Transaction
from router.store.instants import Clock, instant, micros
from router.store.lookups import SqlLookups, enter_lookups
from router.store.quarantine import read_sound
from router.store.row_reader import Columns

_INSERT = """
INSERT INTO record (key, message, at, outcome, body, stream, signal, turn, decided) VALUES (?,?,?,?,?,?,?,?,?)
ON CONFLICT (key) DO NOTHING
"""

_COUNT = """
INSERT INTO counts (hour, id, cell, count) VALUES (?,?,?,?)
ON CONFLICT (hour, id) DO UPDATE SET count=counts.count+excluded.count
"""

_HITS = """
INSERT INTO hits (stream, rule, total, first, last) VALUES (?,?,?,?,?) ON CONFLICT (stream, rule) DO UPDATE
SET total=hits.total+excluded.total,
first=CASE WHEN excluded.first<hits.first THEN excluded.first ELSE hits.first END,
last=CASE WHEN excluded.last>hits.last THEN excluded.last ELSE hits.last END
"""

_EARLIER = """
SELECT decided, place FROM record WHERE outcome=? AND decided>=? AND (decided, place)<(?, ?) AND stream=?
ORDER BY decided DESC, place DESC LIMIT ?
"""

_PAGE = 500
"""Decisions of a page of a walk."""

type _Row = tuple[int, int]
"""When a decision was made, and the number of its row, which tells it from those of the same instant."""


class SqlRecord(SqlLookups):
    """Every decision in `record`, how many there were in `counts` and `hits`; every method raises StoreError."""

    def __init__(self, engine: Engine, clock: Clock, page: int = _PAGE) -> None:
        super().__init__(engine, clock)
        self._page = page

    async def put_on_record(self, entries: Sequence[RecordEntry]) -> None:
        """Put decisions on record, create-if-absent by their key: a message's first outcome is its outcome."""
        if not entries:
            return
        async with self._engine.transaction() as tx:
            fresh = await _fresh(tx, entries)
            await tx.execute_many(_INSERT, map(_row_of, fresh))
            await enter_lookups(tx, fresh)
            # The rows that most transactions write come last: who waits holds none of them.
            await _count(tx, fresh)

    async def find_outcomes(self, keys: Collection[str]) -> Mapping[str, Outcome]:
        """Return the latest outcomes of those messages that are on record."""
        if not keys:
            return {}
        sql = "SELECT key, message, outcome FROM record WHERE message = ANY(?) ORDER BY place"
        async with self._engine.session() as tx:
            return dict(await read_sound(tx, "record", sql, (list(keys),), _outcome_in))

    async def decisions_of(self, signal: str, most: int) -> Sequence[RecordEntry]:
        """Return the latest decisions on a signal, by its key; the latest first."""
        sql = "SELECT key, body FROM record WHERE signal=? ORDER BY decided DESC, place DESC LIMIT ?"
        return await self._decisions(sql, signal, most)

    async def decisions_between(
        self, since: datetime, until: datetime, most: int, outcomes: Collection[Outcome] = frozenset(Outcome)
    ) -> Sequence[RecordEntry]:
        """Return the latest decisions from one instant to before another, with one of some outcomes; the latest first."""
        sql = "SELECT key, body FROM record WHERE outcome=? AND decided>=? AND decided<? ORDER BY decided DESC LIMIT ?"
        span = micros(since), micros(until), most
        found = [await self._decisions(sql, outcome.value, *span) for outcome in outcomes]
        return list(islice(merge(*found, key=decided_at, reverse=True), most))

    async def walk_decisions(
        self, stream: str, since: datetime, until: datetime, outcomes: Collection[Outcome]
    ) -> AsyncIterator[DecisionPage]:
        """Yield the decisions of a stream in a span of time, in pages, the latest first: all of them."""
        whole = "SELECT key, body FROM record WHERE place = ANY(?) ORDER BY decided DESC, place DESC"
        before: _Row = (micros(until), -1)
        while True:
            places = await self._earlier(stream, micros(since), before, outcomes)
            entries = await self._decisions(whole, [place for _, place in places])
            if len(places) < self._page:
                yield DecisionPage(entries, Looked(since, is_whole=True))
                return
            before = places[-1]
            yield DecisionPage(entries, Looked(instant(before[0]), is_whole=False))

    async def read_counts(self, since: datetime, until: datetime) -> Mapping[datetime, Mapping[Cell, int]]:
        """Return how many decisions are in each cell, for each hour that began from one instant to before another."""
        sql, span = "SELECT * FROM counts WHERE hour>=? AND hour<? ORDER BY hour", (micros(since), micros(until))
        hours: dict[datetime, dict[Cell, int]] = {}
        async with self._engine.session() as tx:
            found = await read_sound(tx, "counts", sql, span, _count_in)
        for hour, cell, count in found:
            hours.setdefault(hour, {})[cell] = count
        return hours

    async def read_hits(self, stream: str) -> Mapping[str, RuleHits]:
        """Return how often each suppression rule of a stream ever held a signal, by its name."""
        sql = "SELECT * FROM hits WHERE stream=?"
        async with self._engine.session() as tx:
            return dict(await read_sound(tx, "hits", sql, (stream,), _hits_in))

    async def _decisions(self, sql: str, *values: object) -> list[RecordEntry]:
        async with self._engine.session() as tx:
            return await read_sound(tx, "record", sql, values, _decision_in)

    async def _earlier(self, stream: str, since: int, before: _Row, outcomes: Collection[Outcome]) -> list[_Row]:
        """The places of the latest decisions before one, a page of them."""
        async with self._engine.session() as tx:
            found = [
                [
                    (row.raw("decided"), row.raw("place"))
                    for row in await tx.fetch(_EARLIER, outcome.value, since, *before, stream, self._page)
                ]
                for outcome in outcomes
            ]
        return list(islice(merge(*found, reverse=True), self._page))


async def _fresh(tx: Transaction, entries: Sequence[RecordEntry]) -> list[RecordEntry]:
    """Those entries that are not on record yet, each key once, in the order of their keys."""
    first: dict[str, RecordEntry] = {}
    for entry in entries:
        first.setdefault(entry.key, entry)
    known = {row.raw("key") for row in await tx.fetch("SELECT key FROM record WHERE key = ANY(?)", list(first))}
    return [first[key] for key in sorted(first) if key not in known]


async def _count(tx: Transaction, entries: Sequence[RecordEntry]) -> None:
    cells = [
        (micros(hour), fingerprint_of(text), text, count)
        for hour, counts in counted(entries).items()
        for text, count in ((text_of(cell), count) for cell, count in counts.items())
    ]
    await tx.execute_many(_COUNT, sorted(cells))
    hits = [(*rule, one.total, micros(one.first), micros(one.last)) for rule, one in hits_in(entries).items()]
    await tx.execute_many(_HITS, sorted(hits))


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


def _decision_in(row: Columns) -> RecordEntry:
    return decision_in(row.body("body"))


def _outcome_in(row: Columns) -> tuple[str, Outcome]:
    return row.text("message"), row.word("outcome", Outcome)


def _count_in(row: Columns) -> tuple[datetime, Cell, int]:
    return row.time("hour"), cell_in(row.text("cell")), row.whole("count", 1)


def _hits_in(row: Columns) -> tuple[str, RuleHits]:
    return row.text("rule"), RuleHits(row.whole("total", 1), row.time("first"), row.time("last"))
