"""The router at work on a store while a clock of ours goes on, its destinations taking everything at once and nothing sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from router.app.delivery import new_loops
from router.app.rules import Rules, new_intake, specs_of
from router.deliver.delivery_loop import DeliveryLoop
from router.deliver.destination_holds import HoldReader
from router.deliver.sender import Sender
from router.destinations import discover
from router.domain.conversation import Result
from router.domain.deliveries import LEASE, Claim, Receipt
from router.domain.hubs import Event, HubEpoch, Partition
from router.domain.rulebook import DestinationSpec
from router.domain.signals import Stream
from router.ingest.intake import Message, release_held
from router.store.forgetting import forget
from router.store.retention import Forgotten, Retention
from router.store.store import Store

AT_A_TIME = 100
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

    async def forget(self, now: datetime, retention: Retention, most: int) -> Forgotten:
        """Forgets as the store does."""
        requests, cpu = self._requests(), time.thread_time()
        forgotten = await forget(self._store, now, retention, most)
        requests, cpu = self._requests() - requests, time.thread_time() - cpu
        self.price.add(requests, cpu)
        if not forgotten.number:
            self.idle.add(requests, cpu)
        return forgotten

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class _AcceptingSender(Sender):
    """Sends nothing: whatever is delivered is taken."""

    def __init__(self, spec: DestinationSpec) -> None:
        self.lease = LEASE[spec.lane]
        self.batch = discover()[spec.kind].batch

    async def attempt_delivery(self, claims: Sequence[Claim], beside: object = None) -> Sequence[Result]:
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


async def _deliver(loops: Iterable[DeliveryLoop]) -> None:
    for loop in loops:
        await loop.deliver_due(lambda: False)


def _loops(store: Store, rules: Rules, clock: Clock) -> Collection[DeliveryLoop]:
    senders = [
        (stream, spec, _AcceptingSender(spec)) for stream, book in rules.books.items() for spec in specs_of(book)
    ]
    return new_loops(senders, rules.books, store, HoldReader(store), clock).values()


def _events(numbers: dict[Stream, int], stream: Stream, bodies: Sequence[bytes], at: datetime) -> list[Event]:
    first = numbers[stream]
    numbers[stream] = first + len(bodies)
    return [Event(first + n, at, body) for n, body in enumerate(bodies)]


def _partition(stream: Stream) -> Partition:
    return Partition(stream.value, "0")


class OnFile:
    """A state; the messages that come in are numbered from `first` on."""

    def __init__(self, store: Store, rules: Rules, clock: Clock, first: int = 0) -> None:
        self._store = store
        self._rules = rules
        self._clock = clock
        self._intakes = {stream: new_intake(store, rules, stream) for stream in rules.books}
        self._loops = _loops(store, rules, clock)
        self._numbers = dict.fromkeys(Stream, first)

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
        await _deliver(self._loops)

    async def sweep(self) -> None:
        """Decides again what no rule holds any more, and forgets what is old enough."""
        now = self._clock()
        for stream, book in self._rules.books.items():
            await release_held(self._intakes[stream], self._store, book, now)
            await self._intakes[stream].admit_waiting(stream, now)
        while not (await forget(self._store, now, Retention(), 1)).is_done:
            pass
