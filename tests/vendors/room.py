"""The room that delivers, with one destination over real sockets: a test owes, lets time pass, and looks what arrived."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from hypothesis import strategies as st

from alert_router_demo.soc.endpoint import Endpoint, served
from alert_router_demo.soc.faults import Drop, Fault, LoseAnswer, Status
from router.app.health import health_of
from router.app.settings import now
from router.deliver.azure_transport import LoopbackCredential
from router.deliver.background import BackgroundReader
from router.deliver.delivery_loop import DeliveryLoop
from router.deliver.http import Http
from router.deliver.isolation import Isolation
from router.deliver.logs_ingestion import Logs
from router.deliver.mail import Mail, Patience
from router.deliver.sender import ConversationRunner, Sender
from router.deliver.tokens import Tokens
from router.domain.conversation import DestinationKind, Result
from router.domain.decisions import Change
from router.domain.deliveries import LEASE, Attempt, Delivery, DeliveryState
from router.domain.rulebook import DestinationSpec, Lane
from router.domain.signals import Stream
from router.store.dead_letters import DeadLetter, redrive
from router.store.deliveries import add_deliveries
from router.store.delivery_status import count_deliveries
from router.store.destinations import list_pauses
from router.telemetry import Telemetry
from tests.builders import a_rulebook
from tests.destinations.builders import NOW, a_delivery, a_huge_notice, a_notice
from tests.hubs import Shelf
from tests.store.acts import letters_in
from tests.store.opened import Store, open_new_store
from tests.store.within import within
from tests.waiting import PATIENCE

type Make = Callable[[str], tuple[DestinationKind, Mapping[str, str]]]
"""A destination at a vendor's base URL, and its secrets."""

DESTINATION = "there"
TIME = timedelta(minutes=30)
"""What passes between two attempts."""

_ROUNDS = 40


@asynccontextmanager
async def the_shell(trust: ssl.SSLContext | None = None) -> AsyncIterator[ConversationRunner]:
    """What answers the asks of destinations over sockets, as production does; whoever takes rows is on this machine.

    `trust` is whom it trusts for TLS, where that is not whom the system does.
    """
    trust = trust if trust is not None else ssl.create_default_context()
    async with Http(trust, None, timeout=PATIENCE) as http:
        logs = Logs(http, lambda _: LoopbackCredential(), now)
        try:
            yield ConversationRunner(
                http,
                logs,
                Tokens(http, time.monotonic, now),
                Mail(trust, Patience(timeout=PATIENCE, acceptance=PATIENCE)),
            )
        finally:
            await logs.close()


class Room:
    """Deliveries of one destination; its clock stands still until a test moves it."""

    def __init__(
        self, kind: DestinationKind, secrets: Mapping[str, str], store: Store, answers: ConversationRunner
    ) -> None:
        self.now = NOW
        self._kind, self._secrets, self._store, self._answers = kind, secrets, store, answers
        spec = DestinationSpec(name=DESTINATION, kind=kind.name, lane=Lane.TICKET, config=None)
        sender = Sender(kind, self._answers.converse, secrets, self._clock, LEASE[Lane.TICKET], Telemetry().delivering)
        self._loop = DeliveryLoop(
            "cwpp",
            Lane.TICKET,
            {DESTINATION: sender},
            store=store,
            clock=self._clock,
            concurrency=4,
            isolation=Isolation(),
            backgrounds=BackgroundReader("cwpp", [spec], store),
        )

    def _clock(self) -> datetime:
        return self.now

    async def deliver(self, *deliveries: Delivery) -> None:
        """Owes deliveries, and delivers whatever is due."""
        await within(self._store, add_deliveries, deliveries, self.now)
        await self._loop.deliver_due(lambda: False)

    async def deliver_all(self, *deliveries: Delivery, later: Callable[[], None] = lambda: None) -> None:
        """The same, over and over while time passes, until nothing is owed; `later` is what time does at the vendor."""
        await self.deliver(*deliveries)
        for _ in range(_ROUNDS):
            if not {DeliveryState.OWED, DeliveryState.CLAIMED} & (await self.states()).keys():
                return
            self.now += TIME
            later()
            await self.deliver()
        raise AssertionError("it never ends")

    async def states(self) -> Counter[DeliveryState]:
        """How many deliveries there are in each state."""
        counts = await within(self._store, count_deliveries, "cwpp")
        return Counter({state: count for (_, state), count in counts.items() if count})

    async def redrive(self) -> None:
        """Has every dead letter sent again."""
        for letter in await self.dead():
            await within(self._store, redrive, letter.id, self.now)

    async def dead(self) -> list[DeadLetter]:
        """The dead letters."""
        return await letters_in(self._store)

    async def is_paused(self) -> bool:
        """Whether the destination is paused."""
        return DESTINATION in await within(self._store, list_pauses, "cwpp")

    async def complaints(self) -> list[str]:
        """What the health page says of the destination."""
        found = await health_of(self._store, {Stream.CWPP: Shelf()}, {Stream.CWPP: a_rulebook()}, self.now)
        return [one for one in found.problems if DESTINATION in one]

    async def send(self, *deliveries: Delivery) -> Sequence[Result]:
        """Sends deliveries in one conversation, without an outbox."""
        attempts = [Attempt(delivery=one, number=1, now=self.now, secrets=self._secrets) for one in deliveries]
        return await self._answers.converse(self._kind, attempts)


