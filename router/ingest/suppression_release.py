"""Decides again what a suppression rule or a silence held, when that ends: what it covered is never buried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import batched

from router.domain.decisions import Outcome
from router.domain.notices import RecordEntry
from router.domain.rulebook import Rulebook
from router.ingest.intake import Intake, Message
from router.store.signals import drop_held, find_held, find_in_doubt
from router.store.store import Store

AT_A_TIME = 100
"""Signals that are decided again at a time."""


async def release_held(
    intake: Intake, store: Store, rulebook: Rulebook, now: datetime, is_stopped: Callable[[], bool] = lambda: False
) -> list[RecordEntry]:
    """Decides again every signal that still stands and whose rule ended, was removed, disabled or changed, until stopped.

    So with silences, as the store has them by now: one that was extended a moment ago lets go of nothing. Returns the entries
    of those signals that are no longer held; raises StoreError.
    """
    stream = rulebook.stream.value
    await intake.silences.read_again(now)
    silences = await intake.silences.silences(stream, now)
    active = {one.name for holders in (rulebook.suppressions, silences) for one in holders.active(now)}
    async with store.session() as tx:
        keys = await find_in_doubt(tx, stream, rulebook.hash, active, now)
    released: list[RecordEntry] = []
    for some in batched(keys, AT_A_TIME, strict=False):
        released += await _decide_again(intake, store, some, now)
        if is_stopped():
            break
    return released


async def _decide_again(intake: Intake, store: Store, keys: Sequence[str], now: datetime) -> list[RecordEntry]:
    async with store.session() as tx:
        rows = await find_held(tx, keys)
    messages = {
        row.key: Message(
            body=row.held.body,
            source=row.held.source,
            # Its own place on record: the message's first outcome, that it was held, stays what it was.
            arrival=replace(row.seen.arrival, again=row.turn),
        )
        for row in rows
        if row.held is not None
    }
    entries = await intake.ingest(list(messages.values()), now)
    not_understood = {entry.key for entry in entries if entry.outcome == Outcome.QUARANTINED}
    # A body that is damaged is in the quarantine now, whole; it would be no other the next time.
    lost = [(row.key, row.turn) for row in rows if messages[row.key].arrival.key in not_understood]
    await store.run(lambda tx: drop_held(tx, lost))
    return [entry for entry in entries if entry.suppressed_by is None]
