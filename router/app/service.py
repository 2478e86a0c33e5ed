"""The router at work behind a hub and queues: what function_app's triggers and `alert-router serve` call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from router.app.drain import Drain
from router.app.health import Health, health_of, remarks_on
from router.app.maintenance import Sweeper
from router.deliver import Worker
from router.domain.destination_readiness import Unready
from router.domain.errors import StoreError
from router.domain.journal import Event, Partition
from router.domain.ports.ingest import Hub
from router.domain.ports.store import QueuedStore
from router.domain.rulebook import Lane, Rulebook
from router.domain.signals import Stream
from router.ingest.event_intake import EventIntake
from router.telemetry import Telemetry


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Everything wired for both streams. Each method raises StoreError where storage fails, and must then be called again.

    Attributes:
        store: the state.
        books: the rulebook of each stream.
        event_intakes: what ingests the events of each stream's hub.
        workers: what delivers to each destination that can be asked, by stream and name.
        sweepers: what runs on a clock, for each stream.
        hubs: the hub of each stream, to be read beside its consumers.
        telemetry: what metrics, traces and logs go to.
        clock: what tells the time.
        unready: the destinations that cannot be asked, and what they lack.
        problems: what else is wrong with the settings, a line each.
        drain: counts what is under way; once an end is asked for, what is to be delivered is put back.
    """

    store: QueuedStore
    books: Mapping[Stream, Rulebook]
    event_intakes: Mapping[Stream, EventIntake]
    workers: Mapping[tuple[str, str], Worker]
    sweepers: Mapping[Stream, Sweeper]
    hubs: Mapping[Stream, Hub]
    telemetry: Telemetry
    clock: Callable[[], datetime]
    unready: Sequence[Unready] = ()
    problems: Sequence[str] = ()
    drain: Drain = field(default_factory=Drain)

    async def ingest_events(self, partition: Partition, events: Sequence[Event], trace: str | None = None) -> None:
        """Ingests events of a stream's hub; `trace` is the traceparent of the call itself."""
        stream, traces = Stream(partition.hub), [event.trace for event in events]
        with self.drain.work(), self.telemetry.processing(stream.value, traces, trace, partition=partition.id):
            entries = await self.event_intakes[stream].ingest_events(
                partition, events, self.clock(), self.telemetry.traceparent()
            )
            self.telemetry.took(entries, stream.value)

    async def deliver(self, stream: Stream, lane: Lane, text: str) -> None:
        """Delivers what a message of a lane's queue points at."""
        pointer = self.store.outbox.pointer(stream.value, lane, text)
        worker = self.workers.get((stream.value, pointer.destination)) if pointer is not None else None
        # What points nowhere is let go: the outbox knows what is owed, and `sweep` gives up on what has nowhere left to go.
        if pointer is not None and worker is not None:
            with self.drain.work():
                await worker.deliver_at(pointer)

    async def write_unwritten(self) -> None:
        """Writes down what was delivered and storage did not take before: the last thing that a process does."""
        for worker in self.workers.values():
            await worker.write_unwritten()

    async def sweep(self) -> None:
        """Does once for each stream what runs on a clock."""
        with self.drain.work():
            await self._sweep()

    async def health(self) -> Health:
        """What works and what is late."""
        return await health_of(
            self.store, self.hubs, self.books, self.clock(), unready=self.unready, problems=self.problems
        )

    async def remarks(self) -> list[str]:
        """The remarks on the settings, for the start, a line each."""
        return [*self.problems, *(one.text for one in await remarks_on(self.store.outbox, self.unready))]

    async def _sweep(self) -> None:
        fault: StoreError | None = None
        for stream, sweeper in self.sweepers.items():
            try:
                swept, entries = await sweeper.sweep(self.clock())
            except StoreError as trouble:  # the other stream must not wait for this one
                fault = fault or trouble
                continue
            self.telemetry.took(entries, stream.value)
            self.telemetry.swept(swept)
        if fault is not None:
            raise fault