@asynccontextmanager
async def a_room(
    kind: DestinationKind, secrets: Mapping[str, str], trust: ssl.SSLContext | None = None
) -> AsyncIterator[Room]:
    """A room with an empty outbox; `trust` is as for the shell."""
    with TemporaryDirectory() as directory:
        store = open_new_store(Path(directory))
        try:
            async with the_shell(trust) as answers:
                yield Room(kind, secrets, store, answers)
        finally:
            await store.close()


def opened(turn: int = 1, **notice: Any) -> Delivery:
    """An alert is opened at its turn."""
    return a_delivery(a_notice(turn=turn, **notice), Change.OPENED, opened=turn)


def updated(turn: int = 2, opening: int = 1, **notice: Any) -> Delivery:
    """It changed since its opening."""
    return a_delivery(a_notice(turn=turn, **notice), Change.UPDATED, opened=opening)


def resolved(turn: int = 3, opening: int = 1, **notice: Any) -> Delivery:
    """It is over."""
    return a_delivery(a_notice(turn=turn, status="Resolved", **notice), Change.RESOLVED, opened=opening)


def a_life(**notice: Any) -> tuple[Delivery, Delivery, Delivery]:
    """A signal opened, updated and resolved."""
    return opened(**notice), updated(**notice), resolved(**notice)


def a_huge_life() -> tuple[Delivery, Delivery, Delivery]:
    """The same of what no vendor takes as it is, from the place of any other."""
    names = ("title", "description", "remediation", "evidence", "extended")
    return a_life(**{name: getattr(a_huge_notice(), name) for name in names})


@asynccontextmanager
async def a_room_at(vendor: Endpoint, make: Make) -> AsyncIterator[Room]:
    """A room whose destination speaks to a double that is served on loopback."""
    async with served(vendor.application()) as url, a_room(*make(url)) as room:
        yield room


@contextmanager
def one_room_at(vendor: Endpoint, make: Make) -> Iterator[tuple[Room, Callable[[Coroutine[Any, Any, None]], None]]]:
    """The same for all examples of a property, which cost no server each; gives what runs an act in it, too."""
    with asyncio.Runner() as runner:
        entered = a_room_at(vendor, make)
        room = runner.run(entered.__aenter__())
        try:
            yield room, runner.run
        finally:
            runner.run(entered.__aexit__(None, None, None))


def play(vendor: Endpoint, make: Make, act: Callable[[Room], Awaitable[None]]) -> None:
    """Plays one act in such a room."""

    async def played() -> None:
        async with a_room_at(vendor, make) as room:
            await act(room)

    asyncio.run(played())


def types_of(results: Sequence[Result]) -> list[type]:
    """The types of results."""
    return [type(result) for result in results]


