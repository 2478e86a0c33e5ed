"""The end of a worker in order: who is waited for, and for how long."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from subprocess import PIPE, Popen

import pytest

from router.app.drain import STOP, Drain
from router.domain.errors import Ending
from tests.cli.virtual_time import clock, run_at_once
from tests.leash import leashed

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


def test_the_end_waits_for_all_that_is_under_way() -> None:
    """And not at all where nothing is."""
    assert over_after() == (True, 0)
    assert over_after(3, 7, 5) == (True, 7)


def test_what_hangs_is_not_waited_for_longer_than_the_grace() -> None:
    """What it claimed is due again when its lease is over."""
    assert over_after(3, STOP + 1) == (False, STOP)


def test_nothing_further_begins_once_the_end_is_asked_for() -> None:
    """Whoever wants something done is told to ask another worker."""
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
