"""How far deliveries have come, and how much is owed, dead and due. What cannot be decoded is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from router.domain.decisions import Change
from router.domain.deliveries import Background, Backlog, DeliveryState, DeliveryStatus, Pause, Receipt
from router.domain.errors import Undecodable
from router.domain.keys import bounded
from router.domain.notices import Notice
from router.domain.rulebook import Lane
from router.store.claims import IS_FIRST
from router.store.codec import EPOCH, attempt, readable
from router.store.deliveries import IS_OPEN, STATUS, WHOLE, notice_in, read_status
from router.store.destinations import pauses_in
from router.store.store import Transaction

MOST_TIMED = 10_000
"""Deliveries of a destination, the latest of a span, of which it is told how long they took."""

NEVER = datetime.max.replace(tzinfo=UTC)
"""An instant since which nothing was sent."""

_COUNT = "SELECT destination, state, count(*) AS many FROM deliveries INDEXED BY"
_COUNTS = f"""
{_COUNT} due WHERE stream=? AND {IS_OPEN} GROUP BY destination, state
UNION ALL {_COUNT} dead WHERE stream=? AND state='dead' GROUP BY destination, state
UNION ALL SELECT d.destination, d.state, count(*) AS many
FROM destinations p JOIN deliveries d INDEXED BY settled ON d.stream=p.stream AND d.destination=p.name
WHERE p.stream=? AND d.settled>=? AND d.state IN ('sent', 'skipped') GROUP BY d.destination, d.state
"""

_THERE = "stream=? AND destination=? AND"
_SENT = f"""
FROM deliveries INDEXED BY settled
WHERE {_THERE} settled>=? AND settled<? AND state IN ('sent', 'skipped') AND state='sent'
"""
# What it took is in tenths of a second up to a minute, then in seconds up to an hour, then in minutes.
_ARRIVALS = f"""
SELECT ? AS place, 'sent' AS what, count(*) AS many, count(CASE WHEN attempts>1 THEN 1 END) AS more {_SENT}
UNION ALL SELECT ?, 'dead', count(*), 0 FROM deliveries INDEXED BY dead
WHERE {_THERE} state='dead' AND COALESCE(settled, 0)>=? AND COALESCE(settled, 0)<?
UNION ALL SELECT ?, 'timed', count(*), CASE WHEN took<600 THEN took WHEN took<36000 THEN took/10*10 ELSE took/600*600 END
FROM (SELECT (settled-born)/100000 AS took {_SENT} AND change='opened' ORDER BY settled DESC LIMIT ?) AS latest GROUP BY 4
"""

_FIRST = f"FROM deliveries d INDEXED BY due WHERE d.stream={{stream}} AND d.destination={{name}} AND d.{IS_OPEN} AND {IS_FIRST}"
_BACKLOGS = f"""
SELECT p.name, p.lane, waiting.oldest, coalesce(waiting.owed, 0) AS owed, coalesce(gone.dead, 0) AS dead, f.due, f.error
FROM destinations p
LEFT JOIN (SELECT destination, min(born) AS oldest, count(*) AS owed FROM deliveries INDEXED BY due
           WHERE stream=? AND {IS_OPEN} GROUP BY destination) AS waiting ON waiting.destination=p.name
LEFT JOIN (SELECT destination, count(*) AS dead FROM deliveries INDEXED BY dead
           WHERE stream=? AND state='dead' GROUP BY destination) AS gone ON gone.destination=p.name
