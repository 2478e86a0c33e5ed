"""Which partitions of look-ups hold anything: of the others nobody has to ask for each kind of rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import groupby

from router.store.azure.lookup_rows import PARTITIONS
from router.store.azure.tables import Table


class PartitionsInUse:
    """Finds the partitions in use; raises StoreError. One that was ever found counts as in use for ever."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._found: set[str] = set()

    async def all(self) -> list[str]:
        """Every partition in which something was written before this was called. Asks nothing once all were found."""
        runs = groupby(PARTITIONS, lambda one: (one.rpartition(".")[0], one in self._found))
        await asyncio.gather(*(self._look_through(list(run)) for (_, is_found), run in runs if not is_found))
        return self.known

    @property
    def known(self) -> list[str]:
        """Those that were found so far."""
        return [one for one in PARTITIONS if one in self._found]

    async def _look_through(self, run: Sequence[str]) -> None:
        """Skips from one partition in use to the next, among neighbours."""
        while run:
            found = await self._table.find_partition(run[0], run[-1])
            if found is None:
                return
            self._found.add(found)
            run = [one for one in run if one > found]
