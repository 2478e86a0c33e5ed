"""The router at work on a store while a clock of ours goes on; nothing is sent, and destinations answer as they are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import batched

from router.app.delivery import new_loops
from router.app.rules import Rules, new_intake, specs_of
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
from router.store.retention import Retention
from router.store.store import Store

AT_A_TIME = 100


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Gives the time."""
        return self.now


type Answer = Callable[[Claim], Result]
"""What a destination answers to a claim."""


def taken(claim: Claim) -> Receipt:
    """The receipt for a claim: whatever is delivered is taken."""
    return Receipt(reference=f"INC{claim.delivery.key[:10]}")


class _VirtualSender(Sender):
    """Sends nothing."""

    def __init__(self, spec: DestinationSpec, answer: Answer) -> None:
        self.lease = LEASE[spec.lane]
        self.batch = discover()[spec.kind].batch
        self._answer = answer

    async def attempt_delivery(self, claims: Sequence[Claim], beside: object = None) -> Sequence[Result]:
        """An answer to each claim."""
        return list(map(self._answer, claims))


class VirtualRouter:
    """The router at work on a store; the messages that come in are numbered from `first` on."""

    def __init__(
        self, store: Store, rules: Rules, clock: Callable[[], datetime], first: int = 0, answer: Answer = taken
    ) -> None:
        self._store = store
        self._rules = rules
        self._clock = clock
        self._intakes = {stream: new_intake(store, rules, stream) for stream in rules.books}
        senders = [
            (one, spec, _VirtualSender(spec, answer)) for one, book in rules.books.items() for spec in specs_of(book)
        ]
        self._loops = new_loops(senders, rules.books, store, HoldReader(store), clock).values()
        self._numbers = dict.fromkeys(Stream, first)

    async def take(self, stream: Stream, bodies: Sequence[bytes]) -> None:
        """Takes messages in that came just now."""
        epoch, now = HubEpoch(Partition(stream.value, "0"), 1), self._clock()
        for some in batched(bodies, AT_A_TIME, strict=False):
            first = self._numbers[stream]
            self._numbers[stream] += len(some)
            events = [Event(first + number, now, body) for number, body in enumerate(some)]
            messages = [Message(one.body, f"{stream}/0:{one.sequence}", epoch.arrival_of(one)) for one in events]
            await self._intakes[stream].ingest(messages, now)

    async def deliver(self) -> None:
        """Delivers what is owed."""
        for loop in self._loops:
            await loop.deliver_due(lambda: False)

    async def sweep(self) -> None:
        """Decides again what no rule holds any more."""
        now = self._clock()
        for stream, book in self._rules.books.items():
            await release_held(self._intakes[stream], self._store, book, now)
            await self._intakes[stream].admit_waiting(stream, now)

    async def forget(self) -> None:
        """Forgets what is old enough."""
        while not (await forget(self._store, self._clock(), Retention(), 1)).is_done:
            pass
