"""How much is owed, dead and due, by destination or lane."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from router.domain.deliveries import Backlog, DeliveryState, NextDue
from router.domain.rulebook import Lane
from router.store.claiming import IS_FIRST
from router.store.codec import readable
from router.store.delivery_rows import IS_OPEN
from router.store.engine import Engine
from router.store.instants import EPOCH, instant, micros

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

_COUNT_DUE = " UNION ALL ".join(
    f"SELECT '{lane.value}' AS lane, count(*) AS many FROM (SELECT 1 FROM deliveries INDEXED BY due "
    f"WHERE stream=? AND lane='{lane.value}' AND {IS_OPEN} AND due<=? LIMIT ?) AS {lane.value}s"
    for lane in Lane
)

_NEXT_WITHIN = f"""
SELECT min(d.due) FROM deliveries d INDEXED BY due
WHERE d.stream=? AND d.lane=? AND d.{IS_OPEN} AND d.state='owed' AND d.due<=? AND d.destination <> ALL(?) AND {IS_FIRST}
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

    async def count_due(self, stream: str, now: datetime, most: int) -> Mapping[Lane, int]:
        """Return how many deliveries of a stream are due in each lane, at most so many of each.

        Those that wait for an earlier turn count too, and so do those to destinations that are paused or held.
        """
        async with self._engine.session() as tx:
            rows = await tx.fetch(_COUNT_DUE, *(stream, micros(now), most) * len(Lane))
        return {row.word("lane", Lane): row.whole("many") for row in rows}

    async def next_due_within(
        self, stream: str, lane: Lane, now: datetime, within: timedelta, but: Collection[str] = ()
    ) -> datetime | None:
        """Return when the next delivery in a lane is due, where that is until `within` from now; None where none is.

        One that waits for an earlier turn, that is in flight, or whose destination is one of `but` does not count.
        """
        async with self._engine.session() as tx:
            due = await tx.value(_NEXT_WITHIN, stream, lane.value, micros(now + within), list(but))
        return instant(due) if due is not None else None
