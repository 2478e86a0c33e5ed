"""How far deliveries have come, and how much is owed, dead and due. What cannot be decoded is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from router.domain.decisions import Change
from router.domain.deliveries import Background, Backlog, DeliveryState, DeliveryStatus, NextDue, Pause, Receipt
from router.domain.errors import Undecodable
from router.domain.keys import bounded, delivery_key
from router.domain.notices import Notice
from router.domain.rulebook import Lane
from router.store.claims import IS_FIRST
from router.store.codec import EPOCH, Columns, attempt, content_of, micros, readable
from router.store.deliveries import ENTRY, IS_OPEN, WHOLE, entry_of
from router.store.destinations import pauses_in
from router.store.store import Transaction

NEVER = datetime.max.replace(tzinfo=UTC)
"""An instant since which nothing was sent."""

_STATUS = f"SELECT {', '.join(ENTRY)}, receipt FROM deliveries"

_COUNT = "SELECT destination, state, count(*) AS many, min(lane) AS lane, min(born) AS oldest FROM deliveries"
_COUNTS = f"""
{_COUNT} INDEXED BY due WHERE stream=? AND {IS_OPEN} GROUP BY destination, state
UNION ALL
{_COUNT} INDEXED BY dead WHERE stream=? AND state='dead' GROUP BY destination, state
UNION ALL
{_COUNT} INDEXED BY settled WHERE stream=? AND settled>=? AND state IN ('sent', 'skipped') GROUP BY destination, state
"""
_EVER_OWED = "SELECT name, NULL, 0, lane, NULL FROM destinations WHERE stream=? AND lane IS NOT NULL"

_NEXT_DUE = f"""
SELECT destination, due, error, owed FROM (
  SELECT destination, due, error, owed, row_number() OVER (PARTITION BY destination ORDER BY due, place) AS nr FROM (
    SELECT destination, due, error, place, turn, count(*) OVER (PARTITION BY destination) AS owed,
           min(turn) OVER (PARTITION BY destination, key) AS first
    FROM deliveries INDEXED BY due WHERE stream=? AND {IS_OPEN}
  ) AS waiting WHERE turn=first
) AS firsts WHERE nr=1
"""

_SOME_DUE = f"""
SELECT destination FROM deliveries INDEXED BY due WHERE stream=? AND destination=? AND {IS_OPEN} AND due<=? LIMIT ?
"""

_FIRST_DUE = f"""
SELECT d.destination, d.due FROM deliveries d INDEXED BY due WHERE d.stream=? AND d.destination=? AND d.{IS_OPEN} AND {IS_FIRST}
ORDER BY d.due LIMIT 1
"""

_NO_TIME = "CAST(NULL AS BIGINT)"
_NO_PAUSE = f", NULL AS stream, NULL AS name, {_NO_TIME} AS paused_since, {_NO_TIME} AS probe_at, NULL AS error"
_PAUSES = f"""
SELECT name AS destination, {_NO_TIME} AS due, stream, name, paused_since, probe_at, error FROM destinations
WHERE stream=? AND probe_at IS NOT NULL
"""

_IMPOSSIBLE = f"""
SELECT destination, 0 AS due{_NO_PAUSE} FROM (
  SELECT d.destination FROM deliveries d INDEXED BY due
  WHERE d.stream=? AND d.destination=? AND d.{IS_OPEN} AND d.due>? AND {IS_FIRST} LIMIT 1
) AS impossible
"""


class Notified(NamedTuple):
    """That a destination was told of a signal or group which is open there.

    Attributes:
        at: when it took the first notice of it.
        receipt: what it answered then.
    """

    at: datetime
    receipt: Receipt


ENDING = frozenset({DeliveryState.OWED, DeliveryState.CLAIMED, DeliveryState.SENT})
"""The states of a resolution that reached a destination or is about to; one that died or was skipped ended nothing there."""


def last_taken(statuses: Sequence[DeliveryStatus], opened: int) -> DeliveryStatus | None:
    """The latest delivery that a destination took of a signal since the turn that opened it there."""
    taken = [one for one in statuses if one.opened == opened and one.state is DeliveryState.SENT]
    return max(taken, key=lambda one: one.turn, default=None)


def find_notified(statuses: Sequence[DeliveryStatus]) -> Notified | None:
    """What a destination was told of a signal or group that is open there; None where it is not, or nothing was taken.

    An update may have opened it there: its opening may have died.
    """
    opened = max((one.opened for one in statuses), default=0)
    latest = sorted((one for one in statuses if one.opened == opened), key=lambda one: one.turn)
    if any(one.change is Change.RESOLVED and one.state in ENDING for one in latest):
        return None
    taken = [one for one in latest if one.state is DeliveryState.SENT and one.change is not Change.RESOLVED]
    if not taken:
        return None
    receipts = [one.receipt for one in taken if one.receipt is not None and (one.receipt.reference or one.receipt.link)]
    return Notified(taken[0].settled or taken[0].born, receipts[0] if receipts else Receipt())


async def list_deliveries(tx: Transaction, key: str) -> Sequence[DeliveryStatus]:
    """Return the deliveries that are kept of a signal or group, by destination and turn."""
    return await _read_statuses(tx, "key=? ORDER BY destination, turn", key)


async def list_deliveries_at(
    tx: Transaction, stream: str, destinations: Collection[str], keys: Collection[str]
) -> Mapping[tuple[str, str], Sequence[DeliveryStatus]]:
    """Return the deliveries that are kept of some signals or groups at some destinations, by destination and key."""
    where = "stream=? AND destination = ANY(?) AND key = ANY(?) ORDER BY key, destination, turn"
    found: dict[tuple[str, str], list[DeliveryStatus]] = {}
    for one in await _read_statuses(tx, where, stream, list(destinations), list(keys)) if keys else ():
        found.setdefault((one.destination, one.key), []).append(one)
    return found


async def find_by_reference(tx: Transaction, reference: str) -> Sequence[DeliveryStatus]:
    """Return the deliveries whose receipt has that reference, such as a ticket's number, as the vendor writes it."""
    return await _read_statuses(tx, "reference=? ORDER BY place", bounded(reference))