LEFT JOIN deliveries f
ON f.place=(SELECT d.place {_FIRST.format(stream="p.stream", name="p.name")} ORDER BY d.due, d.place LIMIT 1)
WHERE p.stream=? AND p.lane IS NOT NULL
"""

_SOME_DUE = f"""
SELECT destination, count(*) AS many FROM (
  SELECT destination FROM deliveries INDEXED BY due WHERE stream=? AND destination=? AND {IS_OPEN} AND due<=? LIMIT ?
) AS due GROUP BY destination
"""

_FIRST_THERE = _FIRST.format(stream="?", name="?")
_FIRST_DUE = f"""
SELECT ? AS destination, p.*, (SELECT d.due {_FIRST_THERE} ORDER BY d.due LIMIT 1) AS due,
CASE WHEN EXISTS (SELECT 1 {_FIRST_THERE} AND d.due>?) THEN 1 ELSE 0 END AS is_late
FROM (SELECT 1) AS once LEFT JOIN destinations p ON p.stream=? AND p.name=? AND p.probe_at IS NOT NULL
"""

_LATEST = """
key = ANY(?) AND (state NOT IN ('sent', 'skipped') OR turn=opened OR NOT EXISTS (
    SELECT 1 FROM deliveries l
    WHERE l.key=deliveries.key AND l.destination=deliveries.destination AND l.turn>deliveries.turn AND l.state='sent'
)) ORDER BY key, destination, turn
"""
_LATEST_NOTICES = """
SELECT n.* FROM notices n WHERE n.key = ANY(?) AND n.type='Notice'
AND n.turn=(SELECT max(l.turn) FROM notices l WHERE l.key=n.key AND l.type='Notice')
"""

_ENDING = frozenset({DeliveryState.OWED, DeliveryState.CLAIMED, DeliveryState.SENT})
"""The states of a resolution that reached a destination or is about to; one that died or was skipped ended nothing there."""


def find_notified(statuses: Sequence[DeliveryStatus]) -> tuple[datetime, Receipt] | None:
    """Return when a destination was first told of a signal that is open there, and what it answered; else None.

    `statuses` are in turn order. An update may have opened it there: its opening may have died.
    """
    last = max((one.opened for one in statuses), default=0)
    life = [one for one in statuses if one.opened == last]
    if any(one.change is Change.RESOLVED and one.state in _ENDING for one in life):
        return None
    taken = [one for one in life if one.state is DeliveryState.SENT and one.change is not Change.RESOLVED]
    receipts = [one.receipt for one in taken if one.receipt is not None and (one.receipt.reference or one.receipt.link)]
    return (taken[0].settled or taken[0].born, receipts[0] if receipts else Receipt()) if taken else None


async def list_deliveries(tx: Transaction, key: str) -> Sequence[DeliveryStatus]:
    """Return the deliveries that are kept of a signal or group, by destination and turn."""
    return await _list_statuses(tx, "key=? ORDER BY destination, turn", key)


async def list_latest_deliveries(tx: Transaction, keys: Collection[str]) -> Mapping[str, Sequence[DeliveryStatus]]:
    """Return the deliveries that say how things are now of some signals or groups, by key, in the order of turns.

    Those are, at each destination, what is owed or dead, what opened it and the last that was sent.
    """
    found: dict[str, list[DeliveryStatus]] = {}
    for one in await _list_statuses(tx, _LATEST, list(keys)) if keys else ():
        found.setdefault(one.key, []).append(one)
    return found


async def list_latest_notices(tx: Transaction, keys: Collection[str]) -> Mapping[str, Notice]:
    """Return the latest notice that is kept of each of some signals, by key."""
    rows = await tx.fetch(_LATEST_NOTICES, list(keys)) if keys else []
    return {row.text("key"): notice for row in rows if (notice := notice_in(row)) is not None}


async def list_deliveries_at(
    tx: Transaction, stream: str, destinations: Collection[str], keys: Collection[str]
) -> Mapping[tuple[str, str], Sequence[DeliveryStatus]]:
    """Return the deliveries that are kept of some signals or groups at some destinations, by destination and key."""
    where = "stream=? AND destination = ANY(?) AND key = ANY(?) ORDER BY key, destination, turn"
    found: dict[tuple[str, str], list[DeliveryStatus]] = {}
    for one in await _list_statuses(tx, where, stream, list(destinations), list(keys)) if keys else ():
        found.setdefault((one.destination, one.key), []).append(one)
    return found


async def find_by_reference(tx: Transaction, reference: str) -> Sequence[DeliveryStatus]:
    """Return the deliveries whose receipt has that reference, such as a ticket's number, as the vendor writes it."""
    return await _list_statuses(tx, "reference=? ORDER BY place", bounded(reference))


async def find_last_notice(tx: Transaction, stream: str, destination: str, key: str) -> Notice | None:
    """Return the notice of a signal or group that a destination last took; None where none is kept."""
    where = "d.key=? AND d.destination=? AND d.stream=? AND d.state='sent' ORDER BY d.turn DESC LIMIT 1"
    row = await tx.find(f"{WHOLE} WHERE {where}", key, destination, stream)
    return notice_in(row) if row is not None else None


async def find_histories(
    tx: Transaction,
    statuses: Mapping[tuple[str, str], Sequence[DeliveryStatus]],
    opened: Mapping[tuple[str, str], int],
) -> Mapping[tuple[str, str], Background]:
    """Return what destinations were told of signals or groups since the turns that opened them, by destination and key.

    `statuses` are their deliveries there, in turn order.
    """
    last = {
        at: taken[-1]
        for at, turn in opened.items()
        if (taken := [one for one in statuses.get(at, ()) if one.opened == turn and one.state is DeliveryState.SENT])
    }
    places = [one.row_id for one in last.values()]
    rows = await tx.fetch(f"{WHOLE} WHERE d.place = ANY(?)", places) if places else []
    notices = {row.whole("place"): notice_in(row) for row in rows}
    return {
        at: Background(
            last=notices.get(last[at].row_id) if at in last else None,
            handles=receipt.handles if at in last and (receipt := last[at].receipt) is not None else {},
            opened=min((one.born for one in statuses.get(at, ()) if one.turn == turn), default=None),
        )
        for at, turn in opened.items()
    }


