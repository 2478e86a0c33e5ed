"""Forgets what is old at the end of a job, which nobody is to wait for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime

from router.app.maintenance import find_instant_to_forget_by, rules_of, silences_known
from router.domain.counts import Rule
from router.domain.rulebook import Rulebook
from router.domain.signals import Stream
from router.store.forgetting import STEP, forget
from router.store.retention import Retention
from router.store.rules import read_hits
from router.store.store import Store

LEAST = 100_000
"""Decisions and signals that a job forgets at least, where so many are old enough: some seconds' worth."""

AT_ONCE = 20
"""Steps of forgetting between which Ctrl-C is heard."""


async def forget_old(
    store: Store,
    books: Mapping[Stream, Rulebook],
    retention: Retention,
    now: datetime,
    received: int,
    is_stopped: Callable[[], bool],
) -> None:
    """Takes away what is old enough, twice as much as came in if that is more than `LEAST`; the next job goes on."""
    by = await find_instant_to_forget_by(store, now)
    if by is None:
        return
    rules = await _rules_there(store, books)
    for _ in range(0, max(LEAST, 2 * received) // STEP, AT_ONCE):
        if is_stopped() or (await forget(store, by, retention, rules, AT_ONCE)).is_done:
            return
        # Ctrl-C is heard in between.
        await asyncio.sleep(0)


async def _rules_there(store: Store, books: Mapping[Stream, Rulebook]) -> frozenset[Rule]:
    """The rules and silences that are there; of a stream whose rules the job has not read, all that ever held anything."""
    unread = [stream.value for stream in Stream if stream not in books]
    async with store.session() as tx:
        hits = [{(stream, name) for name in await read_hits(tx, stream)} for stream in unread]
    return rules_of(books.values()).union(await silences_known(store), *hits)
