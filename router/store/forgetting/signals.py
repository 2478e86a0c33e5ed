"""Signals of which nothing came for long enough, and states of members, groups and windows that did not change for as long."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from router.domain.decisions import Outcome
from router.domain.groups import GroupState
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
from router.store.aggregation_entries import entry_of
from router.store.codec import attempt
from router.store.deliveries import StoredEntry
from router.store.engine import Transaction
from router.store.forgetting.deliveries import STEP, entries_by_key, forget_deliveries, forget_payloads
from router.store.instants import micros
from router.store.ledger import SqlLedger
from router.store.row_reader import Columns
from router.store.stored_names import GROUP_STATE, MEMBER_STATE

_UNHEARD = "SELECT key FROM ledger INDEXED BY aging WHERE outcome=? AND heard<=? AND review_at IS NULL LIMIT ?"
_TO_REVIEW = "SELECT key FROM ledger INDEXED BY reviewing WHERE review_at<=? LIMIT ?"
_MEMBERS = "SELECT key FROM cards WHERE type=? AND key = ANY(?)"
_OLD_GROUPS = "SELECT * FROM cards INDEXED BY aging_cards WHERE reduced=0 AND at<=? ORDER BY at LIMIT ?"


async def forget_signals(tx: Transaction, ledger: SqlLedger, now: datetime, retention: Retention) -> Forgotten:
    """Review some signals: each goes, is reduced to key and place, or is looked at again later."""
    keys = await _old_signals(tx, now)
    if not keys:
        return Forgotten()
    rows, entries = await ledger.find_rows(keys), await entries_by_key(tx, keys)
    members = {row.raw("key") for row in await tx.fetch(_MEMBERS, MEMBER_STATE, keys)}
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
    await tx.execute_many("UPDATE ledger SET review_at=? WHERE key=?", again)
    await tx.execute("DELETE FROM rule_fields WHERE key = ANY(?)", untold)
    for table, column in (("lookups", "signal"), ("held", "key"), ("ledger", "key")):
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
    """Take some states away, or leave key and place of a group that stands."""
    rows = await tx.fetch(_OLD_GROUPS, micros(now - LONGEST), STEP)
    if not rows:
        return Forgotten()
    entries = await entries_by_key(tx, {row.words("key") for row in rows if row.raw("type") == GROUP_STATE})
    going: list[int] = []
    reduced: list[int] = []
    later: list[tuple[int, int]] = []
    closed: list[StoredEntry] = []
    forgotten: list[str] = []
    for row in rows:
        place, key, state = row.whole("place"), row.words("key"), _group_in(row)
        if state is None:
            (reduced if row.raw("standing") else going).append(place)
            continue
        some = entries.get(key, {}).get(row.words("destination"), [])
        match disposition_of_group(state, some):
            case Disposition.KEEP:
                later.append((micros(now - LONGEST + AGAIN), place))
                continue
            case Disposition.REDUCE:
                reduced.append(place)
                closed += [entry for entry in some if entry.turn != state.opened]
            case Disposition.FORGET:
                going.append(place)
                closed += some
        forgotten.append(key)
    deliveries = await forget_deliveries(tx, closed)
    await forget_payloads(tx, forgotten)
    await tx.execute_many("UPDATE cards SET at=? WHERE place=?", later)
    await _see_to(tx, going, reduced)
    return Forgotten(groups=len(going), reduced=len(reduced), deliveries=deliveries, is_done=False)


async def _see_to(tx: Transaction, going: Collection[int], reduced: Collection[int]) -> None:
    await tx.execute("DELETE FROM cards WHERE place = ANY(?)", list(going))
    await tx.execute("UPDATE cards SET reduced=1 WHERE place = ANY(?)", list(reduced))


def _group_in(row: Columns) -> GroupState | None:
    """The state of a group that a row holds; None for another's, and for one that is damaged, which goes by its columns."""
    if row.raw("type") != GROUP_STATE:
        return None
    state = attempt(entry_of, GROUP_STATE, row.raw("body"))
    return state if isinstance(state, GroupState) else None
