"""Finds decisions, signals and counts in the table `lookups`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

from router.domain.counts import Cell, Rule, RuleHits
from router.domain.decisions import Outcome
from router.domain.lookups import SignalAtResource, SignalLookup, ending
from router.store.azure.count_rows import (
    OPEN,
    Counts,
    count_span,
    counts_in,
    hour_in,
    joined_hits,
    rule_hits_in,
)
from router.store.azure.damaged_rows import RowQuarantine
from router.store.azure.decision_walk import DecisionWalk, KeyPage
from router.store.azure.lookup_rows import (
    LONGEST_TEXT,
    PARTITIONS,
    LookupKind,
    at_resource_in,
    end_prefix,
    instant_in,
    lookup_in,
    partitions_for,
    partitions_of,
    span_of,
    time_span,
)
from router.store.azure.partitions_in_use import PartitionsInUse
from router.store.azure.tables import AFTER, Entity, Table, each
from router.store.row_reader import Columns

TABLE = "lookups"

_FIRST_WINDOW = timedelta(minutes=15)
"""How far back is looked first; keys ascend, so that the latest are found from the end of a span."""

_GROWTH = 4
_WINDOWS = 10
"""How much more each further look takes, and how many looks there are: the last takes whatever is left after two years."""

_TRIES = 10
"""How often hits are read again that a sweep adds up meanwhile."""

type Reader[T] = Callable[[Columns], T]

type _Found = tuple[datetime, str, str]
"""When a decision was made, the key of its row, and its key on record."""


class LookupSearch:
    """Reads look-ups; raises StoreError. Rows that are damaged are put aside."""

    def __init__(self, table: Table, aside: RowQuarantine, in_use: PartitionsInUse) -> None:
        self._table = table
        self._in_use = in_use
        self._aside = aside

    async def decisions_of(self, signal: str, most: int) -> list[str]:
        """The keys on record of the latest decisions on a signal, the latest first."""
        span = span_of(LookupKind.DECISION, signal)
        found = await asyncio.gather(*(self._decisions(partition, *span) for partition in partitions_for(signal)))
        return _latest(found, most)

    async def decisions_between(
        self, since: datetime, until: datetime, most: int, outcomes: Collection[Outcome]
    ) -> list[str]:
        """The keys on record of the latest decisions in a span of time, the latest first."""
        keys: list[str] = []
        partitions = await self._in_use.all()
        window = _FIRST_WINDOW
        for number in range(_WINDOWS):
            low = max(since, until - window) if number < _WINDOWS - 1 else since
            spans = [time_span(outcome.value, low, until) for outcome in outcomes]
            found = await asyncio.gather(
                *(self._decisions(partition, *span) for partition in partitions for span in spans)
            )
            keys += _latest(found, most - len(keys))
            if len(keys) >= most or low == since:
                break
            until, window = low, _GROWTH * window
        return keys

    def walk_decisions(
        self, stream: str, since: datetime, until: datetime, outcomes: Collection[Outcome]
    ) -> AsyncIterator[KeyPage]:
        """The keys on record of the decisions of a stream in a span of time, in pages, the latest first."""
        return DecisionWalk(self._table, self._aside).key_pages(stream, since, until, outcomes)

    async def _decisions(self, partition: str, low: str, high: str) -> list[_Found]:
        def decision_in(row: Columns) -> _Found:
            key = row.text("RowKey")
            return instant_in(key), key, row.text("key")

        return await self._sound(self._table.rows(partition, low, high, select=_KEYS), decision_in)

    async def find_signals(
        self, kind: LookupKind, text: str, most: int, stream: str | None = None
    ) -> list[SignalLookup]:
        """The signals whose id or resource is a text or ends so, of a stream or of any; whole ones first."""
        end = ending(text)
        if not end or most < 1:
            return []
        prefix = end_prefix(kind, end)
        partitions = PARTITIONS if stream is None else partitions_of(stream)
        found = await self._signals(partitions, f"{prefix}:", most)
        if len(found) < most:
            found += await self._signals(partitions, prefix, most)
        asked = (one.id if kind is LookupKind.ID else one.resource for one in found)
        # What is longer than a key is compared here.
        ending_so = [one for one, whole in zip(found, asked, strict=True) if whole[::-1].startswith(end[:LONGEST_TEXT])]
        return list({one.signal: one for one in ending_so}.values())[:most]

    async def signals_at(self, stream: str, resource: str, most: int) -> list[SignalAtResource]:
        """Signals of a stream at exactly that resource: a request to each partition of the stream."""
        end = ending(resource)
        if not end or most < 1:
            return []
        prefix = f"{end_prefix(LookupKind.RESOURCE, end)}:"
        found = await asyncio.gather(
            *(
                self._table.some(partition, prefix, prefix + AFTER, most, select=_AT_RESOURCE)
                for partition in partitions_of(stream)
            )
        )
        # What is longer than a key is compared here.
        rows = [row for some in found for row in some if row.get("resource") == end[:LONGEST_TEXT]]
        return (await self._sound(each(rows), at_resource_in))[:most]

    async def _signals(self, partitions: Collection[str], prefix: str, most: int) -> list[SignalLookup]:
        found = await asyncio.gather(
            *(self._table.some(partition, prefix, prefix + AFTER, most) for partition in partitions)
        )
        rows = sorted((row for some in found for row in some), key=lambda row: str(row["RowKey"]))
        return await self._sound(each(rows), lookup_in)

    async def read_counts(self, since: datetime, until: datetime) -> Mapping[datetime, Mapping[Cell, int]]:
        """How many decisions are in each cell of the hours that began from one instant to before another."""
        span = count_span(since, until)
        found = await asyncio.gather(*(self._counts(partition, *span) for partition in PARTITIONS))
        hours: dict[datetime, Counter[Cell]] = {}
        for hour, counts in sorted(((hour, one) for some in found for hour, one in some), key=lambda one: one[0]):
            hours.setdefault(hour, Counter()).update(counts.in_cells())
        return hours

    async def _counts(self, partition: str, low: str, high: str) -> list[tuple[datetime, Counts]]:
        opened = await self._open_rows(partition, low, high)
        for _ in range(_TRIES):
            rows = self._table.rows(partition, low, high)
            found = await self._sound(rows, lambda row: (hour_in(row), counts_in(row)))
            again = await self._open_rows(partition, low, high) if opened else opened
            if opened <= again:
                break
            # A sweep added some of them up meanwhile, maybe between two pages: to a sum that was read before.
            opened = again
        return found

    async def _open_rows(self, partition: str, low: str, high: str) -> set[str]:
        """The keys of the rows of counts that some worker may still add to."""
        rows = self._table.rows(partition, low, high, where=OPEN, select=("RowKey",))
        return {str(row["RowKey"]) async for row in rows}

    async def read_hits(self, stream: str) -> dict[str, RuleHits]:
        """How often each rule of a stream ever held a signal, by its name."""
        total: dict[Rule, RuleHits] = {}
        for hits in await asyncio.gather(*map(self.hits_in, partitions_of(stream))):
            total = joined_hits(total, hits)
        return {name: hits for (_, name), hits in total.items()}

    async def hits_in(self, partition: str) -> dict[Rule, RuleHits]:
        """The hits of rules in a partition: those that are added up, and those that workers still count."""
        opened = await self._open(partition)
        for _ in range(_TRIES):
            added_up = await self._sound(self._table.rows(partition, *span_of(LookupKind.HITS)), rule_hits_in)
            again = await self._open(partition) if opened else opened
            if opened.keys() <= again.keys():
                break
            # A sweep added some of them up meanwhile.
            opened = again
        total = dict(added_up)
        for counts in opened.values():
            total = joined_hits(total, counts.hits)
        return total

    async def _open(self, partition: str) -> dict[str, Counts]:
        low, high = span_of(LookupKind.COUNT)
        rows = self._table.rows(partition, low, high, where=OPEN)
        return dict(await self._sound(rows, lambda row: (row.text("RowKey"), counts_in(row))))

    async def _sound[T](self, rows: AsyncIterator[Entity], read: Reader[T]) -> list[T]:
        return await self._aside.sound(self._table, TABLE, rows, read)


_AT_RESOURCE = ("PartitionKey", "RowKey", "signal", "id", "resource", "type", "sample", "decided")

_KEYS = ("PartitionKey", "RowKey", "key")


def _latest(found: Sequence[Sequence[_Found]], most: int) -> list[str]:
    """The keys on record of the latest decisions, the latest first."""
    ordered = sorted((one for some in found for one in some), reverse=True)
    return [key for _, _, key in ordered[: max(most, 0)]]
