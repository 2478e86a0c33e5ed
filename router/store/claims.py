"""Claims: of each signal its first open turn that is due, and what became of it.

A claim is one statement. It tells of each delivery whether its next step depends on other turns of its signal; only then those
are read, and the rules of `turn_order` decide. What may kill its worker is not claimed with others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from itertools import zip_longest
from typing import NamedTuple, Self
from uuid import uuid4

from router.domain.clocks import latest
from router.domain.deliveries import (
    LEASE,
    LONGEST_WAIT,
    SUSPECT,
    Claim,
    Delivery,
    DeliveryState,
    FailedAttempt,
    Recipient,
    Settlement,
)
from router.domain.errors import Undecodable
from router.domain.keys import bounded
from router.store.codec import MOST_TIMES, Columns, attempt, encode, micros, readable
from router.store.decisions import EARLIER_OF_DELIVERY
from router.store.deliveries import (
    ENTRY,
    IS_OPEN,
    claim_of,
    delivery_of,
    failures_in,
    failures_written,
    read_signals,
    set_aside,
    write_entries,
)
from router.store.delivery_lifecycle import (
    DEADLY,
    OutboxEntry,
    claim_id,
    claimed,
    clipped,
    failures_after,
    given_up,
    redriven_by,
    skipped,
    unclaimed,
)
from router.store.destinations import note_delivered
from router.store.store import Transaction
from router.store.turn_order import (
    ClaimNow,
    GiveUp,
    Skip,
    find_untold_life,
    is_paged,
    may_be_note,
    next_step,
    untold_before,
)

IS_FIRST = f"""
d.place = (SELECT o.place FROM deliveries o WHERE o.key=d.key AND o.destination=d.destination AND o.{IS_OPEN}
           ORDER BY o.turn LIMIT 1)
"""
"""That a delivery is its signal's first open one at its destination."""

_IS_ODD = f"(d.lost>={SUSPECT} OR d.lost={SUSPECT - 1} AND d.state='claimed' OR d.attempts>={MOST_TIMES})"
"""That it is claimed alone, or that its numbers are none that the program wrote."""

_DUE = f"""
SELECT d.place, d.due FROM deliveries d INDEXED BY due
WHERE d.stream=? AND d.destination=? AND d.{IS_OPEN} AND d.due<=? AND NOT {_IS_ODD} AND {IS_FIRST}{{}}
ORDER BY d.due, d.place LIMIT ? FOR UPDATE OF d SKIP LOCKED
"""

_IS_ASKED = """
AND NOT EXISTS (SELECT 1 FROM destinations p WHERE p.stream=d.stream AND p.name=d.destination AND p.probe_at IS NOT NULL)
"""

# In the rows lane no turn supersedes another. Elsewhere an end asks what became of its opening, and every turn for those
# behind it.
_CLAIM = f"""
WITH {{due}}
UPDATE deliveries SET state='claimed', attempts=attempts+1, due=?, settled=NULL,
       lost=lost + CASE WHEN state='claimed' THEN 1 ELSE 0 END,
       claim=CAST(redriven AS TEXT) || '-' || ? || CAST(place AS TEXT)
WHERE place IN ({{places}})
RETURNING {", ".join(ENTRY)}, type, trace,
  (SELECT n.body FROM notices n WHERE n.key=deliveries.key AND n.turn=deliveries.turn AND n.type=deliveries.type) AS body,
  (SELECT o.receipt FROM deliveries o WHERE o.key=deliveries.key AND o.destination=deliveries.destination
     AND o.turn=deliveries.opened AND o.turn<>deliveries.turn) AS receipt_of_opening,
  CASE WHEN lane='rows' THEN 0
       WHEN EXISTS (SELECT 1 FROM deliveries o WHERE o.key=deliveries.key AND o.destination=deliveries.destination
                    AND o.turn<>deliveries.turn AND o.{IS_OPEN}) THEN 1
       WHEN change='resolved' AND EXISTS
            (SELECT 1 FROM deliveries o WHERE o.key=deliveries.key AND o.destination=deliveries.destination
             AND o.turn=deliveries.opened AND o.state<>'sent') THEN 1
       WHEN change='updated' AND lane='ticket' AND coalesce(
            (SELECT o.state FROM deliveries o WHERE o.key=deliveries.key AND o.destination=deliveries.destination
             AND o.opened=deliveries.opened AND o.turn<deliveries.turn ORDER BY o.turn DESC LIMIT 1), 'sent') <> 'sent' THEN 1
       ELSE 0 END AS depends,
  CASE WHEN lane<>'rows' AND EXISTS
            (SELECT 1 FROM deliveries o WHERE o.key=deliveries.key AND o.destination<>deliveries.destination AND o.lane<>'rows'
             AND o.state='sent') THEN 1
       ELSE 0 END AS is_elsewhere,
  CASE WHEN lane<>'rows' AND change='opened' AND stream='cwpp' THEN {EARLIER_OF_DELIVERY} END AS earlier
"""

