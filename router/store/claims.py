"""Claims: what is due is claimed, of each signal its first open turn, and what became of it is settled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from uuid import uuid4

from router.domain.clocks import latest
from router.domain.deliveries import Claim, Delivery, DeliveryState, Receipt, Recipient, Settlement
from router.domain.delivery_errors import DEADLY
from router.domain.delivery_lifecycle import (
    brought_forward,
    claim_id,
    claimed,
    given_up,
    is_still_valid,
    released,
    settled,
    skipped,
)
from router.domain.errors import Undecodable
from router.domain.lane_limits import LEASE, LONGEST_WAIT
from router.domain.supersession import asks_for_closed, find_untold_life, is_paged, may_be_note, untold_before
from router.domain.turn_order import ClaimNow, GiveUp, NextStep, Skip, Wait, next_step
from router.store.codec import attempt
from router.store.deliveries import (
    ENTRY,
    IS_OPEN,
    StoredEntry,
    claim_of,
    delivery_of,
    read_deliveries,
    read_entries,
    read_signals,
    set_aside,
    sound_entries,
    write_entries,
)
from router.store.destinations import note_delivered
from router.store.engine import Transaction
from router.store.instants import micros
from router.store.row_reader import Columns

IS_FIRST = f"""
d.place = (SELECT o.place FROM deliveries o WHERE o.key=d.key AND o.destination=d.destination AND o.{IS_OPEN}
           ORDER BY o.turn LIMIT 1)
"""
"""That a delivery is its signal's first open one at its destination."""

_SOME = f"""
SELECT d.place, d.due FROM deliveries d INDEXED BY due
WHERE d.stream=? AND d.destination=? AND d.{IS_OPEN} AND d.due{{}}? AND d.place <> ALL(?) AND {IS_FIRST}
ORDER BY d.due, d.place LIMIT ? FOR UPDATE OF d SKIP LOCKED
"""

# What a wrong clock deferred or claimed for longer than the program does is due as well. In the rows lane no turn supersedes
# another, so what is behind the first is left alone.
_DUE = f"""
WITH due AS ({_SOME.format("<=")}), impossible AS ({_SOME.format(">")}),
     firsts AS (SELECT place, due FROM due UNION ALL SELECT place, due FROM impossible ORDER BY due, place LIMIT ?)
SELECT {", ".join(f"e.{column}" for column in ENTRY)}, e.stream, e.destination, e.type, e.trace, p.body,
       o.receipt AS receipt_of_opening
FROM firsts f JOIN deliveries d ON d.place=f.place
JOIN deliveries e ON e.key=d.key AND e.destination=d.destination AND e.{IS_OPEN} AND (e.place=d.place OR e.lane<>'rows')
LEFT JOIN notices p ON p.key=e.key AND p.turn=e.turn AND p.type=e.type
LEFT JOIN deliveries o ON o.key=e.key AND o.destination=e.destination AND o.turn=e.opened AND o.turn<>e.turn
ORDER BY f.due, f.place, e.turn
"""


_NEXT = f"""
SELECT {", ".join(f"d.{column}" for column in ENTRY)} FROM deliveries d INDEXED BY due
WHERE d.stream=? AND d.destination=? AND d.{IS_OPEN} AND d.state='owed' AND {IS_FIRST}
ORDER BY d.due, d.place LIMIT 1 FOR UPDATE OF d
"""


async def claim_deliveries(
    tx: Transaction, recipient: Recipient, due: datetime, until: datetime, limit: int
) -> Sequence[Claim]:
    """Claim up to `limit` deliveries that are due at an instant, in order of due, until another instant.

    Each is the first of its signal there in turn order. What was lost `SUSPECT` times comes alone, where there is nothing else;
    what was lost once more is dead. An opening that was never attempted and its resolution are skipped together where the
    destination's lane is page or ticket.
    """
    return await _Claims(tx, recipient, due, until).make(limit) if limit > 0 else []


