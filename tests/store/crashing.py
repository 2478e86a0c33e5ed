"""Processes that write to a state and are killed: `python -m tests.store.crashing kill|write DIR`.

kill   a process is forked for each line of the store's own code, which is its last one; what it leaves must be sound
write  writes to a state until it is killed
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from itertools import count
from pathlib import Path
from shutil import rmtree
from types import FrameType
from typing import Any

from router.store import store as transaction
from router.store.decisions import put_on_record
from tests.store.builders import an_entry
from tests.store.opened import open_store
from tests.store.within import within

ROOM = str(Path(transaction.__file__).parent)
FILES = tuple(f"{ROOM}/{name}.py" for name in ("sqlite", "witness", "private", "store", "transaction"))
COMMITS = 1


def kill_at_each_line(state: Path) -> int:
    """Kills a writer at each line that it comes to, in a new state and in one that is there; returns how often it did."""
    kills = 0
    for is_new in (True, False):
        if not is_new:
            _write(state, 0)
        before = 0 if is_new else COMMITS
        for line in count(1):
            if is_new:
                rmtree(state, ignore_errors=True)
            heard, acknowledge = os.pipe()
            writer = os.fork()
            if writer == 0:
                _die_at(line)
                _write(state, before, acknowledge)
                os._exit(0)
            os.close(acknowledge)
            _, ended = os.waitpid(writer, 0)
            acknowledged = len(os.read(heard, 100))
            os.close(heard)
            kept = count_in(state)
            assert kept >= acknowledged, f"killed at line {line}: {kept} of {acknowledged} are kept"
            if os.WIFEXITED(ended):
                assert os.WEXITSTATUS(ended) == 0
                break
            kills += 1
    return kills


def write_for_ever(state: Path) -> None:
    """Commits one after the other, and says in the file `acknowledged` how many."""
    with (state.parent / "acknowledged").open("wb", buffering=0) as told:
        store = open_store(state)
        for number in count(1):
            asyncio.run(within(store, put_on_record, [an_entry(f"{number}", title="x" * (number * 37 % 5000))]))
            os.pwrite(told.fileno(), b"%d" % number, 0)


def count_in(state: Path) -> int:
    """How many commits a sound state keeps; raises BadFile for a damaged one."""
    if not state.exists():
        return 0

    async def count() -> int:
        store = open_store(state)
        async with store.session() as tx:
            kept = await tx.value("SELECT count(*) FROM decisions")
        await store.close()
        return int(kept)

    return asyncio.run(count())


def _write(state: Path, first: int, acknowledge: int | None = None) -> None:
    store = open_store(state)
    store.hold()
    for number in range(first, first + COMMITS):
        asyncio.run(within(store, put_on_record, [an_entry(f"{number}")]))
        if acknowledge is not None:
            os.write(acknowledge, b".")
    asyncio.run(store.close())


def _die_at(last: int) -> None:
    lines = count(1)

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith(FILES):
            return None
        if event == "line" and next(lines) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


if __name__ == "__main__":
    what, where = sys.argv[1], Path(sys.argv[2])
    if what == "write":
        write_for_ever(where)
    else:
        print(kill_at_each_line(where))