async def count_deliveries(
    tx: Transaction, stream: str, since: datetime = EPOCH
) -> Mapping[tuple[str, DeliveryState], int]:
    """Return how many deliveries there are by destination and state; of those that are sent or skipped, since an instant."""
    total: Counter[tuple[str, DeliveryState]] = Counter()
    for row in await tx.fetch(_COUNTS, stream, stream, stream, since):
        total[row.words("destination"), row.word("state", DeliveryState)] += row.whole("many")
    return dict(total)


class Arrivals(NamedTuple):
    """What a destination took in a span of time.

    Attributes:
        retried: how many of what was sent took more than one attempt.
        dead: how much was given up on then, and is dead still.
        timed: of the latest that opened something there, how many took how many seconds, the quickest first: to a tenth up to
            a minute, then to the second, and beyond an hour to the minute.
    """

    sent: int
    retried: int
    dead: int
    timed: Sequence[tuple[float, int]]


async def read_arrivals(
    tx: Transaction, stream: str, destinations: Sequence[str], spans: Sequence[tuple[datetime, datetime]]
) -> Mapping[str, Sequence[Arrivals]]:
    """Return what each of some destinations took in each of some spans, by destination. Raises StoreError."""
    asked = [(name, *span) for name in destinations for span in spans]
    values = list[object]()
    for place, (name, *span) in enumerate(asked):
        values += [place, stream, name, *span] * 3 + [MOST_TIMED]
    rows = await tx.fetch(" UNION ALL ".join([_ARRIVALS] * len(asked)), *values) if asked else []
    found = {(row.raw("place"), row.words("what")): row for row in rows if row.words("what") != "timed"}
    timed: dict[int, list[tuple[float, int]]] = {}
    for row in rows:
        if row.words("what") == "timed":
            timed.setdefault(row.raw("place"), []).append((max(row.raw("more"), 0) / 10, row.whole("many")))
    arrivals: dict[str, list[Arrivals]] = {}
    for place, (name, *_) in enumerate(asked):
        sent, dead = found[place, "sent"], found[place, "dead"]
        one = Arrivals(sent.whole("many"), sent.whole("more"), dead.whole("many"), sorted(timed.get(place, ())))
        arrivals.setdefault(name, []).append(one)
    return arrivals


async def list_backlogs(tx: Transaction, stream: str) -> Mapping[str, Backlog]:
    """Return what is open and what is dead by destination, for every destination that was ever owed anything.

    What waits for an earlier turn is not due. What is damaged is seen to at once.
    """
    return {
        row.words("name"): Backlog(
            readable(Lane.TICKET, row.word, "lane", Lane),
            readable(None, row.find_time, "oldest"),
            row.whole("dead"),
            row.whole("owed"),
            readable(EPOCH, row.find_time, "due"),
            row.words("error") or None,
        )
        for row in await tx.fetch(_BACKLOGS, stream, stream, stream)
    }


async def count_due(
    tx: Transaction, stream: str, destinations: Collection[str], now: datetime, most: int
) -> Mapping[str, int]:
    """Return how many deliveries are due at each of some destinations, counted up to so many.

    Those that wait for an earlier turn count too.
    """
    values = [value for name in destinations for value in (stream, name, now, most)]
    rows = await tx.fetch(" UNION ALL ".join([_SOME_DUE] * len(destinations)), *values) if destinations else []
    return {row.words("destination"): row.whole("many") for row in rows}


class FirstDue(NamedTuple):
    """When a destination is next due, and its pause.

    Attributes:
        due: None where nothing is owed.
        is_late: whether something is due so late that only a wrong clock can have written it.
    """

    due: datetime | None
    is_late: bool
    pause: Pause | None


async def find_first_due(
    tx: Transaction, stream: str, destinations: Collection[str], latest: datetime, *, is_last: bool = False
) -> Mapping[str, FirstDue]:
    """Return when each of some destinations is next due; what waits for an earlier turn does not count.

    `latest` is when something can be due at last. `is_last` ends the transaction in the same round trip.
    """
    values = [v for name in destinations for v in (name, stream, name, stream, name, latest, stream, name)]
    rows = await tx.fetch(" UNION ALL ".join([_FIRST_DUE] * len(destinations)), *values, is_last=is_last)
    pauses = await pauses_in(tx, [row for row in rows if row.raw("probe_at") is not None])
    return {
        name: FirstDue(readable(EPOCH, row.find_time, "due"), row.flag("is_late"), pauses.get(name))
        for row in rows
        if (name := row.words("destination"))
    }


async def _list_statuses(tx: Transaction, where: str, *values: str | list[str]) -> list[DeliveryStatus]:
    rows = await tx.fetch(f"SELECT {STATUS}, receipt FROM deliveries WHERE {where}", *values)
    return [one for row in rows if not isinstance(one := attempt(read_status, row), Undecodable)]
