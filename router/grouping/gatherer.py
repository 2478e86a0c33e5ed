"""Takes turns into the groups of their destinations, and owes the notices of those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice

from router.domain.groups import Board, Cards
from router.domain.ledger import Turn
from router.domain.ports import Store
from router.domain.rulebook import DestinationSpec, Rulebook
from router.domain.signals import Stream
from router.grouping.applying import MOST_ADMITTED, Gathered, admitted_before, gather, told_before
from router.grouping.likeness import Step, members_for, slots_for, steps_of
from router.grouping.silent import silent_in, waiting_with

TOGETHER = 90
"""Cards that are written at once: a transaction of a table takes 100 rows."""

AT_A_TIME = 40
"""Steps that are applied at once, as long as their cards are no more than that."""


class Gatherer:
    """Applies turns to groups. A turn may be given more than once, by whoever meets it as an intent; raises StoreError."""

    def __init__(self, store: Store, rulebooks: Mapping[Stream, Rulebook]) -> None:
        self._store = store
        self._rulebooks = rulebooks

    async def take(self, turns: Sequence[Turn], now: datetime) -> None:
        """Lets turns' signals join, change in or leave the groups of their destinations, and owes what these tell."""
        for destination, steps in _by_destination(turns).items():
            for start in range(0, len(steps), AT_A_TIME):
                await self._take(destination, steps[start : start + AT_A_TIME], now)

    async def admit_waiting(self, stream: Stream, now: datetime) -> int:
        """Lets the groups of a stream open that waited until their limits had room; returns how many did."""
        book = self._rulebooks[stream]
        return sum([await self._admit_at((stream.value, destination), now) for destination in book.destinations])

    async def find_silent(self, stream: Stream, now: datetime) -> None:
        """Lets the groups of a stream wait for room that stand and that nobody was told of, nor waits to be. Walks all.

        Where the policy names their destination no longer, they open at once: the dead letter says so.
        """
        named = self._rulebooks[stream].destinations
        for destination in await self._store.groups.destinations(stream.value):
            at = (stream.value, destination)
            while silent := silent_in(await self._store.groups.standing_groups(*at)):
                board = await self._store.groups.board(*at)
                await self._owe_unsure(at, board, now)
                some = dict(islice(silent.items(), AT_A_TIME))
                await self._store.groups.write(*at, *waiting_with(board, some, stream))
            if destination not in named:
                await self._admit_at(at, now)

    async def _admit_at(self, at: tuple[str, str], now: datetime) -> int:
        count = 0
        while True:
            board = await self._store.groups.board(*at)
            if not board.waiting and not board.admitted:
                return count
            await self._owe_unsure(at, board, now)
            gathered = await self._gathered(at, (), board, now)
            if not gathered.deliveries and not board.admitted:
                return count
            if await self._store.groups.write(*at, gathered.board, gathered.cards):
                await self._store.outbox.add(gathered.deliveries, now)
                count += len(gathered.deliveries)
                if len(gathered.deliveries) < MOST_ADMITTED:
                    return count

    async def _take(self, at: tuple[str, str], steps: Sequence[Step], now: datetime) -> None:
        while True:
            board = await self._store.groups.board(*at)
            await self._owe_unsure(at, board, now)
            gathered = await self._gathered(at, steps, board, now)
            if len(gathered.cards) > TOGETHER and len(steps) > 1:
                half = len(steps) // 2
                await self._take(at, steps[:half], now)
                steps = steps[half:]
            elif await self._store.groups.write(*at, gathered.board, gathered.cards):
                await self._store.outbox.add(gathered.deliveries, now)
                return

    async def _gathered(self, at: tuple[str, str], steps: Sequence[Step], board: Board, now: datetime) -> Gathered:
        spec = self._find_spec(*at)
        return gather(steps, at[1], board, await self._cards(at, steps, board, spec), spec, now)

    async def _cards(
        self, at: tuple[str, str], steps: Sequence[Step], board: Board, spec: DestinationSpec | None
    ) -> Cards:
        """The cards that steps ask about, the groups that those name, and those that wait or have just ceased to."""
        found = await self._store.groups.find(
            *at,
            members={key for step in steps for key in members_for(step)},
            slots={key for step in steps for key in slots_for(step, spec)},
        )
        named = {card.group for card in found.members.values()} | {card.group for card in found.slots.values()}
        groups = await self._store.groups.find(*at, groups=named.union(board.waiting, board.admitted))
        return Cards(found.members, groups.groups, found.slots)

    async def _owe_unsure(self, at: tuple[str, str], board: Board, now: datetime) -> None:
        """Owes what the last change applied and may not have owed yet: its worker is at it, or has died.

        A group's notices are owed in the order of its turns. So it is done before the board changes again, and forgets whose
        turns those were.
        """
        rows = await self._store.ledger.find(board.unsure)
        steps = _by_destination([row.intent for row in rows.values() if row.intent is not None]).get(at, [])
        if steps or board.admitted:
            spec = self._find_spec(*at)
            cards = await self._cards(at, steps, board, spec)
            owed = [*admitted_before(at[1], board, cards, spec), *told_before(steps, cards)]
            await self._store.outbox.add(owed, now)

    def _find_spec(self, stream: str, destination: str) -> DestinationSpec | None:
        book = next((book for known, book in self._rulebooks.items() if known.value == stream), None)
        return book.destinations.get(destination) if book is not None else None


def _by_destination(turns: Sequence[Turn]) -> dict[tuple[str, str], list[Step]]:
    found: dict[tuple[str, str], list[Step]] = {}
    for step in (step for turn in turns for step in steps_of(turn)):
        found.setdefault((step.notice.stream, step.target.destination), []).append(step)
    return found
