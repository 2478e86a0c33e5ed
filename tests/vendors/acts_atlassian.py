"""What tests do to Atlassian's doubles: tell them over real sockets, one by one or through an outbox."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import strategies as st

from alert_router_demo.soc.endpoint import Endpoint, served
from alert_router_demo.soc.faults import Drop, Fault, LoseAnswer, Status
from router.app.clock import now
from router.deliver import Answers, Isolation, Sender, Worker
from router.deliver.http import Http
from router.deliver.logs import Logs
from router.deliver.tokens import Tokens
from router.domain.asks import Result
from router.domain.decisions import Change
from router.domain.deliveries import DeliveryState, Pointer
from router.domain.lanes import LEASE
from router.domain.notices import Attempt, Delivery, Receipt
from router.domain.ports import DestinationKind
from router.domain.rulebook import Lane
from router.store.sqlite import SqliteStore
from router.telemetry import Telemetry
from tests.destinations.builders import NOW, a_delivery, a_notice

type Make = Callable[[str], DestinationKind]
"""A destination at the vendor's base URL."""


class Line:
    """A destination that speaks to a double; `secrets` are those that it may know."""

    def __init__(self, kind: DestinationKind, answers: Answers, secrets: Mapping[str, str]) -> None:
        self.kind = kind
        self.answers = answers
        self.secrets = secrets

    async def tell(
        self,
        change: Change = Change.OPENED,
        *,
        opening: Result | None = None,
        number: int = 1,
        turn: int | None = None,
        now: datetime = NOW,
        **notice: object,
    ) -> Result:
        """Delivers one notice; `opening` is what the opening brought."""
        turn = turn if turn is not None else 1 if change is Change.OPENED else 2
        delivery = a_delivery(a_notice(turn=turn, **notice), change)
        receipt = opening if isinstance(opening, Receipt) else None
        attempt = Attempt(delivery=delivery, number=number, now=now, secrets=self.secrets, opening=receipt)
        (result,) = await self.answers.converse(self.kind, [attempt])
        return result


def on_the_line[T](
    vendor: Endpoint, make: Make, secrets: Mapping[str, str], talk: Callable[[Line], Awaitable[T]], path: str = ""
) -> T:
    """What came of a talk with a double that is served on loopback; `path` is where its API begins."""

    async def spoken() -> T:
        async with served(vendor.application()) as url, Http(ssl.create_default_context()) as http:
            return await talk(Line(make(url + path), _answers(http), secrets))

    return asyncio.run(spoken())


def _answers(http: Http) -> Answers:
    return Answers(http, Logs(http, lambda endpoint: pytest.fail(endpoint), now), Tokens(http, time.monotonic, now))


class Step(NamedTuple):
    """Turns of one signal that become due at once, in the order in which they are put down, and what happens around them.

    `faults` are played by the vendor first; afterwards people close what is open, where `is_closed_by_hand`.
    """

    turns: Sequence[int]
    faults: Sequence[Fault]
    is_closed_by_hand: bool


class Life(NamedTuple):
    """A signal from its first turn to its last: what each turn tells, and in which steps."""

    changes: Sequence[Change]
    steps: Sequence[Step]

    @property
    def is_open(self) -> bool:
        """Whether the signal is to be seen as open in the end: it stands, and nobody closed it since."""
        return self.changes[-1] is not Change.RESOLVED and not self.steps[-1].is_closed_by_hand

    def deliveries(self) -> list[Delivery]:
        """Its deliveries in the order of their turns, counted from 1."""
        told, opened = [], 1
        for turn, change in enumerate(self.changes, 1):
            opened = turn if change is Change.OPENED else opened
            told.append(a_delivery(a_notice(turn=turn), change, opened=opened))
        return told


_FAULTS: st.SearchStrategy[Fault] = st.sampled_from([Status(503), Status(429, retry_after="1"), Drop(), LoseAnswer()])


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Lives of up to seven turns, each told as the ledger would, in any order within a step."""
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
    return Life(changes, steps)


def live(
    vendor: Endpoint,
    make: Make,
    secrets: Mapping[str, str],
    life: Life,
    *,
    close_by_hand: Callable[[], None],
    later: Callable[[], None] = lambda: None,
) -> None:
    """Lives a life through an outbox until nothing is owed; `later` is what time does at the vendor between attempts."""

    async def lived() -> None:
        with tempfile.TemporaryDirectory() as place:
            store = SqliteStore(Path(place))
            try:
                async with served(vendor.application()) as url, Http(ssl.create_default_context()) as http:
                    instance = _DrainedOutbox(
                        store, make(url), Answers(http, _no_logs(http), Tokens(http, time.monotonic, now)), secrets
                    )
                    told = life.deliveries()
                    for step in life.steps:
                        for fault in step.faults:
                            vendor.faults.add(fault)
                        await store.outbox.add([told[turn] for turn in step.turns], instance.now)
                        await instance.drain(later)
                        vendor.faults.clear()
                        if step.is_closed_by_hand:
                            close_by_hand()
            finally:
                await store.close()

    asyncio.run(lived())


def _no_logs(http: Http) -> Logs:
    return Logs(http, lambda endpoint: pytest.fail(endpoint), now)


class _DrainedOutbox:
    """An outbox and a clock that moves on until everything is settled."""

    def __init__(self, store: SqliteStore, kind: DestinationKind, answers: Answers, secrets: Mapping[str, str]) -> None:
        self._store = store
        self.now = NOW
        sender = Sender(kind, answers, secrets, lambda: self.now, LEASE[Lane.TICKET], Telemetry().delivering)
        self._worker = Worker(
            "cwpp", "there", sender, outbox=store.outbox, clock=lambda: self.now, concurrency=4, isolation=Isolation()
        )

    async def drain(self, later: Callable[[], None]) -> None:
        """Delivers until nothing is owed; what died is a failure of the test."""
        for _ in range(100):
            await self._worker.deliver_at(Pointer("cwpp", Lane.TICKET, "there"))
            later()
            states = {state for (_, state), count in (await self._store.outbox.counts("cwpp")).items() if count}
            assert DeliveryState.DEAD not in states
            if not states & {DeliveryState.OWED, DeliveryState.CLAIMED}:
                return
            self.now += timedelta(minutes=11)
        raise AssertionError("it is owed for ever")
