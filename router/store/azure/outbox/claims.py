"""Claiming: by a pointer to one delivery, or whatever is due in some shards.

A claim is made over the version that was read, so that of two workers one wins. What was decided on beside it, the other
turns of its signal, may change meanwhile; such a change then came after the claim, as everybody sees it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from uuid import uuid4

from router.domain.deliveries import SUSPECT, Claim, DeliveryState
from router.domain.errors import StoreError, Undecodable
from router.domain.lanes import LEASE
from router.domain.rulebook import Lane
from router.store.azure.outbox.deliveries import Deliveries, Move, Signal
from router.store.azure.outbox.in_hand import InHand
from router.store.azure.outbox.places import Place, Shard
from router.store.azure.outbox.pointers import Pointers
from router.store.azure.outbox.stages import Stage
from router.store.azure.outbox.turns import (
    claimed,
    first_open,
    given_up,
    is_deadly,
    is_ripe,
    losses_of,
    set_right,
    skipped,
    unsaid,
    untold,
)
from router.store.endings import DEADLY, damaged

UNREAD = timedelta(minutes=5)
"""How long a delivery waits whose body storage did not give."""

TRIES = 5
"""How often a worker looks again at what others change under its eyes; each of them got something done."""

_SKIPPED_TOGETHER = 30
"""Deliveries that are skipped in one transaction: three rows each, of the hundred that it takes."""

_LEAST, _MOST = 8, 200
"""Signals that are looked at together."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A delivery whose turn it is, and the signal as it was read."""

    stage: Stage
    signal: Signal


