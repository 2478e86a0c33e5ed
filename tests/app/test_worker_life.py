"""A worker's life: what is opened at its first use and stays open, and an end in order."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from subprocess import PIPE, Popen

import pytest

from router.app.drain import STOP, Drain
from router.app.lazy import Lazy
from router.domain.errors import Ending
from tests.cli.virtual_time import clock, run_at_once
from tests.leash import leashed


class Refusal(Exception):
    """It cannot be opened just now."""


@dataclass
class House:
    """Something to open; so many openings fail first, and each takes until `free` is set."""

    refusals: int = 0
    free: asyncio.Event = field(default_factory=asyncio.Event)
    opened: int = 0
    closed: int = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Opens it; what is given says the how manieth opening it was."""
        self.opened += 1
        mine = self.opened
        await self.free.wait()
        if mine <= self.refusals:
            raise Refusal
        try:
            yield f"opening {mine}"
        finally:
            self.closed += 1


async def asked(house: House, callers: int, gone: int = 0) -> list[str]:
    """What so many callers get that come at once, before anything is open; of the first, so many are gone by then."""
    once = Lazy(house.open)
    assert house.opened == 0  # To import a door costs nothing.
    calling = [asyncio.create_task(once()) for _ in range(callers)]
    await asyncio.sleep(0)
    for call in calling[:gone]:
        call.cancel()
    house.free.set()
    found = await asyncio.gather(*calling, return_exceptions=True)
    return [type(one).__name__ if isinstance(one, BaseException) else one for one in found]


def test_callers_share_one_opening_and_one_that_comes_to_nothing_is_tried_again(subtests: pytest.Subtests) -> None:
    """Those that come while it is being opened wait for it; who tried it is told why it failed, and may be gone."""
    cases = (
        ("at once", House(), 20, 0, ["opening 1"] * 20),
        ("refused twice", House(refusals=2), 5, 0, ["Refusal"] * 2 + ["opening 3"] * 3),
        ("broken off", House(), 2, 1, ["CancelledError", "opening 2"]),
    )
    for name, house, callers, gone, expected in cases:
        with subtests.test(name):
            assert asyncio.run(asked(house, callers, gone)) == expected
            assert house.opened == int(expected[-1].split()[-1])


def test_it_stays_open() -> None:
    """For later callers, whoever asked first, and although nobody holds what it gave."""

    async def run() -> tuple[int, int]:
        house = House()
        house.free.set()
        once = Lazy(house.open)
        await once()
        gc.collect()
        for _ in range(5):  # What is collected is closed by the loop, soon.
            await asyncio.sleep(0)
        assert await once() == "opening 1"
        return house.opened, house.closed

    assert asyncio.run(run()) == (1, 0)


WORKER = """
import asyncio, signal, sys
from router.domain.errors import StoreError
from router.app.drain import Drain, ending_on_sigterm

async def last():
    print("last", flush=True)
    raise StoreError("storage is down")

async def main():
    drain = Drain()
    with ending_on_sigterm(drain, last):
        with drain.work():
            print("at work", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            print("done", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


def over_after(*works: float) -> tuple[bool, float]:
    """Whether all of some works came to their end in time, and when that was known."""

    async def run() -> tuple[bool, float]:
        drain = Drain()

        async def work(seconds: float) -> None:
            with drain.work():
                await asyncio.sleep(seconds)

        tasks = [asyncio.create_task(work(seconds)) for seconds in works]
        await asyncio.sleep(0)
        is_over = await drain.over()
        at = clock()
        for task in tasks:
            task.cancel()
        return is_over, at

    return run_at_once(run())


def test_the_end_waits_for_all_that_is_under_way_and_no_longer_than_the_grace() -> None:
    """And not at all where nothing is. What hangs is due again when its lease is over. Nothing further begins: whoever wants
    something done is told to ask another worker."""
    assert over_after() == (True, 0)
    assert over_after(3, 7, 5) == (True, 7)
    assert over_after(3, STOP + 1) == (False, STOP)
    drain = Drain()
    drain.refuse()
    drain.asked.set()
    with pytest.raises(Ending):
        drain.refuse()


def test_a_process_ends_of_sigterm_when_what_is_under_way_has_ended() -> None:
    """A second signal hurries nobody, and storage that is down keeps nobody; the process dies of the signal as any other."""
    with Popen([sys.executable, "-c", WORKER], stdin=PIPE, stdout=PIPE, text=True, preexec_fn=leashed) as worker:
        assert worker.stdin is not None and worker.stdout is not None
        assert worker.stdout.readline() == "at work\n"
        os.kill(worker.pid, signal.SIGTERM)
        os.kill(worker.pid, signal.SIGTERM)
        worker.stdin.write("\n")
        worker.stdin.flush()
        assert [worker.stdout.readline() for _ in range(2)] == ["done\n", "last\n"]
        assert worker.wait() == -signal.SIGTERM
