"""Enters decisions that are on record among the look-ups, and counts each of them once.

The row by time is created in one transaction with the count, and never overwritten. So whoever puts a decision on record
once more, after an answer that got lost or beside another worker, sees from that row that it is counted already.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from uuid import uuid4

from router.domain.counts import cell_of, decided_at, hour_of
from router.domain.errors import StoreError
from router.store.azure.count_rows import Counts, count_entity, count_row, counts_of, packed
from router.store.azure.lookup_rows import LookupKey, RecordedDecision, unit_of
from router.store.azure.tables import MOST_ROWS, Step, Table, Unit
from router.store.azure.transactions import MOST_BYTES, size_of
from router.store.cells import text_of

_MOST_COUNTS = 400 * 1024
"""Bytes of a transaction that are left to the rows of counts."""

_MOST_HOURS = 4
"""Hours that one transaction counts in."""

_MOST_TEXTS = 25_000
"""Bytes of new cells that one transaction counts in: whatever they say, a row holds them."""

_MOST_KEPT = 8
"""Hours of a partition whose rows are remembered."""

_TRIES = 10
"""How often a transaction is made again that somebody was in the way of."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of counts of this process, as it was last written.

    Attributes:
        key: its row key.
        counts: what it holds.
        version: its version; None where it is not written yet.
    """

    key: str
    counts: Counts = field(default_factory=Counts)
    version: str | None = None


class _Shard:
    """The rows of counts that this process has in one partition. Only who holds `lock` changes them."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.rows: OrderedDict[datetime, _Row] = OrderedDict()


class AzureLookups:
    """The table `lookups` as the record writes it; raises StoreError."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._worker = uuid4().hex
        self._numbers = count(1)
        self._shards: dict[str, _Shard] = defaultdict(_Shard)

    async def enter(self, decisions: Sequence[RecordedDecision], *, are_new: bool) -> None:
        """Enters decisions, each once; those that are not new are looked for first, since most are entered already."""
        if not are_new:
            decisions = await self._missing_of(decisions)
        by_partition: dict[str, dict[str, RecordedDecision]] = defaultdict(dict)
        for one in decisions:
            by_partition[one.lookup_key.partition].setdefault(one.lookup_key.row, one)
        await asyncio.gather(*(self._enter(partition, some) for partition, some in by_partition.items()))

    async def missing(self, keys: Iterable[LookupKey]) -> list[LookupKey]:
        """Those keys at which no decision is entered."""
        wanted = list(keys)
        spans = {(one.partition, *one.span) for one in wanted}
        found = await asyncio.gather(*(self._rows_in(*span) for span in spans))
        there = {row for rows in found for row in rows}
        return [one for one in wanted if (one.partition, one.row) not in there]

    async def _rows_in(self, partition: str, low: str, high: str) -> set[tuple[str, str]]:
        rows = self._table.rows(partition, low, high, select=("RowKey",))
        return {(partition, row["RowKey"]) async for row in rows}

    async def _missing_of(self, decisions: Sequence[RecordedDecision]) -> list[RecordedDecision]:
        missing = set(await self.missing(one.lookup_key for one in decisions))
        return [one for one in decisions if one.lookup_key in missing]

    async def _enter(self, partition: str, decisions: Mapping[str, RecordedDecision]) -> None:
        """Enters decisions of one partition, one transaction after the other."""
        shard = self._shards[partition]
        async with shard.lock:
            for chunk in _chunks(decisions.values()):
                await self._enter_chunk(partition, shard, chunk)

    async def _enter_chunk(self, partition: str, shard: _Shard, chunk: Sequence[RecordedDecision]) -> None:
        for _ in range(_TRIES):
            rows = self._counted(shard, chunk)
            steps = [step for one in chunk for step in unit_of(one)]
            counting = [_step(partition, row) for row in rows.values()]
            (versions,) = await self._table.write([(*_once(steps), *counting)])
            if versions is not None:
                last = zip(rows.items(), versions[-len(rows) :], strict=True)
                shard.rows |= {hour: _Row(row.key, row.counts, version) for (hour, row), version in last}
                while len(shard.rows) > _MOST_KEPT:
                    shard.rows.popitem(last=False)
                return
            # An answer was lost, another worker was faster, or a sweep added the counts up meanwhile.
            chunk = await self._missing_of(chunk)
            if not chunk:
                return
        raise StoreError("storage, lookups: others were in the way again and again")

    def _counted(self, shard: _Shard, chunk: Iterable[RecordedDecision]) -> dict[datetime, _Row]:
        """The rows of counts as they shall be. What is known of them is forgotten until it is certain that they are so.

        Where it is not, or where a row is full, counting goes on in a row of another name.
        """
        rows: dict[datetime, _Row] = {}
        for hour, more in counts_of(one.entry for one in chunk).items():
            row = shard.rows.pop(hour, None)
            joined = row.counts.joined(more) if row is not None else more
            if row is None or packed(joined) is None:
                row, joined = _Row(count_row(hour, f"{self._worker}.{next(self._numbers)}")), more
            rows[hour] = _Row(row.key, joined, row.version)
        return rows


def _step(partition: str, row: _Row) -> Step:
    body = packed(row.counts)
    if body is None:
        raise StoreError("storage, lookups: a transaction counts more than a row holds")
    entity = count_entity(partition, row.key, body)
    return Step("create", entity) if row.version is None else Step("replace", entity, row.version)


def _once(steps: Iterable[Step]) -> Unit:
    """Steps of which each row has one: two decisions on a signal find it alike."""
    return tuple({step.entity["RowKey"]: step for step in steps}.values())


def _chunks(decisions: Iterable[RecordedDecision]) -> Iterator[list[RecordedDecision]]:
    """Decisions as many together as one transaction takes with their counts."""
    chunk: list[RecordedDecision] = []
    load = _Load()
    for one in sorted(decisions, key=lambda one: decided_at(one.entry)):
        more = load.with_one(one)
        if chunk and not more.fits:
            yield chunk
            chunk, more = [], _Load().with_one(one)
        chunk.append(one)
        load = more
    if chunk:
        yield chunk


@dataclass(frozen=True, slots=True)
class _Load:
    """How much some decisions are: rows, bytes, hours that count them, cells that may be new."""

    rows: int = 0
    size: int = 0
    hours: frozenset[datetime] = frozenset()
    cells: frozenset[str] = frozenset()

    def with_one(self, decision: RecordedDecision) -> _Load:
        unit, entry = unit_of(decision), decision.entry
        return _Load(
            self.rows + len(unit),
            self.size + sum(map(size_of, unit)),
            self.hours | {hour_of(decided_at(entry))},
            self.cells | {text_of(cell_of(entry))},
        )

    @property
    def fits(self) -> bool:
        """Whether one transaction takes them."""
        return (
            self.rows + len(self.hours) <= MOST_ROWS
            and self.size <= MOST_BYTES - _MOST_COUNTS
            and len(self.hours) <= _MOST_HOURS
            and sum(len(cell.encode()) for cell in self.cells) <= _MOST_TEXTS
        )
