"""Reading what the state knows beside a notice delays no send and fails none, and is done only where something is sent."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from router.deliver import BackgroundReader, ConversationRunner, NoBackground, Sender
from router.deliver.http import Http
from router.deliver.logs_ingestion import Logs
from router.deliver.mail import Mail
from router.deliver.tokens import Tokens
from router.domain.background import NO_BACKGROUND, Background, Counterpart, Earlier
from router.domain.conversation import Result
from router.domain.decisions import Change
from router.domain.deliveries import Claim, DeliveryState, DeliveryStatus, Receipt
from router.domain.errors import StoreError, Unauthorized, Unavailable, Undecodable
from router.domain.groups import AggregationState
from router.domain.histories import History
from router.domain.lane_limits import LEASE
from router.domain.lookups import SignalAtResource
from router.domain.ports.deliver import Backgrounds
from router.domain.rulebook import Lane
from router.telemetry import Telemetry
from tests.builders import NOW, a_destination
from tests.deliver.engines import Engine, engine_of_state
from tests.deliver.scripted import Clock, Scripted
from tests.destinations.builders import a_notice
from tests.store.builders import a_delivery
from tests.store.opened import Place

TOLD = DeliveryStatus(
    stream="cwpp",
    destination="oncall",
    lane=Lane.PAGE,
    key="k",
    turn=1,
    change=Change.OPENED,
    opened=1,
    state=DeliveryState.SENT,
    born=NOW,
    due=NOW,
    attempts=1,
    settled=NOW,
    receipt=Receipt(link="https://contoso.example/P1"),
)
BEFORE = NOW - timedelta(days=1)
ON_PAGER = (Counterpart(destination="oncall", lane=Lane.PAGE, link="https://contoso.example/P1"),)


class Memory:
    """What is stored, where one part of it may bring a trouble instead, or take long."""

    def __init__(self, part: str = "", trouble: Exception | None = None) -> None:
        self._part = part
        self._trouble = trouble
        self.asked: list[str] = []

    async def _meet(self, part: str) -> None:
        self.asked.append(part)
        if part == self._part:
            if self._trouble is None:
                await asyncio.Event().wait()
            else:
                raise self._trouble

    async def find_histories(self, stream: str, destination: str, opened: Mapping[str, int]) -> Mapping[str, History]:
        await self._meet("history")
        return dict.fromkeys(opened, History(last=a_notice(), opened=NOW))

    async def deliveries_at(self, stream: str, destination: str, key: str) -> Sequence[DeliveryStatus]:
        raise AssertionError("each is read with others")

    async def deliveries_at_each(
        self, stream: str, destinations: Collection[str], keys: Collection[str]
    ) -> Mapping[tuple[str, str], Sequence[DeliveryStatus]]:
        await self._meet("elsewhere")
        return {(name, key): [TOLD] for name in destinations for key in keys}

    async def signals_at_each(
        self, stream: str, resources: Collection[str], most: int
    ) -> Mapping[str, Sequence[SignalAtResource]]:
        await self._meet("earlier")
        return {key: [SignalAtResource("other", "other", a_notice().type, False, BEFORE)] for key in resources}

    async def read_aggregation(self, stream: str, destination: str, *, members: Collection[str]) -> AggregationState:
        raise AssertionError("nobody is grouped")


def a_reader(memory: Memory, lease: timedelta = LEASE[Lane.TICKET]) -> BackgroundReader:
    """What reads beside tickets, with a pager beside them."""
    spec, others = a_destination("tickets"), [a_destination("oncall", Lane.PAGE)]
    return BackgroundReader(spec, others, outbox=memory, groups=memory, record=memory, lease=lease)


def a_claim(change: Change = Change.OPENED, id: str = "k") -> Claim:
    """A claim of a ticket."""
    delivery = replace(a_delivery(1 if change is Change.OPENED else 2, change, key=id), content=a_notice())
    return Claim(delivery=delivery, id=f"claim of {id}", number=1, born=NOW)


def read_beside(memory: Memory, change: Change, lease: timedelta = LEASE[Lane.TICKET]) -> Background:
    """What is read beside a claim of a ticket, with a pager beside it."""
    return asyncio.run(a_reader(memory, lease).read(a_claim(change)))


OPENING = Background(opened=NOW, elsewhere=ON_PAGER, earlier=Earlier(count=1, last=BEFORE))
UPDATE = Background(last=a_notice(), opened=NOW, elsewhere=ON_PAGER)


@pytest.mark.parametrize("trouble", [StoreError("storage is down"), Undecodable("key: is no text"), TimeoutError()])
@pytest.mark.parametrize(
    ("part", "change", "left"),
    [
        ("", Change.OPENED, OPENING),
        ("", Change.UPDATED, UPDATE),
        ("elsewhere", Change.OPENED, replace(OPENING, elsewhere=())),
        ("earlier", Change.OPENED, replace(OPENING, earlier=None)),
        ("history", Change.UPDATED, Background(elsewhere=ON_PAGER)),
    ],
)
def test_what_storage_does_not_bring_is_left_out(
    trouble: Exception, part: str, change: Change, left: Background
) -> None:
    """The rest is there all the same, and nothing is raised."""
    assert read_beside(Memory(part, trouble), change) == left


def test_nobody_waits_long_for_storage() -> None:
    """A read takes a tenth of a claim's time at most."""
    assert read_beside(Memory("earlier"), Change.OPENED, timedelta(seconds=1)) == replace(OPENING, earlier=None)


