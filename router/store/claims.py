"""Claims: of each signal its first open turn that is due, and what became of it.

A claim is one statement. It tells of each delivery whether its next step depends on other turns of its signal; only then those
are read, and the rules of `delivery_lifecycle` decide. What may kill its worker is not claimed with others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from copy import replace
from datetime import datetime, timedelta
from functools import cache
from itertools import zip_longest
from typing import NamedTuple
from uuid import uuid4

from router.domain.clocks import latest
from router.domain.deliveries import LEASE, LONGEST_WAIT, SUSPECT, Claim, DeliveryState, DeliveryStatus, Settlement
from router.domain.errors import Undecodable
from router.domain.keys import bounded
from router.domain.rulebook import Lane
from router.store.codec import MOST_TIMES, Columns, attempt, encode
from router.store.decisions import EARLIER_OF_DELIVERY
from router.store.deliveries import (
    IS_OPEN,
    STATUS,
    failures_written,
    may_be_note,
    notice_in,
    read_claim,
    read_signals,
    set_aside,
    write_statuses,
)
from router.store.delivery_lifecycle import (
    DEADLY,
    LONGEST_ERROR,
    failures_after,
    given_up,
    next_step,
    redriven_by,
    skipped,
    untold_before,
)
from router.store.destinations import note_delivered
from router.store.store import Transaction

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

_SAME = "o.key=deliveries.key AND o.destination=deliveries.destination"

# In the rows lane no turn supersedes another. Elsewhere an end asks what became of its opening, and every turn for those
# behind it.
_CLAIM = f"""
UPDATE deliveries SET state='claimed', attempts=attempts+1, due=?, settled=NULL,
       lost=lost + CASE WHEN state='claimed' THEN 1 ELSE 0 END,
       claim=CAST(redriven AS TEXT) || '-' || ? || CAST(place AS TEXT)
WHERE {{}}
RETURNING {STATUS}, id, type, trace,
  (SELECT n.body FROM notices n WHERE n.key=deliveries.key AND n.turn=deliveries.turn AND n.type=deliveries.type) AS body,
  (SELECT o.receipt FROM deliveries o WHERE {_SAME} AND o.turn=deliveries.opened AND o.turn<>deliveries.turn)
    AS receipt_of_opening,
  CASE WHEN lane='rows' THEN 0
       WHEN EXISTS (SELECT 1 FROM deliveries o WHERE {_SAME} AND o.turn<>deliveries.turn AND o.{IS_OPEN}) THEN 1
       WHEN change='resolved' AND EXISTS
            (SELECT 1 FROM deliveries o WHERE {_SAME} AND o.turn=deliveries.opened AND o.state<>'sent') THEN 1
       WHEN change='updated' AND lane='ticket' AND 'sent' <> coalesce(
            (SELECT o.state FROM deliveries o WHERE {_SAME} AND o.opened=deliveries.opened AND o.turn<deliveries.turn
             ORDER BY o.turn DESC LIMIT 1), 'sent') THEN 1
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
       error=?, errors=coalesce(?, errors), receipt=coalesce(?, receipt), reference=coalesce(?, reference), claim=NULL
WHERE key=? AND destination=? AND turn=? AND state<>'sent' AND redriven=? AND (state='claimed' AND claim=? OR ?='sent')
"""

_BRING_FORWARD = f"""
UPDATE deliveries SET due=CASE WHEN due>? THEN ? ELSE due END WHERE state='owed' AND place=(
  SELECT d.place FROM deliveries d INDEXED BY due
  WHERE d.stream=? AND d.destination=? AND d.{IS_OPEN} AND d.state='owed' AND {IS_FIRST} ORDER BY d.due, d.place LIMIT 1)
