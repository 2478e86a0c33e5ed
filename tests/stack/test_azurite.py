"""Storage on loopback, and its queues."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.leash import is_gone
from tests.stack.azurite import Azurite, Queue, StorageError
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
KILLED = """
import os
from tests.stack.azurite import azurite_running
with azurite_running() as azurite:
    print(azurite.pid, flush=True)
    os._exit(0)
"""


def test_what_is_taken_away_stays_where_another_account_has_it_by_the_same_name(azurite: Azurite) -> None:
    """Azurite keeps all accounts in lists that they share. Nothing is done without the key."""

    async def run() -> None:
        account = azurite.new_account()
        async with Queue(account, "queue") as queue, Queue(azurite.new_account(), "queue") as theirs:
            for one in (queue, theirs):
                for content in ("<first> & \u00e4\nlast", "second"):
                    await one.put(content)
            (first,) = await queue.take()
            await queue.delete(first)
            assert (await queue.count(), await theirs.count()) == (1, 2)
            await queue.clear()
            assert (await queue.seen(), await theirs.seen()) == ([], ["<first> & \u00e4\nlast", "second"])
        async with Queue(re.sub(r"AccountKey=\w+", "AccountKey=AAAA", account), "queue") as stranger:
            with pytest.raises(StorageError, match="403"):
                await stranger.count()

    asyncio.run(run())


def test_storage_ends_with_the_process_that_started_it() -> None:
    """Nothing is left running, also where a test run is killed and can tidy up nothing."""
    said = subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    wait_until(lambda: is_gone(int(said)))