async def settle_claims(tx: Transaction, settlements: Sequence[Settlement]) -> None:
    """Write down what became of claims; what does not count any more changes nothing."""
    if not settlements:
        return
    ids = sorted({one.delivery.id for one in settlements})
    now = max(one.at for one in settlements)
    stored = {one.id: one for one in await read_entries(tx, now, "id = ANY(?)", ids)}
    changed: dict[str, StoredEntry] = {}
    receipts: dict[int, Receipt | None] = {}
    for one in settlements:
        entry = stored.get(one.delivery.id)
        if entry is not None and is_still_valid(one, entry):
            stored[entry.id] = changed[entry.id] = settled(entry, one)
            receipts[entry.row_id] = one.receipt
    await write_entries(tx, changed.values(), receipts)
    sent = (one.delivery for one in settlements if one.state is DeliveryState.SENT)
    await note_delivered(tx, {(one.stream, one.destination) for one in sent})


async def release_claims(tx: Transaction) -> int:
    """Give back all claims; for the one process that holds the state, since no other lives. None counts as lost."""
    sql = f"SELECT {', '.join(ENTRY)} FROM deliveries INDEXED BY due WHERE {IS_OPEN} AND state='claimed'"
    claims, _ = sound_entries(await tx.fetch(sql))
    await write_entries(tx, map(released, claims))
    return len(claims)


async def bring_forward(tx: Transaction, stream: str, destination: str, due: datetime) -> bool:
    """Make the delivery that is next at a destination due at an instant at the latest; False where none waits."""
    found, _ = sound_entries(await tx.fetch(_NEXT, stream, destination))
    await write_entries(tx, [brought_forward(one, due) for one in found])
    return bool(found)


class _Candidate(NamedTuple):
    """A delivery that may be claimed; `is_untold` is as in `Claim`."""

    entry: StoredEntry
    is_untold: bool


