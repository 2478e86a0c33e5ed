"""The loops of `serve`: none drifts, none ends for a fault of storage or of a hub, and all end together."""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import httpx
import pytest

from router.app.destination_readiness import Unready
from router.app.drain import STOP, Drain
from router.app.service import Service
from router.app.settings import Lack, Why
from router.cli.interrupts import SIGNALS
from router.cli.probes import HUNG, Probes
from router.cli.serve import AGAIN, LAST, TROUBLE, Troubles, _heed_signals, keep_delivering, repeat, run_until_stopped
from router.domain.errors import HubError, RouterError, StoreError
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.eventhubs.consumer import Consumer
from router.store.sqlite import StateFile
from router.telemetry.exposition import Exposition
from tests.cli.virtual_time import clock, run_at_once

A_WHILE = 1000.0


class Oddity(Exception):
    """What nobody thought of."""


def unexpected(trouble: RouterError) -> None:
    """Fails where a trouble is told that there should not be."""
    raise AssertionError(trouble)


def test_a_sweep_begins_on_the_minute() -> None:
    """However long each takes; one that takes longer leaves out those that should have begun meanwhile.

    One that could not be done is done the next time, and the trouble is told.
    """
    for seconds, begun in ((0, [0, 60, 120]), (59, [0, 60, 120]), (60, [0, 120, 240]), (150, [0, 180, 360])):
        assert begun_at(seconds, []) == begun
    for trouble in (StoreError("down"), HubError("gone")):
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


@pytest.mark.parametrize(("lasts", "ends"), [(STOP - 1, STOP - 1), (A_WHILE, STOP)])
def test_what_does_not_end_in_time_is_broken_off(caplog: pytest.LogCaptureFixture, lasts: float, ends: float) -> None:
    """A stop lasts as long as what is in hand does, and is bounded; that something was broken off is said.

    It does not wait for the next sweep.
    """
    ended: list[float] = []

    async def under_way() -> None:
        await asyncio.sleep(10 + lasts)
        ended.append(clock())

    async def run() -> float:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(10, stop.set)
        sweep = repeat(lambda: asyncio.sleep(1), 60, stop, unexpected)
        await run_until_stopped([under_way(), sweep], stop)
        return clock()

    assert run_at_once(run()) == 10 + ends
    is_whole = lasts == ends
    assert ended == [10 + lasts] * is_whole
    warned = [record.levelno for record in caplog.records if record.levelno > logging.INFO]
    assert warned == [logging.WARNING] * (not is_whole)


def test_what_one_loop_raises_ends_them_all_and_so_does_its_end() -> None:
    """Nothing goes on half alive."""

    async def fail() -> None:
        await asyncio.sleep(5)
        raise Oddity

    async def run(one: Coroutine[object, object, None], fault: type[Exception]) -> float:
        with pytest.RaisesGroup(fault):
            await run_until_stopped([asyncio.sleep(A_WHILE), one], asyncio.Event())
        return clock()

    assert run_at_once(run(fail(), Oddity)) == 5
    assert run_at_once(run(asyncio.sleep(7), RuntimeError)) == 7


def test_a_loop_that_does_not_come_round_hangs(subtests: pytest.Subtests) -> None:
    """A sweep or a batch that never ends, a delivery and a look at a hub that come no more: after half an hour, and no longer
    once it is told to end. A state that is down, and work that begins again, hang nothing."""

    async def hung(what: str) -> tuple[list[float], list[str]]:
        drain, hung_at = Drain(), list[float]()
        lane, hub = SimpleNamespace(looked=0.0), SimpleNamespace(looked=0.0, hub="cwpp", trouble=None)
        service = SimpleNamespace(loops={(Stream.CWPP, Lane.PAGE): lane}, store=None)
        probes = Probes(drain, cast("Exposition", None))
        assert probes.find_hung() == []
        await asyncio.sleep(10 * HUNG)  # A clock may begin anywhere.
        probes.watch(cast("Service", service), [cast("Consumer", hub)])
        found: list[str] = []
        with ExitStack() as held:
            if what == "sweep":
                held.enter_context(drain.work())
            for _ in range(5):
                if what != "page":
                    lane.looked = clock()
                if what != "hub":
                    hub.looked = clock()
                with drain.work():
                    await asyncio.sleep(HUNG / 2)
                if lines := probes.find_hung():
                    hung_at.append(clock() - 10 * HUNG)
                    found += lines
            drain.asked.set()
            assert probes.find_hung() == []
        return hung_at, found

    for what, named in (("page", "cwpp page"), ("hub", "hub cwpp"), ("sweep", "a sweep"), ("nothing", "")):
        with subtests.test(what):
            hung_at, lines = run_at_once(hung(what))
            assert hung_at == ([HUNG * 1.5, HUNG * 2, HUNG * 2.5] if named else [])
            assert all(named in line for line in lines)


def delivered_in(until: float, *faults: Exception) -> tuple[list[float], list[str], float]:
    """When delivering in a lane, a second each time, was begun until a stop; which troubles were told; and when it ended."""
    begun: list[float] = []
    troubles: list[str] = []
    left = iter(faults)

    async def deliver_on(*_: object) -> None:
        begun.append(clock())
        await asyncio.sleep(1)
        for fault in left:
            raise fault

    async def run() -> float:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(until, stop.set)
        service = cast("Service", SimpleNamespace(deliver_on=deliver_on))
        await keep_delivering(service, Stream.CWPP, Lane.PAGE, stop, lambda trouble: troubles.append(str(trouble)))
        return clock()

    ended = run_at_once(run())
    return begun, troubles, ended


def test_a_lane_in_which_the_state_fails_is_delivered_in_again() -> None:
    """A little later, and the trouble is told; the stop does not wait for that. What was not thought of is raised."""
    begun, troubles, _ = delivered_in(2 * (1 + TROUBLE) + 0.5, StoreError("down"), StoreError("still down"))
    assert (begun, troubles) == ([0, 1 + TROUBLE, 2 * (1 + TROUBLE)], ["down", "still down"])
    assert delivered_in(2, StoreError("down")) == ([0], ["down"], 2)
    with pytest.raises(Oddity):
        delivered_in(100, Oddity())


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
        assert signal.alarm(0) == STOP + LAST  # Else it would end this process, which goes on.
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_who_asks_whether_it_can_work_hears_which_destinations_cannot_be_asked(tmp_path: Path) -> None:
    """By the last look at the state. That is no problem, and one that does not answer is one."""

    async def ready(probes: Probes) -> tuple[int, object]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(probes.app()), base_url="http://probes") as client:
            answer = await client.get("/readyz")
        return answer.status_code, answer.json()

    async def work() -> None:
        store = StateFile(tmp_path)
        pager = Unready(stream="cwpp", destination="pager", lane=Lane.PAGE, lacks=(Lack("KEY", Why.MISSING),))
        probes = Probes(Drain(), cast("Exposition", None))
        probes.watch(cast("Service", SimpleNamespace(store=store, unready=[pager])), [])
        assert await ready(probes) == (503, {"status": "failing", "problems": ["is starting"], "not_yet": []})
        await probes.look()
        said = "cwpp pager: not yet: KEY is missing"
        assert await ready(probes) == (200, {"status": "ok", "problems": [], "not_yet": [said]})
        await store.close()
        await probes.look()
        status, document = await ready(probes)
        assert (status, cast("dict[str, object]", document)["not_yet"]) == (503, [])

    asyncio.run(work())
