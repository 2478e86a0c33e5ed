"""A process that writes to a state until it is killed: `python -m tests.store.crashing DIR`."""

import asyncio
import os
import sys
from itertools import count
from pathlib import Path

from router.store.decisions import put_on_record
from tests.store.builders import an_entry
from tests.store.opened import open_store
from tests.store.within import within


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


if __name__ == "__main__":
    write_for_ever(Path(sys.argv[1]))
