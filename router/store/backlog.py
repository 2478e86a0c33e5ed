"""How much is owed, dead and due, by destination or lane."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime

from router.domain.deliveries import Backlog, DeliveryState, NextDue
from router.domain.rulebook import Lane
from router.store.claiming import IS_FIRST
from router.store.codec import readable
from router.store.delivery_rows import IS_OPEN
from router.store.engine import Engine
from router.store.instants import EPOCH, micros
from router.store.row_reader import Columns

_COUNTS = "SELECT destination, state, count(*) AS many FROM deliveries WHERE stream=? GROUP BY destination, state"

_BACKLOG = f"""
SELECT destination, min(lane) AS lane, min(CASE WHEN {IS_OPEN} THEN born END) AS oldest,
       CAST(sum(CASE WHEN state='dead' THEN 1 ELSE 0 END) AS BIGINT) AS dead
FROM deliveries WHERE stream=? GROUP BY destination
"""

_NEXT_DUE = f"""
SELECT destination, due, error, owed FROM (
  SELECT destination, due, error, owed, row_number() OVER (PARTITION BY destination ORDER BY due, place) AS nr FROM (
    SELECT destination, due, error, place, turn, count(*) OVER (PARTITION BY destination) AS owed,
           min(turn) OVER (PARTITION BY destination, key) AS first
    FROM deliveries INDEXED BY due WHERE stream=? AND {IS_OPEN}
  ) AS waiting WHERE turn=first
) AS firsts WHERE nr=1
"""

_SOME_DUE = f"""
SELECT destination FROM deliveries INDEXED BY due WHERE stream=? AND destination=? AND {IS_OPEN} AND due<=? LIMIT ?
"""

_FIRST_DUE = f"""
SELECT d.destination, d.due FROM deliveries d INDEXED BY due WHERE d.stream=? AND d.destination=? AND d.{IS_OPEN} AND {IS_FIRST}
ORDER BY d.due LIMIT 1
"""


class Backlogs:
    """Counts what is owed, dead and due; raises StoreError."""

    _engine: Engine

    async def counts(self, stream: str) -> Mapping[tuple[str, DeliveryState], int]:
        """Return how many deliveries there are by destination and state; one whose state is damaged is as good as dead."""
        async with self._engine.session() as tx:
            rows = await tx.fetch(_COUNTS, stream)
        total: Counter[tuple[str, DeliveryState]] = Counter()
        for row in rows:
            state = readable(DeliveryState.DEAD, row.word, "state", DeliveryState)
            total[row.words("destination"), state] += row.whole("many")
        return dict(total)

    async def next_due(self, stream: str) -> Mapping[str, NextDue]:
        """Return when each destination that is owed something is next due; what waits for an earlier turn does not count."""
        async with self._engine.session() as tx:
            rows = await tx.fetch(_NEXT_DUE, stream)
        return {
            row.words("destination"): NextDue(
                # What is damaged is seen to at once.
                readable(EPOCH, row.time, "due"),
                row.words("error") or None,
                row.whole("owed"),
            )
            for row in rows
        }

    async def backlog(self, stream: str) -> Mapping[str, Backlog]:
        """Return what is open and what is dead by destination, for every destination of which deliveries are kept."""
        async with self._engine.session() as tx:
            rows = await tx.fetch(_BACKLOG, stream)
        return {
            row.words("destination"): Backlog(
                readable(Lane.TICKET, row.word, "lane", Lane),
                readable(None, row.find_time, "oldest"),
                row.whole("dead"),
            )
            for row in rows
        }

    async def count_due(
        self, stream: str, destinations: Collection[str], now: datetime, most: int
    ) -> Mapping[str, int]:
        """Return how many deliveries are due at each of some destinations, counted up to so many.

        Those that wait for an earlier turn count too.
        """
        counting = [f"SELECT destination, count(*) AS many FROM ({_SOME_DUE}) AS due GROUP BY destination"] * len(
            destinations
        )
        values = [value for name in destinations for value in (stream, name, micros(now), most)]
        return {row.words("destination"): row.whole("many") for row in await self._fetch_all(counting, values)}

    async def first_due(self, stream: str, destinations: Collection[str]) -> Mapping[str, datetime]:
        """Return when each of some destinations that is owed something is next due, as `next_due` has it."""
        finding = [f"SELECT destination, due FROM ({_FIRST_DUE}) AS first"] * len(destinations)
        rows = await self._fetch_all(finding, [value for name in destinations for value in (stream, name)])
        return {row.words("destination"): readable(EPOCH, row.time, "due") for row in rows}

    async def _fetch_all(self, queries: Collection[str], values: Collection[object]) -> list[Columns]:
        """The rows of all queries, in one round trip."""
        if not queries:
            return []
        async with self._engine.session() as tx:
            return await tx.fetch(" UNION ALL ".join(queries), *values)