@pytest.mark.parametrize(
    ("fresh", "asked"),
    [(60.0, {"history": 1, "elsewhere": 2, "earlier": 2}), (0.0, {"history": 3, "elsewhere": 6, "earlier": 4})],
)
def test_beside_many_claims_is_read_at_once_and_anew_for_what_waited(
    monkeypatch: pytest.MonkeyPatch, fresh: float, asked: dict[str, int]
) -> None:
    """However many there are; each is sent with what was read of it, and tried again with what is read then."""
    monkeypatch.setattr("router.deliver.background.FRESH", fresh)
    memory = Memory()
    changes = (Change.OPENED, Change.OPENED, Change.UPDATED, Change.UPDATED)
    claims = [a_claim(change, f"k{number}") for number, change in enumerate(changes)]

    async def read() -> list[Background]:
        reader = a_reader(memory)
        await reader.read_ahead(claims)
        found = [await reader.read(one) for one in claims]
        again = await reader.read(claims[0])
        assert again == found[0]
        return found

    assert asyncio.run(read()) == [OPENING, OPENING, UPDATE, UPDATE]
    assert Counter(memory.asked) == asked


@pytest.fixture
def engine(place: Place) -> Iterator[Engine]:
    """An engine over a file with nothing owed."""
    yield from engine_of_state(place)


def a_sender_that_reads(kind: Scripted, clock: Clock, background: Backgrounds) -> Sender:
    """What sends to a kind that asks for nothing."""
    trust = ssl.create_default_context()
    http = Http(trust)
    tokens = Tokens(http, time.monotonic, clock)
    answers = ConversationRunner(http, Logs(http, pytest.fail, clock), tokens, Mail(trust))
    return Sender(kind, answers, {}, clock, LEASE[Lane.TICKET], Telemetry().delivering, background)


def test_what_was_read_is_in_the_attempt_and_is_read_anew_for_each(engine: Engine) -> None:
    """So it is never out of date; a kind that knows nothing of it is sent to as ever."""

    class Reader(NoBackground):
        async def read(self, claim: Claim) -> Background:
            return Background(opened=engine.clock.now)

    answers: Iterator[Result] = iter([Unavailable("503"), Receipt()])
    kind = Scripted(lambda _: next(answers))
    worker = engine.worker(a_sender_that_reads(kind, engine.clock, Reader()))
    engine.owe("k")
    engine.deliver(worker)
    engine.clock.now += timedelta(hours=1)
    engine.deliver(worker)
    opened = [attempt.background.opened for attempt in kind.attempts]
    assert opened == [NOW, NOW + timedelta(hours=1)]
    assert [attempt.now for attempt in kind.attempts] == [NOW, NOW + timedelta(hours=1)]


def test_nothing_is_read_for_what_is_not_sent(engine: Engine) -> None:
    """Neither for what is put back because the destination refuses our credentials, nor while it is paused."""
    read: list[Claim] = []

    class Reader(NoBackground):
        async def read(self, claim: Claim) -> Background:
            read.append(claim)
            return NO_BACKGROUND

    kind = Scripted(lambda _: Unauthorized("401"))
    worker = engine.worker(a_sender_that_reads(kind, engine.clock, Reader()), concurrency=1)
    engine.owe(*(f"k{number}" for number in range(10)))
    engine.deliver(worker)
    engine.deliver(worker)
    assert len(read) == len(kind.attempts) == 1
