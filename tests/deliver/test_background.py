"""Reading what the state knows beside a notice delays no send and fails none, and is done only where something is sent."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from router.deliver import BackgroundReader, ConversationRunner, Sender
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
from router.domain.ports.deliver import ReadsBackground
from router.domain.rulebook import Lane
from router.telemetry import Telemetry
from tests.builders import NOW, a_destination
from tests.deliver.engines import Engine, engine_over
from tests.deliver.scripted import Clock, Scripted
from tests.destinations.builders import a_notice
from tests.stack.azurite import Azurite
from tests.store.builders import a_delivery

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

    async def _meet(self, part: str) -> None:
        if part == self._part:
            if self._trouble is None:
                await asyncio.Event().wait()
            else:
                raise self._trouble

    async def find_history(self, stream: str, destination: str, key: str, opened: int) -> History:
        await self._meet("history")
        return History(last=a_notice(), opened=NOW)

    async def deliveries_at(self, stream: str, destination: str, key: str) -> Sequence[DeliveryStatus]:
        await self._meet("elsewhere")
        return [TOLD]

    async def signals_at(self, stream: str, resource: str, most: int) -> Sequence[SignalAtResource]:
        await self._meet("earlier")
        return [SignalAtResource("other", "other", a_notice().type, False, BEFORE)]

    async def read_aggregation(self, stream: str, destination: str, *, members: Collection[str]) -> AggregationState:
        raise AssertionError("nobody is grouped")


def read_beside(memory: Memory, change: Change, lease: timedelta = LEASE[Lane.TICKET]) -> Background:
    """What is read beside a claim of a ticket, with a pager beside it."""
    delivery = replace(a_delivery(1 if change is Change.OPENED else 2, change), content=a_notice())
    claim = Claim(delivery=delivery, id="c", number=1, born=NOW)
    others = [a_destination("oncall", Lane.PAGE)]
    spec = a_destination("tickets")
    reader = BackgroundReader(spec, others, outbox=memory, groups=memory, record=memory, lease=lease)
    return asyncio.run(reader.read(claim))


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


@pytest.fixture
def engine(azurite: Azurite) -> Iterator[Engine]:
    """An engine over a file with nothing owed."""
    yield from engine_over("file", azurite)


def a_sender_that_reads(kind: Scripted, clock: Clock, background: ReadsBackground) -> Sender:
    """What sends to a kind that asks for nothing."""
    trust = ssl.create_default_context()
    http = Http(trust)
    tokens = Tokens(http, time.monotonic, clock)
    answers = ConversationRunner(http, Logs(http, pytest.fail, clock), tokens, Mail(trust))
    return Sender(kind, answers, {}, clock, LEASE[Lane.TICKET], Telemetry().delivering, background)


def test_what_was_read_is_in_the_attempt_and_is_read_anew_for_each(engine: Engine) -> None:
    """So it is never out of date; a kind that knows nothing of it is sent to as ever."""
    read: list[Claim] = []

    async def background(claim: Claim) -> Background:
        read.append(claim)
        return Background(opened=NOW + len(read) * timedelta(hours=1))

    answers: Iterator[Result] = iter([Unavailable("503"), Receipt()])
    kind = Scripted(lambda _: next(answers))
    worker = engine.worker(a_sender_that_reads(kind, engine.clock, background))
    engine.owe("k")
    engine.deliver(worker, *engine.pointers())
    engine.clock.now += timedelta(hours=1)
    engine.deliver(worker, *engine.pointers())
    opened = [attempt.background.opened for attempt in kind.attempts]
    assert opened == [NOW + timedelta(hours=1), NOW + timedelta(hours=2)]
    assert [attempt.now for attempt in kind.attempts] == [NOW, NOW + timedelta(hours=1)]


def test_nothing_is_read_for_what_is_not_sent(engine: Engine) -> None:
    """Neither for what is put back because the destination refuses our credentials, nor while it is paused."""
    read: list[Claim] = []

    async def background(claim: Claim) -> Background:
        read.append(claim)
        return NO_BACKGROUND

    kind = Scripted(lambda _: Unauthorized("401"))
    worker = engine.worker(a_sender_that_reads(kind, engine.clock, background), concurrency=1)
    engine.owe(*(f"k{number}" for number in range(10)))
    engine.deliver(worker, *engine.pointers())
    engine.deliver(worker, *engine.pointers())
    assert len(read) == len(kind.attempts) == 1
