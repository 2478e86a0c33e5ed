"""Reading what the state knows beside a notice delays no send and fails none, and is done only where something is sent."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from router.deliver import ConversationRunner, NoBackground, Sender
from router.deliver.http import Http
from router.deliver.logs_ingestion import Logs
from router.deliver.mail import Mail
from router.deliver.tokens import Tokens
from router.domain.background import NO_BACKGROUND, Background
from router.domain.conversation import Result
from router.domain.deliveries import Claim, Receipt
from router.domain.errors import Unauthorized, Unavailable
from router.domain.lane_limits import LEASE
from router.domain.ports.deliver import Backgrounds
from router.domain.rulebook import Lane
from router.telemetry import Telemetry
from tests.builders import NOW
from tests.deliver.engines import Engine, engine_of_state
from tests.deliver.scripted import Clock, Scripted
from tests.store.opened import Place


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