class Step(NamedTuple):
    """Turns of one signal that become due at once, in the order in which they are put down, and what happens around them.

    `faults` are played by the vendor first; afterwards people close what is open, where `is_closed_by_hand`.
    """

    turns: Sequence[int]
    faults: Sequence[Fault] = ()
    is_closed_by_hand: bool = False


class Life(NamedTuple):
    """A signal from its first turn to its last: what each turn tells, and in which steps.

    `statuses` are the updates, counted from 0 among all turns, that bring nothing but a status. `is_paged` is whether a pager
    is told as well.
    """

    changes: Sequence[Change]
    steps: Sequence[Step]
    statuses: frozenset[int] = frozenset()
    is_paged: bool = False

    @property
    def stands(self) -> bool:
        """Whether the signal stands in the end."""
        return self.changes[-1] is not Change.RESOLVED

    @property
    def is_open(self) -> bool:
        """Whether the signal is to be seen as open in the end: it stands, and nobody closed it since it last was news."""
        is_open = False
        for step in self.steps:
            for turn in sorted(set(step.turns) - self.statuses):
                is_open = self.changes[turn] is not Change.RESOLVED
            is_open = is_open and not step.is_closed_by_hand
        return is_open

    def deliveries(self, **words: Any) -> list[Delivery]:
        """Its deliveries in the order of their turns, counted from 1; `words` are what its notices say."""
        found, opened = [], 1
        for turn, change in enumerate(self.changes, 1):
            opened = turn if change is Change.OPENED else opened
            notice = a_notice(turn=turn, status_only=turn - 1 in self.statuses, paged=self.is_paged, **words)
            found.append(a_delivery(notice, change, opened=opened))
        return found


class Vendor[Double: Endpoint](NamedTuple):
    """A vendor at which signals live.

    `open` gives how much of a signal, by its key, is open there. `close` is what people do with all that is open, None where
    they cannot; `later` is what time does there between attempts. `has_statuses`: whether mere statuses are told there.
    """

    double: Double
    make: Make
    open: Callable[[str], int]
    close: Callable[[str], None] | None = None
    later: Callable[[], None] = lambda: None
    has_statuses: bool = False

    def expected(self, life: Life) -> int:
        """How much of a signal is to be open at the end of its life."""
        return int(life.is_open if self.close else life.stands)


_FAULTS: st.SearchStrategy[Fault] = st.sampled_from([Status(503), Status(429, retry_after="1"), Drop(), LoseAnswer()])


@st.composite
def lives(draw: st.DrawFn, has_statuses: bool = False) -> Life:
    """Lives of up to seven turns, each told as the ledger would, in any order within a step.

    Where there are statuses, some updates bring nothing else, as ticket destinations are told of alerts.
    """
    changes = [Change.OPENED]
    for stands in draw(st.lists(st.booleans(), max_size=6)):
        was_open = changes[-1] is not Change.RESOLVED
        if stands or was_open:
            changes.append((Change.UPDATED if was_open else Change.OPENED) if stands else Change.RESOLVED)
    cuts = draw(st.sets(st.integers(1, len(changes)), max_size=3)) | {len(changes)}
    steps, start = [], 0
    for cut in sorted(cuts):
        turns = draw(st.permutations(range(start, cut)))
        steps.append(Step(turns, draw(st.lists(_FAULTS, max_size=3)), draw(st.booleans())))
        start = cut
    updates = [turn for turn, change in enumerate(changes) if change is Change.UPDATED]
    statuses = draw(st.lists(st.sampled_from(updates))) if updates and has_statuses else ()
    return Life(changes, steps, frozenset(statuses), is_paged=draw(st.booleans()))


async def tell(room: Room, vendor: Vendor[Any], step: Step, deliveries: Sequence[Delivery]) -> None:
    """Delivers the turns of a step until nothing is owed, and has people close what is open, where they do."""
    for fault in step.faults:
        vendor.double.faults.add(fault)
    await room.deliver_all(*(deliveries[turn] for turn in step.turns), later=vendor.later)
    vendor.double.faults.clear()
    if step.is_closed_by_hand and vendor.close:
        vendor.close(deliveries[0].key)