class _Claims:
    """The claims that one call makes."""

    def __init__(self, tx: Transaction, recipient: Recipient, due: datetime, until: datetime) -> None:
        self._tx = tx
        self._recipient = recipient
        self._due = due
        self._until = until
        # No worker has a much longer lease, since all have the same settings.
        self._lease = max(until - due, *LEASE.values())
        self._rows: dict[int, Columns] = {}
        self._suspects: list[_Candidate] = []
        self._poison: list[StoredEntry] = []
        self._looked_at: set[int] = set()

    async def make(self, limit: int) -> list[Claim]:
        """Return up to so many claims, which are written."""
        claims: list[Claim] = []
        has_more = True
        while has_more and len(claims) < limit:
            room = limit - len(claims)
            signals, faults = await self._read_due(room)
            made, more_faults = await self._claim(await self._find_claimable(signals))
            claims += made
            # Behind a turn that cannot be decoded there may be another.
            has_more = len(signals) == room or bool(faults or more_faults)
        if not claims:
            await write_entries(self._tx, [given_up(one, self._due, DEADLY) for one in self._poison])
            claims, _ = await self._claim(self._suspects[:1])
        return claims

    async def _read_due(self, room: int) -> tuple[list[list[StoredEntry]], dict[int, Undecodable]]:
        """The open turns of some signals whose first is due, and those that cannot be decoded, which are dead then."""
        wait = max(LONGEST_WAIT[self._recipient.lane], self._lease)
        bounds = [
            (self._recipient.stream, self._recipient.destination, micros(at), list(self._looked_at), room)
            for at in (self._due, latest(self._due, wait))
        ]
        rows = await self._tx.fetch(_DUE, *bounds[0], *bounds[1], room)
        self._rows |= {row.whole("place"): row for row in rows}
        entries, faults = sound_entries(rows)
        await set_aside(self._tx, faults, self._due)
        signals: dict[str, list[StoredEntry]] = {}
        for one in entries:
            signals.setdefault(one.key, []).append(one)
        return list(signals.values()), faults

    async def _find_claimable(self, signals: Sequence[Sequence[StoredEntry]]) -> list[_Candidate]:
        """What is next of each signal, as far as it may be claimed beside others; what is superseded is skipped."""
        skips: list[StoredEntry] = []
        found: list[_Candidate] = []
        signals = await with_closed(self._tx, signals)
        kept = await find_ends_to_send(self._tx, signals)
        for entries in signals:
            step = self._next_step(entries, kept)
            while isinstance(step, Skip):
                gone = {one.row_id: skipped(one, self._due) for one in step.entries}
                skips += gone.values()
                entries = [gone.get(one.row_id, one) for one in entries]
                step = self._next_step(entries, kept)
            match step:
                case ClaimNow(entry, is_suspect, is_untold):
                    (self._suspects if is_suspect else found).append(_Candidate(entry, is_untold))
                    self._looked_at |= {entry.row_id} if is_suspect else set()
                case GiveUp(entry):
                    self._poison.append(entry)
                    self._looked_at.add(entry.row_id)
                case Wait(entry):
                    self._looked_at.add(entry.row_id)
        await write_entries(self._tx, skips)
        return found

    def _next_step(self, entries: Collection[StoredEntry], kept: Collection[str]) -> NextStep[StoredEntry] | None:
        return next_step(entries, self._due, self._lease, kept)

    async def _claim(self, found: Sequence[_Candidate]) -> tuple[list[Claim], dict[int, Undecodable]]:
        """Claims; and which deliveries cannot be decoded, which are dead then."""
        deliveries = {one.entry.row_id: attempt(delivery_of, self._rows[one.entry.row_id]) for one in found}
        faults = {row_id: one for row_id, one in deliveries.items() if isinstance(one, Undecodable)}
        await set_aside(self._tx, faults, self._due)
        claims: list[Claim] = []
        updates: list[StoredEntry] = []
        entries: list[StoredEntry] = []
        for one in found:
            delivery = deliveries[one.entry.row_id]
            if isinstance(delivery, Delivery):
                entry = claimed(one.entry, self._due, self._until, claim_id(one.entry, uuid4().hex))
                entries.append(entry)
                opening = self._rows[entry.row_id].raw("receipt_of_opening")
                claims.append(claim_of(entry, delivery, opening, self._due, is_untold=one.is_untold))
                updates += [entry] if may_be_note(delivery) else []
        await write_entries(self._tx, entries)
        notes = await self._find_notes(updates)
        return [replace(one, is_note=True) if one.id in notes else one for one in claims], faults

    async def _find_notes(self, updates: Sequence[StoredEntry]) -> set[str]:
        """The claims of those updates that are notes: of all that their destination was not told none says more."""
        if not updates:
            return set()
        histories = await read_signals(self._tx, [one.row_id for one in updates])
        untold = {one.claim: untold_before(one, histories.get(one.key, ())) for one in updates}
        told = await read_deliveries(self._tx, [one.row_id for some in untold.values() for one in some])
        # What cannot be decoded may have said anything.
        return {
            claim
            for claim, some in untold.items()
            if all((one := told.get(entry.row_id)) is not None and may_be_note(one) for entry in some)
        }


async def with_closed(tx: Transaction, signals: Sequence[Sequence[StoredEntry]]) -> list[Sequence[StoredEntry]]:
    """Return signals with their closed deliveries too, where their next step depends on those."""
    asking = [some[0].row_id for some in signals if asks_for_closed(some)]
    whole = await read_signals(tx, asking) if asking else {}
    return [whole.get(some[0].key, some) for some in signals]


async def find_ends_to_send(tx: Transaction, signals: Sequence[Sequence[StoredEntry]]) -> set[str]:
    """Return the ids of resolutions that are sent though their openings were not: the rules sent those to a pager as well."""
    lives = [life for some in signals if (life := find_untold_life(some))]
    told = await read_deliveries(tx, [one.row_id for life in lives for one in life])
    paged = {row_id for row_id, one in told.items() if is_paged(one)}
    return {life[-1].id for life in lives if any(one.row_id in paged for one in life)}
