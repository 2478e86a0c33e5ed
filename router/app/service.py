"""The router at work behind its hubs: what function_app's triggers and `alert-router serve` call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING

from msgspec import field

from router.app.destination_readiness import Unready, remarks_on
from router.app.drain import Drain
from router.app.rules import Rules
from router.deliver.delivery_loop import DeliveryLoop
from router.deliver.destination_holds import HoldReader
from router.domain.errors import StoreError
from router.domain.hubs import Event, Partition
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.domain.values import Value
from router.ingest.event_intake import EventIntake
from router.store.delivery_status import count_due
from router.store.destinations import is_probe_due, list_pauses
from router.store.store import Store
from router.telemetry import Telemetry

if TYPE_CHECKING:
    from router.app.health import Health
    from router.app.maintenance import Sweeper
    from router.ingest.gaps import Hub

AHEAD = timedelta(seconds=60)
"""How soon something must fall due for a worker in Azure to wait for it; the timer wakes another one each minute."""

LONGEST = 600.0
"""Seconds after which a worker in Azure leaves its lane to the next one."""

A_WORKER = 200
"""Due deliveries for each of which a lane is sent one wake-up."""

MOST_WORKERS = 20
"""Wake-ups that a lane is sent at a time, at most."""

MOST = 4000
"""Deliveries of one destination that are counted at most."""


class Service(Value, kw_only=True):
    """Everything wired for both streams. Each method raises StoreError where the state fails, and must then be called again.

    Attributes:
        sweepers: gives what sweeps each stream, the same every time.
        loops: what delivers in each lane, by stream and lane; only lanes with a destination that can be asked have one.
    """

    store: Store
    rules: Rules
    event_intakes: Mapping[Stream, EventIntake]
    loops: Mapping[tuple[Stream, Lane], DeliveryLoop]
    holds: HoldReader
    sweepers: Callable[[], Mapping[Stream, Sweeper]]
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
            self.telemetry.record_taken(entries, stream.value)
        for loop in self._loops_of(stream).values():
            loop.look_again()

    async def count_wake_ups(self, stream: Stream) -> Mapping[Lane, int]:
        """Return how many workers each lane of a stream has work for now: one for each 200 deliveries that are due there."""
        loops = self._loops_of(stream)
        due = await count_due_by_lane(stream.value, loops, self.store, self.holds, self.clock())
        return {lane: min(ceil(count / A_WORKER), MOST_WORKERS) for lane, count in due.items()}

    async def deliver(self, stream: Stream, lane: Lane) -> bool:
        """Deliver in a lane while something is due or falls due within a minute, for ten minutes at most.

        Return whether there is more to do for another worker. Where this process delivers there already, that looks at once
        for what is due, and this returns False.
        """
        loop = self.loops.get((stream, lane))
        if loop is None:
            return False
        ticks = asyncio.get_running_loop().time
        end = ticks() + LONGEST
        with self.drain.work():
            return await loop.deliver_on(lambda: self.drain.is_asked or ticks() > end, AHEAD)

    async def deliver_on(self, stream: Stream, lane: Lane) -> None:
        """Deliver in a lane until the end is asked for."""
        await self.loops[stream, lane].deliver_on(lambda: self.drain.is_asked)

    async def write_unwritten(self) -> None:
        """Writes down what was delivered and the state did not take before: the last thing that a process does."""
        for loop in self.loops.values():
            await loop.write_unwritten()

    async def sweep(self) -> None:
        """Does once for each stream what runs on a clock."""
        fault: StoreError | None = None
        with self.drain.work():
            for stream, sweeper in self.sweepers().items():
                try:
                    swept, entries = await sweeper.sweep(self.clock())
                except StoreError as trouble:  # the other stream must not wait for this one
                    fault = fault or trouble
                    continue
                self.telemetry.record_taken(entries, stream.value)
                self.telemetry.record_swept(swept)
        if fault is not None:
            raise fault

    async def health(self) -> Health:
        """What works and what is late."""
        from router.app.health import health_of  # for which no batch waits

        return await health_of(
            self.store, self.hubs, self.rules.books, self.clock(), unready=self.unready, problems=self.problems
        )

    async def remarks(self) -> list[str]:
        """The remarks on the settings, for the start, a line each."""
        return [*self.problems, *(one.text for one in await remarks_on(self.store, self.unready))]

    def _loops_of(self, stream: Stream) -> Mapping[Lane, DeliveryLoop]:
        return {lane: loop for (of, lane), loop in self.loops.items() if of is stream}


async def count_due_by_lane(
    stream: str, loops: Mapping[Lane, DeliveryLoop], store: Store, holds: HoldReader, now: datetime
) -> Mapping[Lane, int]:
    """Return how many deliveries are due in each lane of a stream, at destinations that may be asked now, up to `MOST` each.

    Raises StoreError.
    """
    held = await holds.held_in(stream, now)
    async with store.session() as tx:
        pauses = await list_pauses(tx, stream)
        waiting = held.keys() | {name for name, pause in pauses.items() if not is_probe_due(pause, now)}
        names = [name for loop in loops.values() for name in loop.destinations if name not in waiting]
        due = await count_due(tx, stream, names, now, MOST)
    return {lane: sum(due.get(name, 0) for name in loop.destinations) for lane, loop in loops.items()}
