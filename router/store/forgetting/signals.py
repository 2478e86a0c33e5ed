"""Signals of which nothing came for long enough, and groups, members and claims that did not change for as long."""

from __future__ import annotations

from datetime import datetime

from router.domain.decisions import Change, Outcome
from router.domain.ledger import LedgerRow
from router.domain.retention import (
    AGAIN,
    LONGEST,
    Disposition,
    Forgotten,
    Retention,
    deliveries_beyond_opening,
    disposition_of_group,
    review_of_signal,
)
from router.domain.state_report import age_of_signal
from router.store.deliveries import StoredEntry
from router.store.engine import Transaction
from router.store.forgetting.deliveries import STEP, entries_by_key, forget_deliveries, forget_payloads
from router.store.instants import micros
from router.store.row_reader import Columns
from router.store.signals import lock_signals

_UNHEARD = "SELECT key FROM signals INDEXED BY aging WHERE outcome=? AND heard<=? AND review_at IS NULL LIMIT ?"
_TO_REVIEW = "SELECT key FROM signals INDEXED BY reviewing WHERE review_at<=? LIMIT ?"
_MEMBERS = "SELECT signal AS key FROM members WHERE signal = ANY(?)"
_OLD_GROUPS = (
    "SELECT * FROM groups INDEXED BY aging_groups WHERE reduced=0 AND at<=? ORDER BY at LIMIT ? FOR UPDATE SKIP LOCKED"
)
_OLD_MEMBERS = """
SELECT stream, destination, signal FROM members WHERE stands=0 AND at<=? ORDER BY at LIMIT ? FOR UPDATE SKIP LOCKED
"""
_OLD_CLAIMS = "SELECT stream, destination, key FROM claims WHERE until<=? ORDER BY until LIMIT ? FOR UPDATE SKIP LOCKED"


async def forget_signals(tx: Transaction, now: datetime, retention: Retention) -> Forgotten:
    """Review some signals: each goes, is reduced to key and place, or is looked at again later."""
    keys = await _old_signals(tx, now)
    if not keys:
        return Forgotten()
    rows, entries = await lock_signals(tx, keys), await entries_by_key(tx, keys)
    members = {row.raw("key") for row in await tx.fetch(_MEMBERS, keys)}
    again: list[tuple[int, str]] = []
    reduced: list[LedgerRow] = []
    going: list[str] = []
    for key, row in sorted(rows.items()):
        review = review_of_signal(row, entries.get(key, {}), is_member=key in members, retention=retention, now=now)
        if review.disposition is Disposition.FORGET:
            going.append(key)
            continue
        again.append((micros(review.again), key))
        if review.disposition is Disposition.REDUCE:
            reduced.append(row)
    beyond = [
        entry
        for row in reduced
        for destination, some in entries.get(row.key, {}).items()
        for entry in deliveries_beyond_opening(some, row, destination)
    ]
    closed = [entry for key in going for some in entries.get(key, {}).values() for entry in some]
    deliveries = await forget_deliveries(tx, [*beyond, *closed])
    untold = [*going, *(row.key for row in reduced)]
    await forget_payloads(tx, untold)
    await tx.execute_many("UPDATE signals SET review_at=? WHERE key=?", again)
    await tx.execute("UPDATE signals SET rule_fields=NULL WHERE key = ANY(?)", [row.key for row in reduced])
    for table, column in (("lookups", "signal"), ("signals", "key")):
        await tx.execute(f"DELETE FROM {table} WHERE {column} = ANY(?)", going)
    return Forgotten(deliveries=deliveries, signals=len(going), reduced=len(reduced), is_done=False)


async def _old_signals(tx: Transaction, now: datetime) -> list[str]:
    """The keys of some signals that are old enough to be looked at."""
    found: list[Columns] = []
    for outcome in Outcome:
        found += await tx.fetch(_UNHEARD, outcome.value, micros(now - age_of_signal(outcome)), STEP - len(found))
    found += await tx.fetch(_TO_REVIEW, micros(now), STEP - len(found))
    return [row.raw("key") for row in found]


async def forget_groups(tx: Transaction, now: datetime) -> Forgotten:
    """Take some groups away, or leave key and place of one that stands."""
    rows = await tx.fetch(_OLD_GROUPS, micros(now - LONGEST), STEP)
    if not rows:
        return Forgotten()
    entries = await entries_by_key(tx, {row.words("key") for row in rows})
    going: list[tuple[object, ...]] = []
    reduced: list[tuple[object, ...]] = []
    later: list[tuple[object, ...]] = []
    closed: list[StoredEntry] = []
    forgotten: list[str] = []
    for row in rows:
        place, key = (row.raw("stream"), row.raw("destination"), row.raw("key")), row.words("key")
        some = entries.get(key, {}).get(row.words("destination"), [])
        match disposition_of_group(bool(row.raw("standing")), some):
            case Disposition.KEEP:
                later.append((micros(now - LONGEST + AGAIN), *place))
                continue
            case Disposition.REDUCE:
                reduced.append(place)
                opening = max((entry.turn for entry in some if entry.change == Change.OPENED), default=0)
                closed += [entry for entry in some if entry.turn != opening]
            case Disposition.FORGET:
                going.append(place)
                closed += some
        forgotten.append(key)
    deliveries = await forget_deliveries(tx, closed)
    await forget_payloads(tx, forgotten)
    where = "WHERE stream=? AND destination=? AND key=?"
    await tx.execute_many(f"UPDATE groups SET at=? {where}", later)
    await tx.execute_many(f"UPDATE groups SET reduced=1 {where}", reduced)
    await tx.execute_many(f"DELETE FROM groups {where}", going)
    return Forgotten(groups=len(going), reduced=len(reduced), deliveries=deliveries, is_done=False)


async def forget_memberships(tx: Transaction, now: datetime) -> Forgotten:
    """Take away members that are over, and claims of incidents."""
    gone = []
    for table, key, old in (("members", "signal", _OLD_MEMBERS), ("claims", "key", _OLD_CLAIMS)):
        rows = await tx.fetch(old, micros(now - LONGEST), STEP)
        places = [(row.raw("stream"), row.raw("destination"), row.raw(key)) for row in rows]
        gone.append(await tx.execute_many(f"DELETE FROM {table} WHERE stream=? AND destination=? AND {key}=?", places))
    return Forgotten(groups=sum(gone), is_done=max(gone) < STEP)
