"""Counts that are long over, and the hits of rules that are there no more."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime

from router.domain.counts import Rule, RuleHits
from router.domain.retention import COUNTS, Forgotten, is_rule_forgotten
from router.store.azure.count_rows import count_span, hits_row, joined_hits
from router.store.azure.lookup_search import LookupSearch
from router.store.azure.partitions_in_use import PartitionsInUse
from router.store.azure.shards import sorting
from router.store.azure.tables import Step, Table, keys_of, version_of

_AT_A_TIME = 300
"""Rows of counts of each partition that one step takes away."""


class OldCounts:
    """Forgets counts in the table `lookups`; raises StoreError."""

    def __init__(self, table: Table, search: LookupSearch, in_use: PartitionsInUse) -> None:
        self._table = table
        self._in_use = in_use
        self._search = search

    async def forget(self, now: datetime, rules: Collection[Rule]) -> Forgotten:
        """Takes away some counts of hours that are long over, and hits of rules that are there no more."""
        partitions = self._in_use.known
        gone = await asyncio.gather(*(self._hours(partition, now) for partition in partitions))
        return Forgotten(counts=sum(gone) + await self._hits(partitions, now, rules))

    async def _hours(self, partition: str, now: datetime) -> int:
        low, high = count_span(None, now - COUNTS)
        # An hour goes when its beginning is that long ago, to the instant.
        rows = await self._table.some(partition, low, f"{high};", _AT_A_TIME, select=("PartitionKey", "RowKey"))
        written = await self._table.write([(Step("delete", keys_of(row), version_of(row)),) for row in rows])
        return len(written) - written.count(None)

    async def _hits(self, partitions: Sequence[str], now: datetime, rules: Collection[Rule]) -> int:
        """A rule has hits in several partitions, and goes by the last of them all."""
        found = await asyncio.gather(*map(self._search.hits_in, partitions))
        total: dict[Rule, RuleHits] = {}
        for hits in found:
            total = joined_hits(total, hits)
        over = {rule for rule, hits in total.items() if is_rule_forgotten(rule, hits, rules, now)}
        keys = [
            (partition, hits_row(rule))
            for partition, hits in zip(partitions, found, strict=True)
            for rule in over & hits.keys()
        ]
        stored = await self._table.find_all(keys, ("PartitionKey", "RowKey", "last"))
        old = [row for row in stored.values() if str(row.get("last")) <= sorting(now - COUNTS)]
        await self._table.write([(Step("delete", keys_of(row), version_of(row)),) for row in old])
        return len(over)
