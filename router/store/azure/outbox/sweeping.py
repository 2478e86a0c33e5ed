"""What runs on a clock: giving up on what is too old or has nowhere to go, and pointing at what nobody points at."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta

from router.domain.clocks import latest
from router.domain.lanes import LEASE, LONGEST, LONGEST_WAIT
from router.domain.pauses import is_probe_due
from router.domain.rulebook import Lane
from router.store.azure.outbox.deliveries import Deliveries, Move
from router.store.azure.outbox.pauses import Pauses
from router.store.azure.outbox.places import Kind, Place, Shard, text_to, text_to_all
from router.store.azure.outbox.pointers import LANES, Pointers
from router.store.azure.outbox.registry import Known, Registry
from router.store.azure.outbox.turns import given_up, is_free, set_right
from router.store.endings import NOWHERE

GRACE = timedelta(seconds=30)
"""How long after a delivery fell due its own pointer is waited for."""

FULL = 2_000
"""Pointers of which a queue has enough: those are to be seen to first."""

_MOST_LOOKED_AT = 1_000
_MOST_POINTED_AT = 250
"""Deliveries of one shard that are looked at, and pointed at, in one go."""

_AT_A_TIME = 500
"""Deliveries that are given up on together."""


class Sweeping:
    """Sweeps the deliveries of all destinations; raises StoreError. A queue with `full` pointers gets no further ones."""

    def __init__(
        self, deliveries: Deliveries, registry: Registry, pointers: Pointers, pauses: Pauses, full: int = FULL
    ) -> None:
        self._deliveries = deliveries
        self._registry = registry
        self._pointers = pointers
        self._pauses = pauses
        self._full = full

    async def repair_times(self, now: datetime) -> int:
        """Owes at once what only a wrong clock can have put off; returns how many deliveries.

        Looks at those that were owed at an instant that is not possible, and at those that are put off for longer than any
        is. What such a clock put off for less is due when a pointer comes to it, in the rows lane when its instant does.
        """
        known = await self._registry.all()
        shards = [(shard, LONGEST_WAIT[one.lane]) for one in known for shard in one.shards]
        found = await asyncio.gather(*(self._impossible(*one, now) for one in shards))
        stages = await self._deliveries.find_all({place for some in found for place in some})
        wrong = [(one, right) for one in stages if one.is_open and (right := set_right(one, now)) != one]
        moved = await self._deliveries.move([Move(one, right) for one, right in wrong])
        owed = [one for one in moved if one is not None]
        await self._pointers.point(owed, now)
        return len(owed)

    async def _impossible(self, shard: Shard, wait: timedelta, now: datetime) -> list[Place]:
        born = self._listed(shard, Kind.BORN, after=latest(now))
        due = self._listed(shard, Kind.DUE, after=latest(now, wait))
        return [place for some in await asyncio.gather(born, due) for place in some]

    async def died_of_age_after(self, instant: datetime) -> list[str]:
        """The ids of the dead letters that died after an instant, as old as they might grow or older."""
        shards = [shard for one in await self._registry.all() for shard in one.shards]
        found = await asyncio.gather(*(self._listed(shard, Kind.DEAD, after=instant) for shard in shards))
        stages = await self._deliveries.find_all(place for some in found for place in some)
        return [one.id for one in stages if one.settled is not None and one.settled - one.born >= LONGEST[one.lane]]

    async def abandon(self, stream: str, named: Collection[str], born_before: datetime, now: datetime) -> int:
        """Gives up on deliveries that old of a stream to destinations that the policy does not name; returns how many."""
        for paused in (await self._pauses.all(stream)).keys() - set(named):
            await self._pauses.resume(stream, paused)
        known = [one for one in await self._registry.all(stream) if one.destination not in named]
        return await self._give_up(await self._places(known, Kind.BORN, born_before), NOWHERE, now)

    async def aged(self, stream: str, destination: str, born_until: datetime) -> list[Place]:
        """The open deliveries that a destination was owed until an instant."""
        return await self._places([Known(stream, destination, Lane.PAGE, "")], Kind.BORN, born_until)

    async def give_up(self, places: Sequence[Place], ending: str, now: datetime) -> int:
        """Gives up on those of some deliveries that are still open and that nobody has; returns how many."""
        return await self._give_up(places, ending, now)

    async def _places(self, known: Iterable[Known], index: Kind, last: datetime) -> list[Place]:
        shards = [shard for one in known for shard in one.shards]
        found = await asyncio.gather(*(self._listed(shard, index, last) for shard in shards))
        return [place for some in found for place in some]

    async def _listed(
        self, shard: Shard, index: Kind, last: datetime | None = None, after: datetime | None = None
    ) -> list[Place]:
        return [place async for _, place in self._deliveries.index(shard, index, last, after=after)]

    async def _give_up(self, places: Sequence[Place], ending: str, now: datetime) -> int:
        """Gives up on those that nobody has; what is claimed just now is left to its worker."""
        count = 0
        for start in range(0, len(places), _AT_A_TIME):
            stages = await self._deliveries.find_all(places[start : start + _AT_A_TIME])
            free = [stage for stage in stages if is_free(stage, now)]
            moved = await self._deliveries.move([Move(one, given_up(one, now, ending)) for one in free])
            dead = [stage for stage in moved if stage is not None]
            await self._pointers.point(await self._deliveries.after(dead), now)
            count += len(dead)
        return count

    async def repoint(self, stream: str, now: datetime, unready: Collection[str] = ()) -> int:
        """Points again at what is due and nobody claims, and at what poison queues hold; returns how many pointers.

        Pointers to what is owed at a destination that is not ready are let go.
        """
        counts = await asyncio.gather(*(self._repoint(stream, lane, now, unready) for lane in LANES[stream]))
        return sum(counts)

    async def _repoint(self, stream: str, lane: Lane, now: datetime, unready: Collection[str]) -> int:
        rescued = await self._pointers.rescue(stream, lane)
        queue = self._pointers.queue(stream, lane)
        if await queue.length() >= self._full:
            return rescued
        # Either kind of pointer leads to whatever lies there, also to what is left of another lane.
        known = [one for one in await self._registry.all(stream) if one.lane is lane]
        pauses = (await self._pauses.all(stream)).values()
        paused = [pause.destination for pause in pauses if not is_probe_due(pause, now - GRACE)]
        # What a paused destination is owed is pointed at when its probe is due: until then pointers there are let go.
        left = {*paused, *unready}
        shards = [shard for one in known if one.destination not in left for shard in one.shards]
        texts = await asyncio.gather(*(self._neglected(shard, lane, now) for shard in shards))
        return rescued + await self._pointers.send(stream, lane, [text for some in texts for text in some])

    async def _neglected(self, shard: Shard, lane: Lane, now: datetime) -> list[str]:
        """The pointers to what has been due in a shard for a while: to the first turn of each signal, or to the shard."""
        firsts: dict[str, Place] = {}
        looked_at = 0
        async with aclosing(self._deliveries.due([shard], now - GRACE, now, max(LEASE.values()))) as due:
            async for place in due:
                if lane is Lane.ROWS:
                    if await self._deliveries.is_rightly_indexed(place):
                        return [text_to_all(shard)]
                    continue
                firsts[place.signal] = min(place, firsts.get(place.signal, place), key=lambda one: one.turn)
                looked_at += 1
                if looked_at == _MOST_LOOKED_AT:
                    break
        places = list(firsts.values())[:_MOST_POINTED_AT]
        # One that is indexed and done would hide the later turns of its signal.
        right = await asyncio.gather(*map(self._deliveries.is_rightly_indexed, places))
        return [text_to(place) for place, is_right in zip(places, right, strict=True) if is_right]
