"""Adds up what workers counted in hours that are over, and the hits of rules in their lives.

One transaction writes the sums and takes away the rows that were added up, so that at every instant each decision is counted
once. A worker that comes late counts in a row of its own again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce
from itertools import groupby, islice

from router.domain.counts import Rule, RuleHits, hour_of
from router.store.azure.count_rows import (
    OPEN,
    Counts,
    count_entity,
    count_row,
    count_span,
    counts_in,
    hits_entity,
    hits_row,
    hour_in,
    next_sum,
    packed,
    rule_hits_in,
)
from router.store.azure.damaged_rows import RowQuarantine
from router.store.azure.lookup_search import TABLE
from router.store.azure.partitions_in_use import PartitionsInUse
from router.store.azure.tables import Entity, Step, Table, each, keys_of, version_of

OVER = timedelta(hours=1)
"""How long after its end the counts of an hour are added up: nothing comes in as late, unless it is taken in anew."""

_ROWS = 30
"""Rows of workers that one transaction adds up."""

_HOURS = 20
"""Hours of a partition that one step adds up."""

_RULES = 60
"""Rules whose hits one transaction adds up."""


class Compaction:
    """Adds counts up in the table `lookups`; raises StoreError."""

    def __init__(self, table: Table, aside: RowQuarantine, in_use: PartitionsInUse) -> None:
        self._table = table
        self._in_use = in_use
        self._aside = aside

    async def add_up(self, now: datetime) -> bool:
        """Adds up some of the hours that are over; returns whether nothing is left to be added up."""
        partitions = self._in_use.known
        return all(await asyncio.gather(*(self._add_up(partition, now) for partition in partitions)))

    async def _add_up(self, partition: str, now: datetime) -> bool:
        low, high = count_span(None, hour_of(now - OVER))
        rows = await self._table.some(partition, low, high, _ROWS * _HOURS, where=OPEN)
        found = await self._aside.sound(self._table, TABLE, each(rows), lambda row: (hour_in(row), row.text("RowKey")))
        by_key = {str(row["RowKey"]): row for row in rows}
        is_done = len(rows) < _ROWS * _HOURS
        for hour, some in groupby(found, key=lambda one: one[0]):
            workers = [by_key[key] for _, key in some]
            is_done = await self._add_hour(partition, hour, workers[:_ROWS]) and len(workers) <= _ROWS and is_done
        return is_done

    async def _add_hour(self, partition: str, hour: datetime, workers: Sequence[Entity]) -> bool:
        """Adds some rows to the sum of their hour; returns whether that was done: others may do it at the same time."""
        sound = await self._counted(workers)
        low, high = count_row(hour), f"{count_row(hour)}:"
        sums = [row async for row in self._table.rows(partition, low, high)]
        last = (await self._counted(sums[-1:]))[-1:]
        for many in _halves(len(sound)):
            some = [counts for _, counts in sound[:many]]
            body = _sum(partition, hour, sums, last, some)
            hits = reduce(Counts.joined, some).hits
            if body is not None and len(hits) <= _RULES:
                gone = [Step("delete", keys_of(row), version_of(row)) for row, _ in sound[:many]]
                done = await self._write([body, *await self._hits(partition, hits), *gone])
                return done and many == len(sound)
        if sound:
            await self._thin_out(partition, *sound[0])
        return not sound

    async def _thin_out(self, partition: str, row: Entity, counts: Counts) -> None:
        """Adds up as many hits of one row as a transaction takes, and leaves the rest in it."""
        first = dict(islice(counts.hits.items(), _RULES))
        rest = Counts(counts.cells, {rule: hits for rule, hits in counts.hits.items() if rule not in first})
        if (body := packed(rest)) is not None:
            step = Step("replace", count_entity(partition, str(row["RowKey"]), body), version_of(row))
            await self._write([step, *await self._hits(partition, first)])

    async def _hits(self, partition: str, hits: Mapping[Rule, RuleHits]) -> list[Step]:
        """The changes that add hits to those of their rules."""
        found = await self._table.find_all((partition, hits_row(rule)) for rule in hits)
        read = await self._aside.sound(
            self._table, TABLE, each(found.values()), lambda row: (row.text("RowKey"), rule_hits_in(row)[1])
        )
        before = dict(read)
        versions = {key: version_of(row) for (_, key), row in found.items()}
        return [
            Step("replace", hits_entity(partition, rule, before[key].joined(more)), versions[key])
            if (key := hits_row(rule)) in before
            else Step("create", hits_entity(partition, rule, more))
            for rule, more in hits.items()
        ]

    async def _counted(self, rows: Iterable[Entity]) -> list[tuple[Entity, Counts]]:
        by_key = {str(row["RowKey"]): row for row in rows}
        read = await self._aside.sound(
            self._table, TABLE, each(by_key.values()), lambda row: (row.text("RowKey"), counts_in(row))
        )
        return [(by_key[key], counts) for key, counts in read]

    async def _write(self, steps: Sequence[Step]) -> bool:
        (written,) = await self._table.write([tuple(steps)])
        return written is not None


def _halves(many: int) -> Iterator[int]:
    while many:
        yield many
        many //= 2


def _sum(
    partition: str,
    hour: datetime,
    sums: Sequence[Entity],
    last: Sequence[tuple[Entity, Counts]],
    more: Sequence[Counts],
) -> Step | None:
    """The change of the last sum of an hour, or the next one where that is full; None where one row is too little."""
    added = Counts(reduce(lambda one, other: one.joined(other), more).cells)
    for row, counts in last:
        if (body := packed(counts.joined(added))) is not None:
            return Step("replace", count_entity(partition, str(row["RowKey"]), body), version_of(row))
    if (body := packed(added)) is None:
        return None
    return Step("create", count_entity(partition, next_sum(hour, [str(row["RowKey"]) for row in sums]), body))
