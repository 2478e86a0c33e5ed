"""The outbox in a table, with pointers in queues: each promise of the outbox, and which part keeps it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from router.domain.deliveries import Backlog, DeliveryState, DeliveryStatus, NextDue, Pause, Pointer
from router.domain.histories import History
from router.domain.notices import Notice
from router.domain.rulebook import Lane
from router.store.azure.bodies import Bodies
from router.store.azure.damaged_rows import RowQuarantine
from router.store.azure.outbox.dead_letter_lookup import Letters
from router.store.azure.outbox.deliveries import Deliveries
from router.store.azure.outbox.entry_rows import AzureEntry
from router.store.azure.outbox.figures import Figures
from router.store.azure.outbox.locations import find_pointer
from router.store.azure.outbox.old_deliveries import OldDeliveries
from router.store.azure.outbox.outbox_table import AzureOutboxTable
from router.store.azure.outbox.pauses import Pauses
from router.store.azure.outbox.pointers import Pointers
from router.store.azure.outbox.queues import AzureQueue
from router.store.azure.outbox.reached import Reached
from router.store.azure.outbox.registry import Registry
from router.store.azure.outbox.status import Statuses
from router.store.azure.outbox.sweeping import Sweeping
from router.store.azure.tables import Table
from router.store.outbox import TableOutbox

if TYPE_CHECKING:
    from azure.storage.queue.aio import QueueServiceClient


_CLOCK = partial(datetime.now, UTC)


class AzureOutbox(TableOutbox[AzureEntry]):
    """The deliveries, in the table `deliveries`; pointers to them in queues whose names begin with `prefix`.

    Attributes:
        old: the deliveries as retention takes them away.
    """

    def __init__(
        self,
        table: Table,
        bodies: Bodies,
        queues: QueueServiceClient,
        aside: RowQuarantine,
        prefix: str = "",
        clock: Callable[[], datetime] = _CLOCK,
    ) -> None:
        deliveries, registry, self._reached = Deliveries(table, bodies, aside), Registry(table), Reached(table)
        self._pauses = Pauses(table, aside)
        self._pointers = Pointers(queues, prefix, clock)
        letters = Letters(deliveries, registry)
        super().__init__(AzureOutboxTable(deliveries, self._pointers, registry, letters, self._reached))
        self._sweeping = Sweeping(deliveries, registry, self._pointers, self._pauses)
        self._figures = Figures(deliveries, registry)
        self._statuses = Statuses(table, deliveries, registry)
        self.old = OldDeliveries(table, deliveries, registry, self._reached)

    async def prepare(self) -> None:
        """Makes the queues that are not there yet."""
        await self._pointers.prepare()

    def pointer(self, stream: str, lane: Lane, text: str) -> Pointer | None:
        """The pointer that a message of a queue holds; None where it is no pointer."""
        return find_pointer(stream, lane, text)

    def queue(self, stream: str, lane: Lane) -> AzureQueue:
        """The queue of a stream and lane."""
        return self._pointers.queue(stream, lane)

    async def requeue(self, pointer: Pointer, until: datetime) -> None:
        """Brings a pointer that came from a queue once more at an instant; what came from none is found by itself."""
        await self._pointers.requeue(pointer, until)

    async def abandon(self, stream: str, named: Collection[str], born_before: datetime, now: datetime) -> int:
        """Gives up on deliveries that old of a stream to destinations that the policy does not name; returns how many."""
        for paused in (await self._pauses.all(stream)).keys() - set(named):
            await self._pauses.resume(stream, paused)
        return await super().abandon(stream, named, born_before, now)

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

    async def first_due(self, stream: str, destinations: Collection[str]) -> Mapping[str, datetime]:
        """When each of some destinations that is owed something is next due."""
        return {name: one.due for name, one in (await self.next_due(stream)).items() if name in destinations}

    async def count_due(
        self, stream: str, destinations: Collection[str], now: datetime, most: int
    ) -> Mapping[str, int]:
        """How many deliveries are owed to each of some destinations of which something is due."""
        found = (await self.next_due(stream)).items()
        return {name: min(one.owed, most) for name, one in found if name in destinations and one.due <= now}

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

    async def deliveries_of(self, key: str) -> Sequence[DeliveryStatus]:
        """The deliveries that are kept of a signal or group, by destination and turn."""
        return await self._statuses.of_key(key)

    async def find_by_reference(self, reference: str) -> Sequence[DeliveryStatus]:
        """The deliveries whose receipt has that reference, such as a ticket's number, as the vendor writes it."""
        return await self._statuses.of_reference(reference)

    async def find_last_notice(self, stream: str, destination: str, key: str) -> Notice | None:
        """The notice of a signal or group that a destination last took; None where it took none, or none is kept."""
        return await self._statuses.last_notice(stream, destination, key)

    async def find_histories(self, stream: str, destination: str, opened: Mapping[str, int]) -> Mapping[str, History]:
        """What a destination was told of some signals or groups since the turns that opened them there, by their keys."""
        return {key: await self._statuses.history(stream, destination, key, turn) for key, turn in opened.items()}

    async def deliveries_at(self, stream: str, destination: str, key: str) -> Sequence[DeliveryStatus]:
        """The deliveries that are kept of a signal or group at one destination, by turn."""
        return await self._statuses.at_destination(stream, destination, key)

    async def deliveries_at_each(
        self, stream: str, destinations: Collection[str], keys: Collection[str]
    ) -> Mapping[tuple[str, str], Sequence[DeliveryStatus]]:
        """The same of some signals or groups at some destinations, by destination and key."""
        those = [(name, key) for name in destinations for key in keys]
        return {(name, key): await self.deliveries_at(stream, name, key) for name, key in those}
