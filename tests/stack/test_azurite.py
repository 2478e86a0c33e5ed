"""Storage on loopback, its queues, and the ways in which it fails."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tests.leash import is_gone
from tests.stack.azurite import Azurite, Queue, StorageError, azurite_running
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
KILLED = """
import os
from tests.stack.azurite import azurite_running
with azurite_running() as azurite:
    print(azurite.pid, flush=True)
    os._exit(0)
"""


def a_queue(connection: str) -> Queue:
    """A client that does not wait long."""
    return Queue(connection, "queue", patience=1)


def test_a_message_is_taken_by_one_at_a_time_until_it_is_deleted(azurite: Azurite) -> None:
    """Whoever takes it hides it for a time, longer where that is asked for; its count and its text stay."""

    async def run() -> None:
        async with a_queue(azurite.new_account()) as queue:
            assert (await queue.take(), await queue.seen(), await queue.count()) == ([], [], 0)
            await queue.clear()
            for text in ("<first> & \u00e4\nlast", "second"):
                await queue.put(text)
            assert await queue.seen() == ["<first> & \u00e4\nlast", "second"]
            first, second = await queue.take(2, hidden=60)
            assert (first.content, first.dequeued) == ("<first> & \u00e4\nlast", 1)
            assert first.expires - first.visible > first.visible - first.inserted >= timedelta(seconds=60)
            assert (await queue.take(), await queue.seen(), await queue.count()) == ([], [], 2)
            await queue.hide(first, 0)
            (again,) = await queue.take(32)
            assert (again.id, again.dequeued) == (first.id, 2)
            await queue.hide(again, 60)
            for message in (again, second):
                await queue.delete(message)
            assert await queue.count() == 0

    asyncio.run(run())


def test_a_request_that_is_not_signed_is_refused(azurite: Azurite) -> None:
    """Nothing is read without the key."""

    async def run() -> None:
        async with a_queue(re.sub(r"AccountKey=\w+", "AccountKey=AAAA", azurite.new_account())) as queue:
            await queue.count()

    with pytest.raises(StorageError, match="403"):
        asyncio.run(run())


def test_what_is_taken_away_is_gone_and_what_others_have_by_the_same_name_stays(azurite: Azurite) -> None:
    """Single messages and all of a queue's: Azurite keeps them in lists that all accounts share."""

    async def run() -> None:
        async with a_queue(azurite.new_account()) as mine, a_queue(azurite.new_account()) as theirs:
            for queue, count in ((mine, 30), (theirs, 3)):
                for number in range(count):
                    await queue.put(str(number))
            (first,) = await theirs.take()
            await theirs.delete(first)
            await mine.clear()
            assert await mine.seen() == []
            assert sorted(await theirs.seen()) == ["1", "2"]
            await mine.put("later")
            (later,) = await mine.take()
            await mine.delete(later)
            assert await mine.count() == 0

    asyncio.run(run())


def test_paused_storage_hangs_and_answers_again_when_it_is_resumed() -> None:
    """Storage that hangs looks to a client like a server that took its request and says nothing."""

    async def run(azurite: Azurite) -> None:
        async with a_queue(azurite.connection_string) as queue:
            azurite.pause()
            with pytest.raises(StorageError, match="Timeout"):
                await queue.put("too early")
            azurite.resume()
            await queue.put("in time")
            assert "in time" in await queue.seen()

    with azurite_running() as azurite:
        asyncio.run(run(azurite))


def test_stopped_storage_refuses_and_has_kept_its_data_when_it_is_started_again(tmp_path: Path) -> None:
    """A restart is an outage, no loss, where data is kept in a directory; the way there stays the same."""

    async def run(azurite: Azurite) -> None:
        async with a_queue(azurite.connection_string) as queue:
            await queue.put("kept")
            before = azurite.connection_string
            azurite.stop()
            with pytest.raises(StorageError, match="ConnectError"):
                await queue.seen()
            azurite.start()
            assert azurite.connection_string == before
            assert await queue.seen() == ["kept"]

    with azurite_running(tmp_path) as azurite:
        asyncio.run(run(azurite))


def test_storage_ends_with_the_process_that_started_it() -> None:
    """Nothing is left running, also where a test run is killed and can tidy up nothing."""
    said = subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    wait_until(lambda: is_gone(int(said)))