_ODD = f"""
SELECT d.place, d.due FROM deliveries d INDEXED BY due
WHERE d.stream=? AND d.destination=? AND d.{IS_OPEN} AND d.due{{}}? AND {IS_FIRST}
ORDER BY d.due, d.place LIMIT ? FOR UPDATE OF d SKIP LOCKED
"""

# An acknowledgement always counts, but for one of before a person wanted the delivery sent again. Anything else counts while
# the claim is its worker's.
_SETTLE = """
UPDATE deliveries SET state=?, attempts=attempts-?, lost=CASE WHEN ?=1 THEN lost ELSE 0 END, due=coalesce(?, born), settled=?,
       error=?, errors=coalesce(?, errors), receipt=coalesce(?, receipt), reference=coalesce(?, reference)
WHERE id=? AND state<>'sent' AND redriven=? AND (state='claimed' AND claim=? OR ?='sent')
"""

_BRING_FORWARD = f"""
UPDATE deliveries SET due=CASE WHEN due>? THEN ? ELSE due END WHERE state='owed' AND place=(
  SELECT d.place FROM deliveries d INDEXED BY due
  WHERE d.stream=? AND d.destination=? AND d.{IS_OPEN} AND d.state='owed' AND {IS_FIRST} ORDER BY d.due, d.place LIMIT 1)
"""

MOST_ODD = 50
"""Deliveries of a destination that are looked at for those that are not claimed with others."""


class Claimed(NamedTuple):
    """What a statement claimed; `depending` are rows whose next step depends on other turns of their signals."""

    claims: list[Claim]
    depending: list[Columns]

    def count(self, destination: str) -> int:
        """Return how many rows of a destination were claimed."""
        names = [
            *(one.delivery.destination for one in self.claims),
            *(row.words("destination") for row in self.depending),
        ]
        return names.count(destination)


async def claim_due(
    tx: Transaction,
    wanted: Mapping[Recipient, int],
    due: datetime,
    until: datetime,
    *,
    is_probe: bool = False,
    is_last: bool = False,
) -> Claimed:
    """Claim deliveries that are due at an instant, of each destination so many at most, until another instant.

    Each is the first of its signal there in turn order. A destination that is paused gets none, but for a probe. What was lost
    `SUSPECT` times is left to `claim_odd`. The rows that depend on others are claimed, and `decide_depending` says what of.
    `is_last` ends the transaction in the same round trip.
    """
    values = [value for one, most in wanted.items() for value in (one.stream, one.destination, micros(due), most)]
    if not values:
        return Claimed([], [])
    sql = _claim_text(len(wanted), is_probe)
    rows = await tx.fetch(sql, *values, micros(until), f"{uuid4().hex}-", is_last=is_last)
    claims: list[Claim] = []
    depending: list[Columns] = []
    for row in sorted(rows, key=lambda one: one.whole("place")):
        claim = None if row.raw("depends") else attempt(claim_of, row, due)
        if isinstance(claim, Claim):
            claims.append(claim)
        else:
            depending.append(row)
    return Claimed(claims, depending)


