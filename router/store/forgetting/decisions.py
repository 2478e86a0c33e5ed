"""Decisions that are old enough to go, the oldest first, with what was delivered for them."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from router.domain.keys import ABOUT
from router.domain.ledger import RECORD, record_key
from router.domain.retention import Forgotten, Retention, deliveries_to_forget
from router.domain.signals import Stream
from router.store.engine import Transaction
from router.store.forgetting.deliveries import STEP, entries_by_key, forget_deliveries
from router.store.instants import micros
from router.store.signals import find_signals

_OLD_OF_STREAM = """
SELECT * FROM (
    SELECT place, key, signal, turn, at FROM decisions INDEXED BY decided
    WHERE stream=? AND outcome=? AND at<=? ORDER BY at LIMIT ?
) AS part
"""
_STREAMS = ("", *Stream)
_OLD = f"{' UNION ALL '.join([_OLD_OF_STREAM] * len(_STREAMS))} ORDER BY at LIMIT ?"

# The key names the stream after the decision, which has four letters.
_OUTLIVED = """
SELECT key FROM deliveries INDEXED BY acted_on
WHERE destination='record' AND state IN ('sent', 'skipped') AND (redriven>0 OR state='skipped') AND settled<=?
AND NOT EXISTS (SELECT 1 FROM decisions r WHERE r.key=substr(deliveries.key, 1, length(deliveries.key)-5)) LIMIT ?
"""

_ANNOUNCED = """
SELECT DISTINCT key FROM deliveries INDEXED BY turns
WHERE key>=? AND key<? AND state IN ('sent', 'skipped') AND settled<=? LIMIT ?
"""
_AFTER_ABOUT = f"{ABOUT[:-1]}{chr(ord(ABOUT[-1]) + 1)}"


async def forget_decisions(tx: Transaction, now: datetime, retention: Retention) -> Forgotten:
    """Take the oldest decisions of an outcome away, each with its deliveries."""
    for outcome, age in retention.decisions.items():
        old = [value for one in _STREAMS for value in (one, outcome.value, micros(now - age), STEP)]
        found = await tx.fetch(_OLD, *old, STEP)
        if found:
            turns: dict[str, set[int]] = defaultdict(set)
            for row in found:
                signal, turn = row.raw("signal"), row.raw("turn")
                if signal is not None and turn is not None:
                    turns[signal].add(turn)
                for stream in Stream:
                    turns[record_key(row.words("key"), stream)].add(1)
            deliveries = await _forget_delivered(tx, turns, now - retention.deliveries)
            await tx.execute("DELETE FROM decisions WHERE place = ANY(?)", [row.whole("place") for row in found])
            return Forgotten(decisions=len(found), deliveries=deliveries, is_done=False)
    return Forgotten()


async def _forget_delivered(tx: Transaction, turns: dict[str, set[int]], settled_until: datetime) -> int:
    """Take away what was delivered by some turns of signals."""
    entries = await entries_by_key(tx, turns)
    rows = await find_signals(tx, entries)
    going = [
        entry
        for key, by_destination in entries.items()
        for destination, some in by_destination.items()
        for entry in deliveries_to_forget(some, rows.get(key), destination, turns[key], settled_until)
    ]
    return await forget_deliveries(tx, going)


async def forget_outlived(tx: Transaction, settled_until: datetime) -> Forgotten:
    """Take away what the record's second home was owed for decisions that went while it was a dead letter."""
    keys = {row.raw("key") for row in await tx.fetch(_OUTLIVED, micros(settled_until), STEP)}
    going = [one for some in (await entries_by_key(tx, keys)).values() for one in some.get(RECORD, ())]
    return Forgotten(deliveries=await forget_deliveries(tx, going), is_done=not going)


async def forget_announcements(tx: Transaction, settled_until: datetime) -> Forgotten:
    """Take away what people were told of rules, silences and holds: no decision and no signal leads to it."""
    found = await tx.fetch(_ANNOUNCED, ABOUT, _AFTER_ABOUT, micros(settled_until), STEP)
    going = [
        entry
        for by_destination in (await entries_by_key(tx, {row.raw("key") for row in found})).values()
        for destination, some in by_destination.items()
        for entry in deliveries_to_forget(some, None, destination, {one.turn for one in some}, settled_until)
    ]
    return Forgotten(deliveries=await forget_deliveries(tx, going), is_done=not going)