async def find_last_notice(tx: Transaction, stream: str, destination: str, key: str) -> Notice | None:
    """Return the notice of a signal or group that a destination last took; None where none is kept."""
    where = "d.key=? AND d.destination=? AND d.stream=? AND d.state='sent' ORDER BY d.turn DESC LIMIT 1"
    found = [_notice_in(row) for row in await tx.fetch(f"{WHOLE} WHERE {where}", key, destination, stream)]
    return found[0] if found else None


async def find_histories(
    tx: Transaction,
    statuses: Mapping[tuple[str, str], Sequence[DeliveryStatus]],
    opened: Mapping[tuple[str, str], int],
) -> Mapping[tuple[str, str], Background]:
    """Return what destinations were told of signals or groups since the turns that opened them, by destination and key.

    `statuses` are their deliveries there.
    """
    last = {at: one for at, turn in opened.items() if (one := last_taken(statuses.get(at, ()), turn)) is not None}
    handles = {at: one.receipt.handles for at, one in last.items() if one.receipt is not None}
    ids = {delivery_key(key, one.turn, name): (name, key) for (name, key), one in last.items()}
    rows = await tx.fetch(f"{WHOLE} WHERE d.id = ANY(?)", list(ids)) if ids else []
    notices = {ids[row.words("id")]: _notice_in(row) for row in rows}
    return {
        at: Background(
            last=notices.get(at),
            handles=handles.get(at, {}),
            opened=min((one.born for one in statuses.get(at, ()) if one.turn == turn), default=None),
        )
        for at, turn in opened.items()
    }


async def count_deliveries(
    tx: Transaction, stream: str, since: datetime = EPOCH
) -> Mapping[tuple[str, DeliveryState], int]:
    """Return how many deliveries there are by destination and state; of those that are sent or skipped, since an instant."""
    total: Counter[tuple[str, DeliveryState]] = Counter()
    for row in await tx.fetch(_COUNTS, stream, stream, stream, micros(since)):
        total[row.words("destination"), row.word("state", DeliveryState)] += row.whole("many")
    return dict(total)


