"""The loops of `serve`: none drifts, none ends for a fault of storage or of a hub, and all end together."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

import pytest

from router.app.drain import STOP
from router.app.service import Service
from router.app.wiring import POINTERS
from router.cli.interrupts import SIGNALS
from router.cli.serve import AGAIN, TROUBLE, Troubles, _heed_signals, repeat, run_until_stopped, work_off
from router.domain.errors import HubError, RouterError, StoreError
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from tests.cli.virtual_time import clock, run_at_once

A_WHILE = 1000.0


class Oddity(Exception):
    """What nobody thought of."""


def unexpected(trouble: RouterError) -> None:
    """Fails where a trouble is told that there should not be."""
    raise AssertionError(trouble)


@pytest.mark.parametrize(
    ("seconds", "begun"), [(0, [0, 60, 120]), (59, [0, 60, 120]), (60, [0, 120, 240]), (150, [0, 180, 360])]
)
def test_a_sweep_begins_on_the_minute(seconds: float, begun: list[float]) -> None:
    """However long each takes; one that takes longer leaves out those that should have begun meanwhile."""
    assert begun_at(seconds, []) == begun


@pytest.mark.parametrize("trouble", [StoreError("down"), HubError("gone")])
def test_a_sweep_that_could_not_be_done_is_done_the_next_time(trouble: RouterError) -> None:
    """And the trouble is told."""
    troubles: list[RouterError] = []
    assert begun_at(7, troubles, trouble) == [0, 60, 120]
    assert troubles == [trouble] * 3


def begun_at(seconds: float, troubles: list[RouterError], trouble: RouterError | None = None) -> list[float]:
    """When work that takes so many seconds was begun the first three times, a minute apart."""
    begun: list[float] = []

    async def run() -> None:
        stop = asyncio.Event()

        async def work() -> None:
            begun.append(clock())
            if len(begun) == 3:
                stop.set()
            await asyncio.sleep(seconds)
            if trouble is not None:
                raise trouble

        await repeat(work, 60, stop, troubles.append)

    run_at_once(run())
    return begun


def test_the_stop_does_not_wait_for_the_next_sweep() -> None:
    """It ends when it is told to."""

    async def run() -> float:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(10, stop.set)
        await repeat(lambda: asyncio.sleep(1), 60, stop, unexpected)
        return clock()

    assert run_at_once(run()) == 10


def test_what_does_not_end_in_time_is_broken_off(caplog: pytest.LogCaptureFixture) -> None:
    """A stop is bounded, whatever hangs, and it is said that something was broken off."""

    async def run() -> float:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(10, stop.set)
        await run_until_stopped([asyncio.sleep(A_WHILE), stopped(stop)], stop)
        return clock()

    assert run_at_once(run()) == 10 + STOP
    assert [record.levelno for record in caplog.records if record.levelno > logging.INFO] == [logging.WARNING]


def test_what_ends_in_time_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """A stop lasts as long as what is in hand does."""
    ended: list[float] = []

    async def under_way() -> None:
        await asyncio.sleep(10 + STOP - 1)
        ended.append(clock())

    async def run() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(10, stop.set)
        await run_until_stopped([under_way()], stop)

    run_at_once(run())
    assert ended == [10 + STOP - 1]
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


def test_what_one_loop_raises_ends_them_all() -> None:
    """Nothing goes on half alive."""

    async def fail() -> None:
        await asyncio.sleep(5)
        raise Oddity

    async def run() -> None:
        with pytest.raises(ExceptionGroup) as raised:
            await run_until_stopped([asyncio.sleep(A_WHILE), fail()], asyncio.Event())
        assert raised.value.exceptions[0].__class__ is Oddity
        assert clock() == 5

    run_at_once(run())


@dataclass
class Queue:
    """The queue of one lane, and what carries its pointers, both under control; stands in for a whole service."""

    waiting: list[str]
    deliver_one: Callable[[str], Awaitable[None]]
    faults: list[StoreError] = field(default_factory=list)
    received: list[tuple[float, int]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    @property
    def store(self) -> Queue:
        return self

    @property
    def outbox(self) -> Queue:
        return self

    def queue(self, stream: str, lane: Lane) -> Queue:
        return self

    async def receive(self, most: int, hidden: timedelta) -> Sequence[tuple[str, object]]:
        self.received.append((clock(), most))
        if self.faults:
            raise self.faults.pop()
        taken, self.waiting = self.waiting[:most], self.waiting[most:]
        return [(text, text) for text in taken]

    async def delete(self, handle: object) -> None:
        self.deleted.append(str(handle))

    async def deliver(self, stream: Stream, lane: Lane, text: str) -> None:
        await self.deliver_one(text)


def worked_off(queue: Queue, until: float, report: Callable[[RouterError], None] = unexpected) -> float:
    """When the work on a queue ended that was told to stop at some time."""

    async def run() -> float:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(until, stop.set)
        await work_off(cast("Service", queue), Stream.CWPP, Lane.PAGE, stop, report)
        return clock()

    return run_at_once(run())


def test_pointers_are_carried_many_at_a_time_and_no_more() -> None:
    """As many as the host of Functions has in hand; the next is received when one of them is done."""
    in_hand: list[int] = [0, 0]

    async def deliver(text: str) -> None:
        in_hand[0] += 1
        in_hand[1] = max(in_hand)
        await asyncio.sleep(10 if text == "1" else 30)
        in_hand[0] -= 1

    texts = [str(number) for number in range(POINTERS + 2)]
    queue = Queue(texts, deliver)
    worked_off(queue, 100)
    assert queue.received[:3] == [(0, POINTERS), (10, 1), (30, POINTERS - 1)]
    assert in_hand == [0, POINTERS]
    assert sorted(queue.deleted) == sorted(texts)


def test_at_the_stop_no_pointer_is_received_and_those_in_hand_are_carried_on() -> None:
    """Also where all hands are full."""
    queue = Queue([str(number) for number in range(POINTERS + 5)], lambda text: asyncio.sleep(30))
    assert worked_off(queue, 10) == 30
    assert queue.received == [(0, POINTERS)]
    assert len(queue.deleted) == POINTERS


def test_a_pointer_that_storage_kept_from_its_delivery_is_carried_again() -> None:
    """It is not deleted before, and nothing else has to bring it back."""
    troubles: list[RouterError] = []
    faults = [StoreError("down"), StoreError("still down")]

    async def deliver(text: str) -> None:
        if faults:
            raise faults.pop(0)

    queue = Queue(["1"], deliver)
    worked_off(queue, 100, troubles.append)
    assert [str(trouble) for trouble in troubles] == ["down", "still down"]
    assert queue.deleted == ["1"]


def test_a_queue_that_cannot_be_asked_is_asked_again() -> None:
    """A little later."""
    troubles: list[RouterError] = []
    queue = Queue(["1"], lambda text: asyncio.sleep(0), [StoreError("down")])
    worked_off(queue, 100, troubles.append)
    assert [str(trouble) for trouble in troubles] == ["down"]
    assert [at for at, _ in queue.received[:2]] == [0, TROUBLE]
    assert queue.deleted == ["1"]


def test_while_storage_is_down_the_stop_lets_go_of_what_cannot_be_carried() -> None:
    """The pointer comes back by itself."""

    async def deliver(text: str) -> None:
        raise StoreError("down")

    queue = Queue(["1"], deliver)
    assert worked_off(queue, 12, lambda trouble: None) == 12
    assert queue.deleted == []


def test_what_carrying_raises_is_raised() -> None:
    """A pointer's failure is not left lying in a task that nobody looks at."""

    async def deliver(text: str) -> None:
        raise Oddity

    with pytest.raises(ExceptionGroup):
        worked_off(Queue(["1"], deliver), 100)


def test_the_same_trouble_is_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """On one line; another trouble is said beside it."""
    now = [0.0]
    troubles = Troubles(clock=lambda: now[0])
    for at in (0, AGAIN - 1, AGAIN, AGAIN + 1):
        now[0] = at
        troubles.tell(StoreError("storage:\ndown"))
    troubles.tell(HubError("hub: gone"))
    assert caplog.messages == ["storage: down", "storage: down", "hub: gone"]


def test_what_was_started_to_ignore_ctrl_c_goes_on_serving() -> None:
    """As `nohup` and a script's background job start it: whoever presses Ctrl-C means another program; SIGTERM stops it."""

    async def stops_at(number: signal.Signals) -> bool:
        stop = asyncio.Event()
        _heed_signals(stop)
        signal.raise_signal(number)
        for _ in range(10):
            await asyncio.sleep(0)
        return stop.is_set()

    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert [asyncio.run(stops_at(number)) for number in SIGNALS] == [False, True]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def stopped(stop: asyncio.Event) -> None:
    """Ends at the stop."""
    await stop.wait()
