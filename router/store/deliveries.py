"""Deliveries as rows: how far one has come, what it tells, and what becomes of a row that cannot be decoded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import NamedTuple

import orjson

from router.domain.decisions import Change
from router.domain.deliveries import Claim, Delivery, DeliveryState, DeliveryStatus, FailedAttempt, Receipt
from router.domain.errors import Undecodable
from router.domain.notices import Notice, RecordEntry
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.store.changes import find_last_restore
from router.store.codec import (
    MOST_TIMES,
    Columns,
    RowForm,
    attempt,
    content_of,
    decode,
    insert,
    micros,
    pack,
    readable,
    tag_of,
    time_of,
)
from router.store.decisions import earlier_in
from router.store.delivery_lifecycle import born_at, damaged, find_untold_life
from router.store.quarantine import damaged_entry, put_in_quarantine
from router.store.store import Transaction

IS_OPEN = "state IN ('owed', 'claimed')"
"""The condition of the index of what still has to be sent. A claimed row keeps the end of its lease as `due`."""

REPLAY = timedelta(hours=1)
"""For how long after a restore hubs may bring again what was told before: their backlog is taken in within minutes."""

_UNKNOWN = "NOT (state IN ('sent', 'skipped', 'dead') OR (state IN ('owed', 'claimed') AND stream IN ('cwpp', 'cspm')))"

_DELIVERY = RowForm(
    Delivery,
    {
        "stream": lambda row: row.word("stream", Stream).value,
        "trace": lambda row: readable(None, row.find_text, "trace"),
    },
    left_out=["content"],
)
_STATUS = RowForm(
    DeliveryStatus,
    {
        "stream": lambda row: row.word("stream", Stream).value,
        "error": lambda row: row.words("error") or None,
        "failed": lambda row: readable((), failures_in, row),
        "claim": lambda row: row.find_text("claim") or "",
    },
    left_out=["receipt"],
    failed="errors",
    row_id="place",
)

STATUS = ", ".join(_STATUS.columns)
"""The columns from which a status is read."""

WHOLE = """
SELECT d.*, p.body FROM deliveries d LEFT JOIN notices p ON p.key=d.key AND p.turn=d.turn AND p.type=d.type
"""
"""Selects deliveries with what they tell, also those of which that is gone."""

_SIGNALS = f"""
SELECT {", ".join(f"e.{column}" for column in _STATUS.columns)}, e.type, n.body
FROM deliveries e LEFT JOIN notices n ON n.key=e.key AND n.turn=e.turn AND n.type=e.type AND e.state<>'sent'
WHERE (e.key, e.destination) IN (SELECT key, destination FROM deliveries WHERE place = ANY(?))
ORDER BY e.place FOR UPDATE OF e
"""

_INSERT = f"""
INSERT INTO deliveries ({", ".join(_DELIVERY.columns)}, id, type, born, due, state, attempts, lost, redriven)
VALUES ({"?," * len(_DELIVERY.columns)} ?, ?, ?, ?, 'owed', 0, 0, 0) ON CONFLICT (key, destination, turn) DO NOTHING
"""
_INSERT_NOTICE = insert("notices", ("key", "turn", "type", "body"), ("key", "turn", "type"))
_OWED = insert("destinations", ("stream", "name", "lane"), ("stream", "name"))

_CHANGED = ("state", "attempts", "redriven", "born", "due", "settled", "error")
_UPDATE = f"UPDATE deliveries SET {', '.join(f'{name}=?' for name in _CHANGED)} WHERE place=?"


def read_status(row: Columns) -> DeliveryStatus:
    """Return how far a delivery has come, with its receipt where that was asked for; raises Undecodable."""
    return _STATUS.read(row, receipt=_receipt_in(row, "receipt"))


def read_delivery(row: Columns) -> Delivery:
    """Return the delivery that a whole row holds; raises Undecodable."""
    delivery = _DELIVERY.read(row, content=content_of(row.text("type"), row.raw("body")))
    if delivery.id != row.raw("id"):
        raise Undecodable("id: is not that of its signal, turn and destination")
    return delivery


def read_claim(row: Columns, now: datetime) -> Claim:
    """Return the claim that a row is, with the receipt of what opened its signal there; raises Undecodable.

    It is a note where it says nothing but a status: what came before it was told.
    """
    delivery = read_delivery(row)
    return Claim(
        delivery=delivery,
        id=row.text("claim"),
        number=row.whole("attempts", 0, MOST_TIMES),
        born=born_at(row.time("born"), now),
        # Without its handles the vendor is asked where the signal is open.
        opening=_receipt_in(row, "receipt_of_opening"),
        lost=row.whole("lost", 0, MOST_TIMES),
        failed=readable((), failures_in, row) if row.raw("errors") else (),
        is_note=may_be_note(delivery, delivery.content),
        is_elsewhere=row.raw("is_elsewhere") != 0,
        earlier=readable(None, earlier_in, row),
    )


def _receipt_in(row: Columns, name: str) -> Receipt | None:
    receipt = row.raw(name)
    return readable(None, decode, Receipt, receipt) if receipt is not None else None


async def add_deliveries(tx: Transaction, deliveries: Sequence[Delivery], now: datetime) -> None:
    """Owe deliveries, create-if-absent by key, destination and turn. What a turn tells is kept once for all of them."""
    told = {(one.key, one.turn, tag_of(one.content)): one.content for one in deliveries}
    await tx.write_many(_INSERT_NOTICE, [(*place, pack(told[place])) for place in sorted(told)])
    rows = [(*_DELIVERY.values(one), one.id, tag_of(one.content), now, now) for one in deliveries]
    await tx.write_many(_INSERT, rows)
    lanes = {(one.stream, one.destination): one.lane for one in deliveries}
    await tx.write_many(_OWED, [(*place, lanes[place]) for place in sorted(lanes)])


async def write_statuses(tx: Transaction, statuses: Iterable[DeliveryStatus]) -> None:
    """Write how far deliveries have come now."""
    in_order = sorted(statuses, key=attrgetter("row_id"))
    await tx.write_many(_UPDATE, map(attrgetter(*_CHANGED, "row_id"), in_order))


async def read_statuses(
    tx: Transaction, now: datetime, where: str, *values: object, most: int = MOST_TIMES
) -> list[DeliveryStatus]:
    """Return how far some deliveries have come, in the order of their rows, locked.

    An open one that cannot be decoded is dead then.
    """
    sql = f"SELECT {STATUS} FROM deliveries WHERE {where} ORDER BY place LIMIT ? FOR UPDATE"
    return await _sound_in(tx, await tx.fetch(sql, *values, most), now)


class Signals(NamedTuple):
    """All deliveries of some signals, each signal at one destination.

    Attributes:
        rows: their rows by number, with what those tell that were not sent.
        untold_ends: the rows of resolutions that are sent though their openings were not: those went to a pager as well.
    """

    statuses: list[list[DeliveryStatus]]
    rows: Mapping[int, Columns]
    untold_ends: set[int]


async def read_signals(
    tx: Transaction, places: Collection[int], now: datetime, claims: Collection[str] = ()
) -> Signals:
    """Return all deliveries of the signals of some deliveries at their destinations, as if some claims had not been made.

    What is open and cannot be decoded is dead then.
    """
    rows = await tx.fetch(_SIGNALS, list(places)) if places else []
    signals: dict[tuple[str, str], list[DeliveryStatus]] = {}
    for one in await _sound_in(tx, rows, now):
        if one.claim in claims and one.state is DeliveryState.CLAIMED:
            one = replace(one, state=DeliveryState.OWED, attempts=one.attempts - 1, due=now)
        signals.setdefault((one.key, one.destination), []).append(one)
    by_place = {row.whole("place"): row for row in rows}
    lives = [life for some in signals.values() if (life := find_untold_life(some))]
    untold_ends = {life[-1].row_id for life in lives if any(_is_paged(by_place[one.row_id]) for one in life)}
    # What a state that was put back owes, or is to owe anew, may have been told in the time that is lost.
    if lives and (restored := await find_last_restore(tx)) is not None:
        untold_ends |= {life[-1].row_id for life in lives if life[0].born < restored + REPLAY}
    return Signals(list(signals.values()), by_place, untold_ends)


def _is_paged(row: Columns) -> bool:
    """Return whether a ticket destination is told what goes to a pager as well."""
    return row.words("lane") == Lane.TICKET and (notice := notice_in(row)) is not None and notice.paged


def may_be_note(one: Delivery | DeliveryStatus, content: Notice | RecordEntry | None) -> bool:
    """Return whether a delivery tells a ticket destination nothing but a status, given that what came before was told."""
    is_update = one.lane is Lane.TICKET and one.change is Change.UPDATED
    return is_update and isinstance(content, Notice) and content.status_only


def notice_in(row: Columns) -> Notice | None:
    """Return the notice that a whole row tells; None where it tells none, or one that cannot be decoded."""
    content = attempt(content_of, row.words("type"), row.raw("body"))
    return content if isinstance(content, Notice) else None


async def _sound_in(tx: Transaction, rows: Iterable[Columns], now: datetime) -> list[DeliveryStatus]:
    """Return how far the deliveries of rows have come; what is open and cannot be decoded is dead then."""
    found = [(row, attempt(read_status, row)) for row in rows]
    await set_aside(tx, {row.whole("place"): why for row, why in found if isinstance(why, Undecodable)}, now)
    return [status for _, status in found if isinstance(status, DeliveryStatus)]


async def set_aside(tx: Transaction, faults: Mapping[int, Undecodable], now: datetime) -> None:
    """Give up on deliveries that cannot be decoded, unless they are closed; their rows are in the quarantine as they were."""
    if not faults:
        return
    where = "d.place = ANY(?) AND d.state NOT IN ('sent', 'skipped', 'dead') ORDER BY d.place"
    found = [(row, faults[row.whole("place")]) for row in await tx.fetch(f"{WHOLE} WHERE {where}", list(faults))]
    await put_in_quarantine(tx, [damaged_entry("deliveries", row.words("id"), row, why, now) for row, why in found])
    await tx.write_many(
        "UPDATE deliveries SET state='dead', settled=?, error=? WHERE place=?",
        [(now, damaged(why, row.words("error") or None), row.whole("place")) for row, why in found],
    )


async def set_aside_unknown(tx: Transaction, now: datetime) -> None:
    """Give up on deliveries whose state or stream is none: no claim would ever find them."""
    why = Undecodable("state, stream: are none that this version knows")
    rows = await tx.fetch(f"SELECT place FROM deliveries INDEXED BY unknown WHERE {_UNKNOWN}")
    await set_aside(tx, {row.whole("place"): why for row in rows}, now)


def failures_written(failures: Sequence[FailedAttempt]) -> str:
    """Return the attempts of a delivery that failed as its row has them, a JSON array of pairs."""
    return orjson.dumps([[micros(one.at), one.error] for one in failures]).decode()


def failures_in(row: Columns) -> tuple[FailedAttempt, ...]:
    """Return the attempts that a row names; raises Undecodable."""
    written = row.find_text("errors")
    pairs = decode(list[tuple[int, str]], written.encode()) if written is not None else []
    return tuple(FailedAttempt(time_of(at, "errors"), error) for at, error in pairs)