async def list_next_due(tx: Transaction, stream: str) -> Mapping[str, NextDue]:
    """Return when each destination that is owed something is next due; what waits for an earlier turn does not count."""
    return {
        row.words("destination"): NextDue(
            # What is damaged is seen to at once.
            readable(EPOCH, row.time, "due"),
            row.words("error") or None,
            row.whole("owed"),
        )
        for row in await tx.fetch(_NEXT_DUE, stream)
    }


async def list_backlogs(tx: Transaction, stream: str) -> Mapping[str, Backlog]:
    """Return what is open and what is dead by destination, for every destination that was ever owed anything."""
    sql = f"{_COUNTS} UNION ALL {_EVER_OWED}"
    found: dict[str, Backlog] = {}
    for row in await tx.fetch(sql, stream, stream, stream, micros(NEVER), stream):
        name, is_dead = row.words("destination"), row.raw("state") == DeliveryState.DEAD
        known = found.get(name) or Backlog(readable(Lane.TICKET, row.word, "lane", Lane), None, 0)
        oldest = readable(None, row.find_time, "oldest") if not is_dead else None
        since = min((one for one in (known.oldest, oldest) if one is not None), default=None)
        found[name] = Backlog(known.lane, since, known.dead + (row.whole("many") if is_dead else 0))
    return found


async def count_due(
    tx: Transaction, stream: str, destinations: Collection[str], now: datetime, most: int
) -> Mapping[str, int]:
    """Return how many deliveries are due at each of some destinations, counted up to so many.

    Those that wait for an earlier turn count too.
    """
    counting = [f"SELECT destination, count(*) AS many FROM ({_SOME_DUE}) AS due GROUP BY destination"] * len(
        destinations
    )
    values = [value for name in destinations for value in (stream, name, micros(now), most)]
    rows = await tx.fetch(" UNION ALL ".join(counting), *values) if counting else []
    return {row.words("destination"): row.whole("many") for row in rows}


class FirstDue(NamedTuple):
    """When destinations that are owed something are next due, and the pauses of their stream, by destination."""

    dues: Mapping[str, datetime]
    pauses: Mapping[str, Pause]


async def find_first_due(
    tx: Transaction, stream: str, destinations: Collection[str], latest: datetime, *, is_last: bool = False
) -> FirstDue:
    """Return when each of some destinations that is owed something is next due, and the pauses of the stream.

    What waits for an earlier turn does not count. Where something is due later than an instant, which only a wrong clock can
    have written, it is due since 1970. `is_last` ends the transaction in the same round trip.
    """
    finding = [f"SELECT destination, due{_NO_PAUSE} FROM ({_FIRST_DUE}) AS first UNION ALL {_IMPOSSIBLE}"] * len(
        destinations
    )
    values = [value for name in destinations for value in (stream, name, stream, name, micros(latest))]
    rows = await tx.fetch(" UNION ALL ".join([*finding, _PAUSES]), *values, stream, is_last=is_last)
    pauses = await pauses_in(tx, [row for row in rows if row.raw("due") is None])
    dues: dict[str, datetime] = {}
    for row in (one for one in rows if one.raw("due") is not None):
        name, due = row.words("destination"), readable(EPOCH, row.time, "due")
        dues[name] = min(due, dues.get(name, due))
    return FirstDue(dues, pauses)


async def _read_statuses(tx: Transaction, where: str, *values: str | list[str]) -> list[DeliveryStatus]:
    rows = await tx.fetch(f"{_STATUS} WHERE {where}", *values)
    return [one for row in rows if not isinstance(one := attempt(entry_of, row), Undecodable)]


def _notice_in(row: Columns) -> Notice | None:
    content = attempt(content_of, row.words("type"), row.raw("body"))
    return content if isinstance(content, Notice) else None