"""

MOST_ODD = 50
"""Deliveries of a destination that are looked at for those that are not claimed with others."""


class Recipient(NamedTuple):
    """A destination of a stream, and the lane in which it is delivered to."""

    stream: str
    lane: Lane
    destination: str


class Claimed(NamedTuple):
    """What a statement claimed, and how many rows by destination; the next steps of those `depending` depend on other turns."""

    claims: list[Claim]
    depending: list[Columns]
    many: Counter[str]


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
    values = [value for one, most in wanted.items() for value in (one.stream, one.destination, due, most)]
    if not values:
        return Claimed([], [], Counter())
    sql = _claim_text(len(wanted), is_probe)
    rows = await tx.fetch(sql, *values, until, f"{uuid4().hex}-", is_last=is_last)
    claims: list[Claim] = []
    depending: list[Columns] = []
    for row in sorted(rows, key=lambda one: one.whole("place")):
        claim = None if row.raw("depends") else attempt(read_claim, row, due)
        if isinstance(claim, Claim):
            claims.append(claim)
        else:
            depending.append(row)
    return Claimed(claims, depending, Counter(row.raw("destination") for row in rows))


@cache
def _claim_text(many: int, is_probe: bool) -> str:
    some = _DUE.format("" if is_probe else _IS_ASKED)
    due = ", ".join(f"due{number} AS ({some})" for number in range(many))
    places = " UNION ALL ".join(f"SELECT place FROM due{number}" for number in range(many))
    return f"WITH {due} {_CLAIM.format(f'place IN ({places})')}"


async def decide_depending(
    tx: Transaction, depending: Sequence[Columns], due: datetime, until: datetime
) -> list[Claim]:
    """Skip what is superseded of some signals of which a turn was claimed just now; return the claims that are left of them.

    What cannot be decoded is dead then.
    """
    return await _claim_next(tx, [row.whole("place") for row in depending], due, until, depending)


async def claim_odd(tx: Transaction, recipient: Recipient, due: datetime, until: datetime, most: int) -> list[Claim]:
    """Claim what `claim_due` leaves alone, where nothing else is due.

    A suspect comes alone; what was lost once more is dead. What a wrong clock deferred or claimed for longer than the program
    does is due as well.
    """
    longest = max(LONGEST_WAIT[recipient.lane], _longest_lease(due, until))
    places: list[int] = []
    for comparison, at in (("<=", due), (">", latest(due, longest))):
        found = await tx.fetch(_ODD.format(comparison), recipient.stream, recipient.destination, at, MOST_ODD)
        places += [row.whole("place") for row in found]
    return await _claim_next(tx, places, due, until, most=most)


def _longest_lease(due: datetime, until: datetime) -> timedelta:
    # No worker has a much longer lease, since all have the same settings.
    return max(until - due, *LEASE.values())


async def _claim_next(
    tx: Transaction,
    places: Sequence[int],
    due: datetime,
    until: datetime,
    claimed: Sequence[Columns] = (),
    most: int | None = None,
) -> list[Claim]:
    """Skip what is superseded of the signals of some deliveries, and claim what is next of so many, or of all.

    `claimed` are rows that were claimed for that just now. Only of so many is a suspect claimed, where nothing else is next.
    """
    signals = await read_signals(tx, places, due, {row.text("claim") for row in claimed})
    skips: list[DeliveryStatus] = []
    found: list[tuple[DeliveryStatus, list[DeliveryStatus]]] = []
    suspects: list[tuple[DeliveryStatus, list[DeliveryStatus]]] = []
    for statuses in signals.statuses:
        needless, first = next_step(statuses, due, _longest_lease(due, until), signals.untold_ends)
        skips += [skipped(one, due) for one in needless]
        if first is not None:
            (suspects if first.is_suspect else found).append((first, statuses))
    if most is not None and not found:
        skips += [given_up(one, due, DEADLY) for one, _ in suspects if one.is_poison]
        found = [pair for pair in suspects if not pair[0].is_poison][:1]
    await write_statuses(tx, skips)
    rows = {row.whole("place"): row for row in claimed}
    found = found[:most]
    if missing := [first.row_id for first, _ in found if first.row_id not in rows]:
        more = await tx.fetch(_CLAIM.format("place = ANY(?)"), until, f"{uuid4().hex}-", missing)
        rows |= {row.whole("place"): row for row in more}
    claims: list[Claim] = []
    faults: dict[int, Undecodable] = {}
    for first, statuses in found:
        claim = attempt(read_claim, rows[first.row_id], due)
        if isinstance(claim, Undecodable):
            faults[first.row_id] = claim
            continue
        # What cannot be decoded may have said anything.
        before = untold_before(first, statuses)
        is_note = claim.is_note and all(may_be_note(one, notice_in(signals.rows[one.row_id])) for one in before)
        claims.append(replace(claim, is_untold=first.row_id in signals.untold_ends, is_note=is_note))
    await set_aside(tx, faults, due)
    return claims


async def settle_claims(
    tx: Transaction, settlements: Sequence[Settlement], reached: Collection[tuple[str, str]] = ()
) -> None:
    """Write down what became of claims; what does not count any more changes nothing.

    `reached` are destinations, each with its stream, that are known to have taken something before.
    """
    # In the order of rows, as all write them; of two claims of one delivery each by a statement of its own.
    of_each: dict[str, list[Settlement]] = {}
    for one in sorted(settlements, key=lambda one: row_in(one.claim.id)):
        of_each.setdefault(one.delivery.id, []).append(one)
    for some in zip_longest(*of_each.values()):
        await tx.write_many(_SETTLE, [_settlement(one) for one in some if one is not None])
    sent = (one.delivery for one in settlements if one.state is DeliveryState.SENT)
    await note_delivered(tx, {(one.stream, one.destination): one.lane for one in sent}, reached)


def row_in(claim: str) -> int:
    """Return the number of the row with which a claim's id ends; 0 where it names none."""
    number = claim.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def _settlement(one: Settlement) -> tuple[object, ...]:
    claim, receipt, unspent, errors = one.claim, one.receipt, int(not one.spent), None
    delivery = claim.delivery
    if one.error is not None and one.spent:
        errors = failures_written(failures_after(claim.failed, one.at, one.error))
    written = encode(receipt) if receipt is not None else None
    reference = bounded(receipt.reference) if receipt is not None and receipt.reference is not None else None
    error = one.error[:LONGEST_ERROR] if one.error else None
    return (
        one.state, unspent, unspent, one.due, one.at, error, errors, written, reference,
        delivery.key, delivery.destination, delivery.turn, redriven_by(claim.id), claim.id, one.state,
    )  # fmt: skip


async def release_claims(tx: Transaction) -> int:
    """Give back all claims; for the one process that holds the state, since no other lives. None counts as lost."""
    return await tx.execute(
        f"UPDATE deliveries INDEXED BY due SET state='owed', due=born WHERE {IS_OPEN} AND state='claimed'"
    )


async def bring_forward(tx: Transaction, stream: str, destination: str, due: datetime) -> bool:
    """Make the delivery that is next at a destination due at an instant at the latest; False where none waits."""
    return bool(await tx.execute(_BRING_FORWARD, due, due, stream, destination))