class Claims:
    """Claims deliveries; raises StoreError."""

    def __init__(self, deliveries: Deliveries, pointers: Pointers, in_hand: InHand) -> None:
        self._deliveries = deliveries
        self._pointers = pointers
        self._in_hand = in_hand

    async def at(self, place: Place, due: datetime, until: datetime) -> Sequence[Claim]:
        """Claims one delivery where it is due and its turn has come."""
        for _ in range(TRIES):
            ripe = await self._find_first(place, due)
            if ripe is None or ripe.stage.turn != place.turn or not is_ripe(ripe.stage, due, _lease(due, until)):
                return []
            if is_deadly(ripe.stage):
                await self._give_up([ripe], due)
                return []
            claims = await self._claim([ripe], due, until)
            if claims:
                return claims
        return []

    async def skip_unsaid(self, places: Sequence[Place], at: datetime) -> None:
        """Skips what need not be said any more of the signals of some deliveries."""
        signals = {(place.shard, place.signal): place for place in places}
        for some in batched(signals.values(), _MOST, strict=False):
            await asyncio.gather(*(self._find_first(place, at) for place in some))

    async def among(self, shards: Sequence[Shard], due: datetime, until: datetime, limit: int) -> Sequence[Claim]:
        """Claims up to `limit` deliveries that are due, in order of due; a suspect only where there is nothing else."""
        claims: list[Claim] = []
        aside: list[Turn] = []
        async with aclosing(self._due(shards, due, until, min(max(limit, _LEAST), _MOST))) as handfuls:
            async for places in handfuls:
                looked_at = await asyncio.gather(*(self._find_first(place, due) for place in places))
                firsts = [one for one in looked_at if one is not None]
                ripe = [one for one in firsts if is_ripe(one.stage, due, _lease(due, until))]
                await self._look_again(firsts, due)
                aside += [one for one in ripe if losses_of(one.stage) >= SUSPECT]
                safe = [one for one in ripe if losses_of(one.stage) < SUSPECT]
                claims += await self._claim(safe[: limit - len(claims)], due, until)
                if len(claims) >= limit:
                    break
        return claims or await self._claim_suspect(aside, due, until, limit)

    async def _claim_suspect(
        self, aside: Sequence[Turn], due: datetime, until: datetime, limit: int
    ) -> Sequence[Claim]:
        await self._give_up([one for one in aside if is_deadly(one.stage)], due)
        suspects = [one for one in aside if not is_deadly(one.stage)]
        return await self._claim(suspects[: min(limit, 1)], due, until)

    async def _due(
        self, shards: Sequence[Shard], due: datetime, until: datetime, most: int
    ) -> AsyncGenerator[list[Place]]:
        """One delivery of each signal that has some due, a handful at a time, in order of due within each shard."""
        seen: set[tuple[Shard, str]] = set()
        handful: list[Place] = []
        async for place in self._deliveries.due(shards, due, due, _lease(due, until)):
            if (place.shard, place.signal) in seen:
                continue
            seen.add((place.shard, place.signal))
            handful.append(place)
            if len(handful) == most:
                yield handful
                handful = []
        if handful:
            yield handful

    async def _look_again(self, firsts: Sequence[Turn], at: datetime) -> None:
        """Points a little later at shards in the rows lane where something waits for a turn that a worker has or gets.

        Its own pointer may have come already, and settling rows says nothing to what waits. Behind a turn that falls due
        later nobody has to look: whoever follows that one's pointer comes by here.
        """
        held = [one.stage for one in firsts if len(one.signal.stages) > 1 and not _is_for_later(one.stage, at)]
        shards = {one.place.shard for one in held if one.lane is Lane.ROWS}
        await asyncio.gather(*map(self._pointers.point_soon, shards))

    async def _find_first(self, place: Place, at: datetime) -> Turn | None:
        """The delivery of a signal whose turn it is; what need not be said is skipped before."""
        has_skipped = False
        for _ in range(TRIES):
            signal = await self._deliveries.signal(place)
            needless = unsaid(signal.stages)
            if needless:
                has_skipped = await self._skip(needless, at) or has_skipped
                continue
            first = first_open(signal.stages)
            if has_skipped and first is not None:
                # Its own pointer may have come while it waited for what is skipped now.
                await self._pointers.point([first], at)
            return Turn(first, signal) if first is not None else None
        return None

    async def _skip(self, needless: Sequence[Stage], at: datetime) -> bool:
        """Skips deliveries in turn order, the end last, so that what is left half done is unsaid as well."""
        for start in range(0, len(needless), _SKIPPED_TOGETHER):
            some = needless[start : start + _SKIPPED_TOGETHER]
            if not await self._deliveries.move_together([Move(one, skipped(one, at)) for one in some]):
                return start > 0
        return True

    async def _give_up(self, deadly: Sequence[Turn], at: datetime) -> None:
        moves = [Move(one.stage, given_up(one.stage, at, DEADLY)) for one in deadly]
        dead = [one for one in await self._deliveries.move(moves) if one is not None]
        await self._pointers.point(await self._deliveries.after(dead), at)

    async def _claim(self, ripe: Sequence[Turn], due: datetime, until: datetime) -> list[Claim]:
        """Claims for those that nobody else claimed meanwhile."""
        stages = await self._deliveries.move(
            [Move(one.stage, claimed(set_right(one.stage, due), until, uuid4().hex)) for one in ripe]
        )
        won = [(stage, one.signal) for one, stage in zip(ripe, stages, strict=True) if stage is not None]
        for stage, _ in won:
            self._in_hand.take(stage, due)
        told = await asyncio.gather(*(self._told(stage, signal) for stage, signal in won), return_exceptions=True)
        await self._put_back([(stage, fault) for (stage, _), fault in zip(won, told, strict=True)], due)
        return [one for one in told if isinstance(one, Claim)]

    async def _put_back(self, read: Sequence[tuple[Stage, Claim | BaseException]], due: datetime) -> None:
        """Owes those again a little later that could not be read whole: storage may be at fault, and no worker was."""
        faults = [(stage, fault) for stage, fault in read if isinstance(fault, BaseException)]
        for _, fault in faults:
            if not isinstance(fault, StoreError | Undecodable):
                raise fault
        await self._park([(stage, fault) for stage, fault in faults if isinstance(fault, Undecodable)], due)
        faults = [(stage, fault) for stage, fault in faults if isinstance(fault, StoreError)]
        back = await self._deliveries.move([Move(one, untold(one, due + UNREAD, str(why))) for one, why in faults])
        await self._pointers.point([stage for stage in back if stage is not None], due)

    async def _park(self, read: Sequence[tuple[Stage, Undecodable]], at: datetime) -> None:
        """Gives up on those that cannot be decoded: trying again helps nobody."""
        for stage, why in read:
            await self._deliveries.put_aside(stage, why)
        moves = [Move(stage, given_up(stage, at, damaged(why))) for stage, why in read]
        dead = [one for one in await self._deliveries.move(moves) if one is not None]
        await self._pointers.point(await self._deliveries.after(dead), at)

    async def _told(self, stage: Stage, signal: Signal) -> Claim:
        if (row := signal.rows.get(stage.turn)) is None:
            raise StoreError("storage, deliveries: a row was mended while it was claimed")
        delivery, opening = await asyncio.gather(
            self._deliveries.delivery(stage, row), self._deliveries.opening_receipt(stage, row)
        )
        return Claim(delivery=delivery, number=stage.attempts, born=stage.born, opening=opening, lost=stage.lost)


def _lease(due: datetime, until: datetime) -> timedelta:
    """How long a claim is one worker's alone; no worker has a much longer one, since all have the same settings."""
    return max(until - due, *LEASE.values())


def _is_for_later(one: Stage, at: datetime) -> bool:
    return one.state is DeliveryState.OWED and one.due > at