@cache
def _claim_text(many: int, is_probe: bool) -> str:
    some = _DUE.format("" if is_probe else _IS_ASKED)
    due = ", ".join(f"due{number} AS ({some})" for number in range(many))
    places = " UNION ALL ".join(f"SELECT place FROM due{number}" for number in range(many))
    return _CLAIM.format(due=due, places=places)


async def decide_depending(
    tx: Transaction, depending: Sequence[Columns], due: datetime, until: datetime
) -> list[Claim]:
    """Skip what is superseded of some signals of which a turn was claimed just now; return the claims that are left of them.

    What cannot be decoded is dead then.
    """
    ours = {row.whole("place"): row.raw("claim") for row in depending}
    signals, rows = await read_signals(tx, ours, due)
    back = [[unclaimed(one, due) if ours.get(one.row_id) == one.claim else one for one in some] for some in signals]
    return (await _NextSteps(tx, rows, due, until).take(back, len(back))).claims


async def claim_odd(tx: Transaction, recipient: Recipient, due: datetime, until: datetime, most: int) -> list[Claim]:
    """Claim what `claim_due` leaves alone, where nothing else is due.

    A suspect comes alone; what was lost once more is dead. What a wrong clock deferred or claimed for longer than the program
    does is due as well.
    """
    # No worker has a much longer lease, since all have the same settings.
    longest = max(LONGEST_WAIT[recipient.lane], until - due, *LEASE.values())
    places: list[int] = []
    for comparison, at in (("<=", due), (">", latest(due, longest))):
        found = await tx.fetch(_ODD.format(comparison), recipient.stream, recipient.destination, micros(at), MOST_ODD)
        places += [row.whole("place") for row in found]
    signals, rows = await read_signals(tx, places, due)
    steps = await _NextSteps(tx, rows, due, until).take(signals, most)
    if steps.claims:
        return steps.claims
    await write_entries(tx, [given_up(one, due, DEADLY) for one in steps.poison])
    return await steps.claim(steps.suspects[:1])


class _Candidate(NamedTuple):
    """A delivery that may be claimed, and its signal; `is_untold` is as in `Claim`."""

    entry: OutboxEntry
    signal: Sequence[OutboxEntry]
    is_untold: bool


class _NextSteps:
    """The next steps of some signals, of which all deliveries were read."""

    def __init__(self, tx: Transaction, rows: Mapping[int, Columns], due: datetime, until: datetime) -> None:
        self._tx = tx
        self._rows = rows
        self._due = due
        self._until = until
        # No worker has a much longer lease, since all have the same settings.
        self._lease = max(until - due, *LEASE.values())
        self.claims: list[Claim] = []
        self.suspects: list[_Candidate] = []
        self.poison: list[OutboxEntry] = []

    async def take(self, signals: Sequence[Sequence[OutboxEntry]], most: int) -> Self:
        """Skip what is superseded, and claim what is next and may be claimed beside others."""
        skips: list[OutboxEntry] = []
        found: list[_Candidate] = []
        kept = find_ends_to_send(signals, self._rows)
        for entries in signals:
            step = next_step(entries, self._due, self._lease, kept)
            while isinstance(step, Skip):
                gone = {one.row_id: skipped(one, self._due) for one in step.entries}
                skips += gone.values()
                entries = [gone.get(one.row_id, one) for one in entries]
                step = next_step(entries, self._due, self._lease, kept)
            match step:
                case ClaimNow(entry, is_suspect, is_untold):
                    (self.suspects if is_suspect else found).append(_Candidate(entry, entries, is_untold))
                case GiveUp(entry):
                    self.poison.append(entry)
        await write_entries(self._tx, skips)
        self.claims = await self.claim(found[:most])
        return self

    async def claim(self, found: Sequence[_Candidate]) -> list[Claim]:
        """Claim deliveries; those that cannot be decoded are dead then."""
        claims: list[Claim] = []
        entries: list[OutboxEntry] = []
        faults: dict[int, Undecodable] = {}
        for one in found:
            entry = claimed(one.entry, self._due, self._until, claim_id(one.entry, f"{uuid4().hex}-{one.entry.row_id}"))
            claim = attempt(claim_of, self._rows[entry.row_id], self._due)
            if isinstance(claim, Undecodable):
                faults[entry.row_id] = claim
                continue
            # What cannot be decoded may have said anything.
            is_note = claim.is_note and all(
                isinstance(it := attempt(delivery_of, self._rows[earlier.row_id]), Delivery) and may_be_note(it)
                for earlier in untold_before(entry, one.signal)
            )
            entries.append(entry)
            known = replace(claim, id=entry.claim, number=entry.attempts, lost=entry.lost)
            claims.append(replace(known, is_untold=one.is_untold, is_note=is_note))
        await set_aside(self._tx, faults, self._due)
        await write_entries(self._tx, entries)
        return claims


