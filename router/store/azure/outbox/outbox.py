"""The outbox in a table, with pointers in queues: each promise of the outbox, and which part keeps it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from router.domain.clocks import latest
from router.domain.damage import Past
from router.domain.deliveries import (
    Backlog,
    Claim,
    DamagedLetter,
    DeadLetter,
    DeliveryState,
    NextDue,
    Pause,
    Pointer,
    Redrive,
    Settlement,
)
from router.domain.notices import Delivery
from router.domain.rulebook import Lane
from router.store.azure.bodies import Bodies
from router.store.azure.damaged_rows import Aside
from router.store.azure.outbox.claims import Claims
from router.store.azure.outbox.dead_letters import DeadLetters
from router.store.azure.outbox.deliveries import Deliveries
from router.store.azure.outbox.figures import Figures
from router.store.azure.outbox.in_hand import InHand
from router.store.azure.outbox.pauses import Pauses
from router.store.azure.outbox.places import Place, Shard, find_pointer, place_at, shards_of
from router.store.azure.outbox.pointers import Pointers
from router.store.azure.outbox.queues import AzureQueue
from router.store.azure.outbox.reached import Reached
from router.store.azure.outbox.registry import Registry
from router.store.azure.outbox.retention import Outdated, Standing
from router.store.azure.outbox.settling import Settling
from router.store.azure.outbox.stages import first_stage
from router.store.azure.outbox.sweeping import Sweeping
from router.store.azure.tables import Table

if TYPE_CHECKING:
    from azure.storage.queue.aio import QueueServiceClient


_CLOCK = partial(datetime.now, UTC)


class AzureOutbox:
    """The deliveries, in the table `deliveries`; pointers to them in queues whose names begin with `prefix`."""

    def __init__(
        self,
        table: Table,
        bodies: Bodies,
        queues: QueueServiceClient,
        aside: Aside,
        prefix: str = "",
        clock: Callable[[], datetime] = _CLOCK,
    ) -> None:
        in_hand = InHand()
        self._deliveries = Deliveries(table, bodies, aside)
        self._registry = Registry(table)
        self._pauses = Pauses(table, aside)
        self._pointers = Pointers(queues, prefix, clock)
        self._claims = Claims(self._deliveries, self._pointers, in_hand)
        self._settling = Settling(self._deliveries, self._pointers, in_hand)
        self._dead_letters = DeadLetters(self._deliveries, self._registry, self._pointers)
        self._sweeping = Sweeping(self._deliveries, self._registry, self._pointers, self._pauses)
        self._figures = Figures(self._deliveries, self._registry)
        self._reached = Reached(table)
        self._outdated = Outdated(table, bodies, self._registry, self._deliveries, self._reached)

    async def prepare(self) -> None:
        """Makes the queues that are not there yet."""
        await self._pointers.prepare()

    async def add(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        """Owes deliveries, create-if-absent by their id, and points at them, also at those that were there already."""
        owed = {first_stage(one, now): one for one in deliveries}
        await self._registry.note(owed.values(), now)
        await self._deliveries.create(list(owed), list(owed.values()))
        await self._pointers.point(owed, now)

    async def claim(self, pointer: Pointer, due: datetime, until: datetime, limit: int) -> Sequence[Claim]:
        """Claims up to `limit` deliveries that lie where a pointer says and are due: in every shard if it says none."""
        match place_at(pointer):
            case Place() as place:
                return await self._claims.at(place, due, until)
            case Shard() as shard:
                return await self._claims.among([shard], due, until, limit)
            case None:
                return await self._claims.among(shards_of(pointer.stream, pointer.destination), due, until, limit)

    def pointer(self, stream: str, lane: Lane, text: str) -> Pointer | None:
        """The pointer that a message of a queue holds; None where it is no pointer."""
        return find_pointer(stream, lane, text)

    def queue(self, stream: str, lane: Lane) -> AzureQueue:
        """The queue of a stream and lane."""
        return self._pointers.queue(stream, lane)

    async def requeue(self, pointer: Pointer, until: datetime) -> None:
        """Brings a pointer that came from a queue once more at an instant; what came from none is found by itself."""
        await self._pointers.requeue(pointer, until)

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Writes down what became of claims, each by itself, and points at what is owed again or comes next."""
        sent = (one.delivery for one in settlements if one.state is DeliveryState.SENT)
        await self._reached.note((one.stream, one.destination) for one in sent)
        await self._settling.settle(settlements)

    async def repair_times(self, now: datetime) -> int:
        """Owes at once what only a wrong clock can have put off or given up on; returns how many deliveries."""
        count = await self._sweeping.repair_times(now)
        letters = await self._sweeping.died_of_age_after(latest(now))
        for id in letters:
            await self._dead_letters.redrive(id, now)
        return count + len(letters)

    async def abandon(self, stream: str, named: Collection[str], born_before: datetime, now: datetime) -> int:
        """Gives up on deliveries that old of a stream to destinations that the policy does not name; returns how many."""
        return await self._sweeping.abandon(stream, named, born_before, now)

    async def give_up(self, stream: str, destination: str, born_until: datetime, error: str, now: datetime) -> int:
        """Gives up on what was owed until an instant at a destination that nobody can ask; returns how many deliveries."""
        places = await self._sweeping.aged(stream, destination, born_until)
        await self._claims.skip_unsaid(places, now)
        return await self._sweeping.give_up(places, error, now)

    async def has_delivered(self, stream: str, destination: str) -> bool:
        """Whether a destination ever took a delivery, whatever is kept of it."""
        return await self._reached.has((stream, destination))

    async def repoint(self, stream: str, now: datetime, unready: Collection[str] = ()) -> int:
        """Points again at what is due and nobody claims, and at what poison queues hold; returns how many pointers."""
        return await self._sweeping.repoint(stream, now, unready)

    async def counts(self, stream: str) -> Mapping[tuple[str, DeliveryState], int]:
        """How many deliveries there are by destination and state. Walks everything that is kept of the stream."""
        return await self._figures.counts(stream)

    async def next_due(self, stream: str) -> Mapping[str, NextDue]:
        """When each destination that is owed something is next due. Walks everything that is open in the stream."""
        return await self._figures.next_due(stream)

    async def backlog(self, stream: str) -> Mapping[str, Backlog]:
        """What is open and what is dead by destination, for every destination that was ever owed anything."""
        return await self._figures.backlog(stream)

    async def pause(self, pause: Pause) -> None:
        """Remembers that a destination refuses our credentials."""
        await self._pauses.pause(pause)

    async def resume(self, stream: str, destination: str) -> None:
        """Forgets a pause."""
        await self._pauses.resume(stream, destination)

    async def pauses(self, stream: str) -> Mapping[str, Pause]:
        """The pauses of a stream by destination."""
        return await self._pauses.all(stream)

    async def probe(self, pause: Pause, next: datetime) -> bool:
        """Takes the one probe that a paused destination is due, deferring the next one; False if another took it."""
        return await self._pauses.probe(pause, next)

    async def dead(self) -> Sequence[DeadLetter | DamagedLetter]:
        """The dead letters, oldest first; of those that cannot be decoded what is left of them."""
        return await self._dead_letters.all()

    async def redrive(self, id: str, now: datetime) -> Redrive:
        """Owes a dead letter again, and the resolution that came after it; one that a later notice overtook is let go."""
        return await self._dead_letters.redrive(id, now)

    async def discard(self, id: str, now: datetime) -> bool:
        """Takes a dead letter off the list for good; False if there is none."""
        return await self._dead_letters.discard(id, now)

    async def purge(self, settled_before: datetime, standing: Standing) -> int:
        """Takes away what was sent or skipped until an instant, and its blobs; returns how many deliveries.

        Signals that stand, or of which anything is open or dead at any destination, keep all of theirs. Walks everything.
        """
        return await self._outdated.purge(settled_before, standing)

    async def past(self, keys: Collection[str]) -> Mapping[str, Sequence[Past]]:
        """The deliveries that were ever owed for some keys and are kept, by key."""
        return await self._outdated.past(keys)

    async def has_any(self, keys: Collection[str]) -> Collection[str]:
        """Those of some signals of which deliveries are kept for any destination."""
        return await self._outdated.has_any(keys)
