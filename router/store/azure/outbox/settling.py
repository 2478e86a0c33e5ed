"""Writing down what became of claims, and pointing at what comes next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from router.domain.deliveries import Settlement
from router.domain.errors import StoreError
from router.store.azure.outbox.claims import TRIES
from router.store.azure.outbox.deliveries import Deliveries, Move
from router.store.azure.outbox.in_hand import InHand
from router.store.azure.outbox.places import place_of
from router.store.azure.outbox.pointers import Pointers
from router.store.azure.outbox.stages import Stage
from router.store.azure.outbox.turns import has_a_say, last_words, settled


class Settling:
    """Settles claims, each by itself; raises StoreError."""

    def __init__(self, deliveries: Deliveries, pointers: Pointers, in_hand: InHand) -> None:
        self._deliveries = deliveries
        self._pointers = pointers
        self._in_hand = in_hand

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Writes settlements down, and points at what is owed again and at what waited for what is over."""
        if not settlements:
            return
        words = last_words(settlements)
        mine = {id: stage for id in words if (stage := self._in_hand.find(id)) is not None}
        written = await self._write(words, mine)
        unwritten = {id: word for id, word in words.items() if id not in written}
        for _ in range(TRIES):
            # Not claimed here, or somebody has touched it since: what is stored decides.
            unwritten = await self._still_said(unwritten, mine, written)
            if not unwritten:
                break
        else:
            raise StoreError("storage, deliveries: too many workers settle the same ones")
        for id in words:
            self._in_hand.let_go(id)
        await self._point(list(written.values()), max(word.at for word in settlements))

    async def _still_said(
        self, words: Mapping[str, Settlement], mine: Mapping[str, Stage], written: dict[str, Stage]
    ) -> dict[str, Settlement]:
        """Writes those settlements that still count, and returns those of them that could not be written."""
        places = [place_of(word.delivery) for word in words.values()]
        stored = {stage.id: stage for stage in await self._deliveries.find_all(places)}
        counts = {id: word for id, word in words.items() if has_a_say(word, stored.get(id), mine.get(id))}
        written |= await self._write(counts, stored)
        return {id: word for id, word in counts.items() if id not in written}

    async def _write(self, words: Mapping[str, Settlement], befores: Mapping[str, Stage]) -> dict[str, Stage]:
        """The stages of those that were at the stage before at which they are known."""
        moves = [
            Move(before, settled(before, word), word.receipt)
            for id, word in words.items()
            if (before := befores.get(id)) is not None
        ]
        return {stage.id: stage for stage in await self._deliveries.move(moves) if stage is not None}

    async def _point(self, stages: Sequence[Stage], now: datetime) -> None:
        """Points at what is owed again, and at what waited for what is over now."""
        over = [stage for stage in stages if not stage.is_open]
        again = [stage for stage in stages if stage.is_open]
        await self._pointers.point([*again, *await self._deliveries.after(over)], now)
