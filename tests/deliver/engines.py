"""The delivery engine over a store, destinations that answer as a test says, and a clock that stands still."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from copy import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar, Concatenate

import pytest

from router.app.settings import now as by_the_clock
from router.deliver.background import BackgroundReader
from router.deliver.delivery_loop import DeliveryLoop
from router.deliver.destination_holds import HoldReader, MadeHold, hold_destination
from router.deliver.http import Http
from router.deliver.isolation import Isolation
from router.deliver.logs_ingestion import Logs
from router.deliver.mail import Mail
from router.deliver.sender import ConversationRunner, Sender
from router.deliver.tokens import Tokens
from router.domain.conversation import Conversation, Deduplication, DestinationKind, Result
from router.domain.deliveries import LEASE, Attempt, Claim, DeliveryState, Receipt, Settlement
from router.domain.rulebook import Lane
from router.store.claims import Recipient
from router.store.deliveries import add_deliveries
from router.store.delivery_status import count_deliveries
from router.store.store import Transaction
from router.telemetry import Telemetry
from tests.builders import NOW, a_destination
from tests.store.builders import a_delivery, a_hold
from tests.store.faulty import faulty
from tests.store.opened import Place, Store, open_store
from tests.store.within import claim_in, within

TICKETS = "tickets"

type Answer = Callable[[Attempt], Result]


class Scripted:
    """A kind of destination that answers each attempt as a test says; `sends` are how many attempts each send had."""

    name: ClassVar[str] = "scripted"
    lane: ClassVar[Lane] = Lane.TICKET
    deduplicates: ClassVar[Deduplication] = Deduplication.NONE
    batch: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = object

    def __init__(self, config: Answer) -> None:
        self.address = "nowhere"
        self._answer = config
        self.attempts: list[Attempt] = []
        self.sends: list[int] = []

    def conversation_for(self, attempts: Sequence[Attempt]) -> Conversation:
        self.attempts.extend(attempts)
        self.sends.append(len(attempts))
        yield from ()
        return [self._answer(attempt) for attempt in attempts]


class InBatches(Scripted):
    """The same, many deliveries to a send."""

    batch: ClassVar[int] = 10


def sent(attempt: Attempt) -> Result:
    return Receipt(reference=attempt.delivery.key)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Held(Sender):
    """Sends that wait until they are released, and then bring what `answer` says by then. `waiting` counts those that do."""

    def __init__(self, answer: Result | None = None) -> None:
        self.lease = LEASE[Lane.TICKET]
        self.batch = 1
        self.answer: Result = answer or Receipt(reference="T1")
        self.keys: list[str] = []
        self.waiting = 0
        self._is_open = False
        self._released = asyncio.Event()

    async def attempt_delivery(self, claims: Sequence[Claim], beside: object = None) -> Sequence[Result]:
        self.keys += [claim.delivery.key for claim in claims]
        self.waiting += 1
        if not self._is_open:
            await self._released.wait()
        self.waiting -= 1
        return [self.answer] * len(claims)

    def release(self) -> None:
        """Releases those that wait now."""
        self._released.set()
        self._released = asyncio.Event()

    def open(self) -> None:
        """Releases those that wait now, and makes none wait any more."""
        self._is_open = True
        self.release()


@cache
def trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def a_sender(kind: DestinationKind, clock: Clock, lane: Lane) -> Sender:
    """What sends to a kind of destination that asks for HTTP and files only."""
    http = Http(trust(), None)
    logs = Logs(http, lambda endpoint: pytest.fail(endpoint), by_the_clock)
    answers = ConversationRunner(http, logs, Tokens(http, time.monotonic, by_the_clock), Mail(trust()))
    return Sender(kind, answers.converse, {}, clock, LEASE[lane], Telemetry().delivering)


class Engine:
    """A store in which deliveries to `tickets` are owed, and the workers of one process over it."""

    def __init__(self, run: Callable[[Coroutine[Any, Any, Any]], Any], store: Store) -> None:
        self.run = run
        self.store = store
        self.faulty_store, self.state = faulty(store)
        self.clock = Clock()
        self.isolation = Isolation()
        self.holds = HoldReader(store)
        self.settled: list[Sequence[Settlement]] = []

    def ask[**P, T](
        self, do: Callable[Concatenate[Transaction, P], Awaitable[T]], *args: P.args, **more: P.kwargs
    ) -> T:
        """What a function of the store brings."""
        return self.run(within(self.store, do, *args, **more))  # type: ignore[no-any-return]  # What `do` returns, of any store.

    def worker(
        self,
        kind: DestinationKind | Sender,
        *,
        lane: Lane = Lane.TICKET,
        concurrency: int = 4,
        destination: str = TICKETS,
    ) -> DeliveryLoop:
        """What delivers to one destination."""
        return self.loop({destination: kind}, lane=lane, concurrency=concurrency)

    def loop(
        self, kinds: Mapping[str, DestinationKind | Sender], *, lane: Lane = Lane.TICKET, concurrency: int = 4
    ) -> DeliveryLoop:
        """What delivers to some destinations of a lane."""
        people = [a_destination(name, lane) for name in kinds]
        senders = {
            name: kind if isinstance(kind, Sender) else a_sender(kind, self.clock, lane) for name, kind in kinds.items()
        }
        return DeliveryLoop(
            "cwpp",
            lane,
            senders,
            store=self.faulty_store,
            clock=self.clock,
            concurrency=concurrency,
            isolation=self.isolation,
            holds=self.holds,
            backgrounds=BackgroundReader("cwpp", people, self.faulty_store),
            on_settled=self.settled.append,
        )

    def owe(self, *keys: str, lane: Lane = Lane.TICKET, destination: str = TICKETS) -> None:
        """Owes openings of some signals."""
        deliveries = [replace(a_delivery(key=key, lane=lane), destination=destination) for key in keys]
        self.ask(add_deliveries, deliveries, self.clock())

    def deliver(self, worker: DeliveryLoop, is_ended: Callable[[], bool] = lambda: False) -> list[DeliveryState]:
        """Has a worker deliver what is due; what it settled."""
        before = len(self.settled)
        self.run(worker.deliver_due(is_ended))
        return [settlement.state for some in self.settled[before:] for settlement in some]

    def lose(self, *destinations: str) -> list[Claim]:
        """Claims what is due there, as a worker does that dies of it: its lease is over."""
        lost: list[Claim] = []
        for name in destinations or [TICKETS]:
            end = self.clock() + LEASE[Lane.TICKET]
            lost += self.run(claim_in(self.store, Recipient("cwpp", Lane.TICKET, name), self.clock(), end, 10))
        self.clock.now += LEASE[Lane.TICKET]
        return lost

    def states(self, destination: str = TICKETS) -> dict[DeliveryState, int]:
        """How many deliveries are in which state."""
        counts = self.ask(count_deliveries, "cwpp")
        return {state: count for (name, state), count in counts.items() if name == destination}


def engine_of_state(place: Place) -> Iterator[Engine]:
    """An engine over an empty state."""
    with asyncio.Runner() as runner:
        store = open_store(place)
        yield Engine(runner.run, store)
        runner.run(store.close())


async def hold(
    store: Store, now: datetime, *, hours: float = 2, lane: Lane = Lane.TICKET, destination: str = TICKETS
) -> MadeHold:
    """Has a person hold a destination."""
    until = now + hours * timedelta(hours=1)
    wanted = a_hold(destination=destination, lane=lane, since=now, until=until)
    return await hold_destination(store, wanted, now)