def find_ends_to_send(signals: Iterable[Sequence[OutboxEntry]], rows: Mapping[int, Columns]) -> set[str]:
    """Return the ids of resolutions that are sent though their openings were not: the rules sent those to a pager as well.

    `rows` are those of the signals, by number.
    """
    lives = [life for some in signals if (life := find_untold_life(some))]
    return {
        life[-1].id
        for life in lives
        if any(isinstance(it := attempt(delivery_of, rows[one.row_id]), Delivery) and is_paged(it) for one in life)
    }


async def settle_claims(
    tx: Transaction, settlements: Sequence[Settlement], reached: Collection[tuple[str, str]] = ()
) -> None:
    """Write down what became of claims; what does not count any more changes nothing.

    `reached` are destinations, each with its stream, that are known to have taken something before.
    """
    failed = {one.delivery.id for one in settlements if one.error is not None and one.spent}
    rows = await tx.fetch("SELECT id, errors FROM deliveries WHERE id = ANY(?)", sorted(failed)) if failed else []
    known = {row.words("id"): readable((), failures_in, row) for row in rows}
    # In the order of rows, as all write them: a claim's id ends with its row's number.
    of_each: dict[str, list[Settlement]] = {}
    for one in sorted(settlements, key=lambda one: row_in(one.claim)):
        of_each.setdefault(one.delivery.id, []).append(one)
    for some in zip_longest(*of_each.values()):
        await tx.write_many(_SETTLE, [_settlement(one, known) for one in some if one is not None])
    sent = (one.delivery for one in settlements if one.state is DeliveryState.SENT)
    await note_delivered(tx, {(one.stream, one.destination): one.lane for one in sent}, reached)


def row_in(claim: str) -> int:
    """Return the number of the row of which a claim's id speaks; 0 where it names none."""
    number = claim.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def _settlement(one: Settlement, known: Mapping[str, tuple[FailedAttempt, ...]]) -> tuple[object, ...]:
    failures = failures_after(known.get(one.delivery.id, ()), one)
    receipt = one.receipt
    written = encode(receipt) if receipt is not None else None
    reference = bounded(receipt.reference) if receipt is not None and receipt.reference is not None else None
    state, unspent = one.state.value, int(not one.spent)
    return (
        state, unspent, unspent, micros(one.due), micros(one.at), clipped(one.error), failures_written(failures), written,
        reference, one.delivery.id, redriven_by(one.claim), one.claim, state,
    )  # fmt: skip


async def release_claims(tx: Transaction) -> int:
    """Give back all claims; for the one process that holds the state, since no other lives. None counts as lost."""
    return await tx.execute(
        f"UPDATE deliveries INDEXED BY due SET state='owed', due=born WHERE {IS_OPEN} AND state='claimed'"
    )


async def bring_forward(tx: Transaction, stream: str, destination: str, due: datetime) -> bool:
    """Make the delivery that is next at a destination due at an instant at the latest; False where none waits."""
    return bool(await tx.execute(_BRING_FORWARD, micros(due), micros(due), stream, destination))
