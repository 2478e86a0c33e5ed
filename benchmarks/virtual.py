"""The router at work on a store while a clock of ours goes on, its destinations taking everything at once and nothing sent.

`OnFile` does what each `alert-router run` does, `OnAccount` what function_app's triggers do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from router.app.forgetting import rules_of
from router.app.maintenance import Sweeper
from router.app.rules import Rules, intake_over, specs_of
from router.cli.serve import lanes_of
from router.deliver import Isolation, Sender, Worker
from router.destinations import discover
from router.domain.conversation import Result
from router.domain.counts import Rule
from router.domain.deliveries import Claim, Pointer, Receipt
from router.domain.journal import Event, Extent, HubEpoch, Partition, Span
from router.domain.lane_limits import LEASE
from router.domain.ports.store import QueuedStore, Store
from router.domain.retention import Forgotten, Retention
from router.domain.rulebook import DestinationSpec, Lane
from router.domain.signals import Stream
from router.ingest.event_intake import EventIntake
from router.ingest.gaps import GapFiller
from router.ingest.intake import Message
from router.ingest.suppression_release import release_held

AT_A_TIME = 100
HIDDEN = timedelta(minutes=10)
CREATED = datetime.fromisoformat("2026-01-01T00:00:00Z")


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Gives the time."""
        return self.now


@dataclass(slots=True)
class Price:
    """What forgetting cost.

    Attributes:
        calls: how often it was asked for.
        requests: requests to storage.
        cpu: CPU seconds of its thread.
    """

    calls: int = 0
    requests: int = 0
    cpu: float = 0.0

    def add(self, requests: int, cpu: float) -> None:
        """Adds one call."""
        self.calls += 1
        self.requests += requests
        self.cpu += cpu

    def since(self, other: Price) -> Price:
        """What came on top of an earlier price."""
        return Price(self.calls - other.calls, self.requests - other.requests, self.cpu - other.cpu)


class Priced:
    """A store whose forgetting is measured; `requests` counts those to storage so far.

    Attributes:
        price: what all of it cost.
        idle: what those calls cost that found nothing to forget.
    """

    def __init__(self, store: Store, requests: Callable[[], int] = lambda: 0) -> None:
        self._store = store
        self._requests = requests
        self.price = Price()
        self.idle = Price()

    async def forget(self, now: datetime, retention: Retention, rules: Collection[Rule], most: int) -> Forgotten:
        """Forgets as the store does."""
        requests, cpu = self._requests(), time.thread_time()
        forgotten = await self._store.forget(now, retention, rules, most)
        requests, cpu = self._requests() - requests, time.thread_time() - cpu
        self.price.add(requests, cpu)
        if not forgotten.total:
            self.idle.add(requests, cpu)
        return forgotten

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class _AcceptingSender(Sender):
    """Sends nothing: whatever is delivered is taken."""

    def __init__(self, spec: DestinationSpec) -> None:
        self.lease = LEASE[spec.lane]
        self.batch = discover()[spec.kind].batch

    async def attempt_delivery(self, claims: Sequence[Claim]) -> Sequence[Result]:
        """A receipt for each claim."""
        return [Receipt(reference=f"INC{claim.delivery.key[:10]}") for claim in claims]


class AtWork(Protocol):
    """The router at work on a store."""

    async def take(self, stream: Stream, bodies: Sequence[bytes]) -> None:
        """Takes messages in that came just now."""

    async def deliver(self) -> None:
        """Delivers what is owed."""

    async def sweep(self) -> None:
        """Does what runs on a clock."""


def _workers(store: Store, rules: Rules, clock: Clock) -> Mapping[Pointer, Worker]:
    isolation = Isolation()
    return {
        Pointer(stream.value, spec.lane, spec.name): Worker(
            stream.value,
            spec.name,
            _AcceptingSender(spec),
            outbox=store.outbox,
            clock=clock,
            concurrency=24,
            isolation=isolation,
        )
        for stream, book in rules.books.items()
        for spec in specs_of(book)
    }


def _events(numbers: dict[Stream, int], stream: Stream, bodies: Sequence[bytes], at: datetime) -> list[Event]:
    first = numbers.get(stream, 0)
    numbers[stream] = first + len(bodies)
    return [Event(first + n, at, body) for n, body in enumerate(bodies)]


def _partition(stream: Stream) -> Partition:
    return Partition(stream.value, "0")


class OnFile:
    """A state in a file."""

    def __init__(self, store: Store, rules: Rules, clock: Clock) -> None:
        self._store = store
        self._rules = rules
        self._clock = clock
        self._intakes = {stream: intake_over(store, rules, stream) for stream in rules.books}
        self._workers = _workers(store, rules, clock)
        self._numbers: dict[Stream, int] = {}

    async def take(self, stream: Stream, bodies: Sequence[bytes]) -> None:
        """Takes messages in that came just now."""
        epoch = HubEpoch(_partition(stream), 1)
        messages = [
            Message(event.body, f"{stream}/0:{event.sequence}", epoch.arrival_of(event))
            for event in _events(self._numbers, stream, bodies, self._clock())
        ]
        for start in range(0, len(messages), AT_A_TIME):
            await self._intakes[stream].ingest(messages[start : start + AT_A_TIME], self._clock())

    async def deliver(self) -> None:
        """Delivers what is owed."""
        for pointer, worker in self._workers.items():
            await worker.deliver_at(pointer)

    async def sweep(self) -> None:
        """Decides again what no rule holds any more, and forgets what is old enough."""
        now = self._clock()
        for stream, book in self._rules.books.items():
            await release_held(self._intakes[stream], self._store.ledger, book, now)
            await self._intakes[stream].admit_waiting(stream, now)
        while not (await self._store.forget(now, Retention(), rules_there(self._rules), 1)).is_done:
            pass


class OnAccount:
    """A state in an account, behind hubs of which all was read."""

    def __init__(self, store: QueuedStore, rules: Rules, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._workers = _workers(store, rules, clock)
        self._numbers: dict[Stream, int] = {}
        intakes = {stream: intake_over(store, rules, stream) for stream in rules.books}
        self._intakes = {stream: EventIntake(one, store.journal, "ageing") for stream, one in intakes.items()}
        self._sweepers = {
            stream: Sweeper(
                store,
                store.outbox,
                book,
                intakes[stream],
                GapFiller(_Read(stream.value, self._extent_of), store.journal, self._intakes[stream]),
                named=[spec.name for spec in specs_of(book)],
                rules=rules_of(rules.books.values()),
                retention=Retention(),
            )
            for stream, book in rules.books.items()
        }

    async def take(self, stream: Stream, bodies: Sequence[bytes]) -> None:
        """Takes messages in that came just now."""
        events = _events(self._numbers, stream, bodies, self._clock())
        for start in range(0, len(events), AT_A_TIME):
            some = events[start : start + AT_A_TIME]
            await self._intakes[stream].ingest_events(_partition(stream), some, self._clock())

    async def deliver(self) -> None:
        """Delivers what the queues point at."""
        await asyncio.gather(*(self._deliver(stream, lane) for stream in self._sweepers for lane in lanes_of(stream)))

    async def _deliver(self, stream: Stream, lane: Lane) -> None:
        queue = self._store.outbox.queue(stream.value, lane)
        while messages := await queue.receive(24, HIDDEN):
            await asyncio.gather(*(self._follow(stream, lane, text) for text, _ in messages))
            await asyncio.gather(*(queue.delete(handle) for _, handle in messages))

    async def _follow(self, stream: Stream, lane: Lane, text: str) -> None:
        pointer = self._store.outbox.pointer(stream.value, lane, text)
        assert pointer is not None, text
        await self._workers[Pointer(stream.value, lane, pointer.destination)].deliver_at(pointer)

    async def sweep(self) -> None:
        """Sweeps both streams."""
        for sweeper in self._sweepers.values():
            await sweeper.sweep(self._clock())

    def _extent_of(self, stream: str) -> Extent:
        return Extent(0, self._numbers.get(Stream(stream), 0) - 1, CREATED)


class _Read:
    """A hub whose events were all read."""

    def __init__(self, name: str, extent_of: Callable[[str], Extent]) -> None:
        self.name = name
        self._extent_of = extent_of

    async def read_extents(self) -> Mapping[Partition, Any]:
        """What it holds."""
        return {Partition(self.name, "0"): self._extent_of(self.name)}

    async def read_events(self, partition: Partition, span: Span, most: int) -> Sequence[Event]:
        """None: nothing was left out."""
        raise AssertionError(f"{partition} {span}: was taken in")


def rules_there(rules: Rules) -> list[Rule]:
    """The suppression rules that are there."""
    return [(stream.value, name) for stream, book in rules.books.items() for name in book.suppressions.by_name]
