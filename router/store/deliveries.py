"""Deliveries as rows: how far one has come, what it tells, and what becomes of a row that cannot be decoded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from router.domain.decisions import Change
from router.domain.deliveries import Claim, Delivery, DeliveryState, FailedAttempt, Receipt
from router.domain.errors import Undecodable
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.store.codec import (
    MOST_TIMES,
    MOST_TURNS,
    Columns,
    attempt,
    content_of,
    decode,
    encode,
    micros,
    readable,
    tag_of,
    time_of,
)
from router.store.decisions import earlier_in
from router.store.delivery_lifecycle import OutboxEntry, born_at, damaged, due_at
from router.store.quarantine import damaged_entry, put_in_quarantine
from router.store.store import Transaction
from router.store.turn_order import may_be_note

IS_OPEN = "state IN ('owed', 'claimed')"
"""The condition of the index of what still has to be sent. A claimed row keeps the end of its lease as `due`."""

_UNKNOWN = "NOT (state IN ('sent', 'skipped', 'dead') OR (state IN ('owed', 'claimed') AND stream IN ('cwpp', 'cspm')))"

ENTRY = (
    "place", "id", "stream", "destination", "lane",
    "key", "turn", "change", "opened", "state", "attempts", "lost", "redriven", "born", "due",
    "claim", "settled", "error", "errors",
)  # fmt: skip
"""The columns from which an entry is read."""

WHOLE = """
SELECT d.*, p.body FROM deliveries d LEFT JOIN notices p ON p.key=d.key AND p.turn=d.turn AND p.type=d.type
"""
"""Selects deliveries with what they tell, also those of which that is gone."""

_SIGNALS = f"""
SELECT {", ".join(f"e.{column}" for column in ENTRY)}, e.type, e.trace, n.body, o.receipt AS receipt_of_opening
FROM deliveries e
LEFT JOIN notices n ON n.key=e.key AND n.turn=e.turn AND n.type=e.type AND e.state<>'sent'
LEFT JOIN deliveries o ON o.key=e.key AND o.destination=e.destination AND o.turn=e.opened AND o.turn<>e.turn
WHERE (e.key, e.destination) IN (SELECT key, destination FROM deliveries WHERE place = ANY(?))
ORDER BY e.place FOR UPDATE OF e
"""

_INSERT = """
INSERT INTO deliveries (id, stream, destination, lane, key, turn, change, opened, type, trace, born, due, state, attempts, lost,
                        redriven)
VALUES (?,?,?,?,?,?,?,?,?,?,?,?,'owed',0,0,0) ON CONFLICT (id) DO NOTHING
"""

_OWED = "INSERT INTO destinations (stream, name, lane) VALUES (?,?,?) ON CONFLICT (stream, name) DO NOTHING"

_INSERT_NOTICE = "INSERT INTO notices (key, turn, type, body) VALUES (?,?,?,?) ON CONFLICT (key, turn, type) DO NOTHING"

_UPDATE = """
UPDATE deliveries SET state=?, attempts=?, lost=?, redriven=?, born=?, due=?, claim=?, settled=?, error=? WHERE place=?
"""


def entry_of(row: Columns) -> OutboxEntry:
    """Return the entry that a row holds, with its receipt where that was asked for; raises Undecodable.

    A claimed row does not keep since when it was due: no later than its claim, and no earlier than it was owed.
    """
    state, born, due = row.word("state", DeliveryState), row.time("born"), row.time("due")
    is_claimed, receipt = state is DeliveryState.CLAIMED, row.raw("receipt")
    return OutboxEntry(
        row_id=row.whole("place"),
        id=row.text("id"),
        stream=row.word("stream", Stream).value,
        destination=row.text("destination"),
        lane=row.word("lane", Lane),
        key=row.text("key"),
        turn=row.whole("turn", 1, MOST_TURNS),
        change=row.word("change", Change),
        opened=row.whole("opened", 1, MOST_TURNS),
        state=state,
        born=born,
        due=born if is_claimed else due,
        attempts=row.whole("attempts", 0, MOST_TIMES),
        lost=row.whole("lost", 0, MOST_TIMES),
        redriven=row.whole("redriven", 0, MOST_TIMES),
        lease=due if is_claimed else None,
        claim=row.find_text("claim") or "",
        settled=row.find_time("settled"),
        error=row.words("error") or None,
        failed=readable((), failures_in, row),
        receipt=readable(None, decode, Receipt, receipt) if receipt is not None else None,
    )


def delivery_of(row: Columns) -> Delivery:
    """Return the delivery that a whole row holds; raises Undecodable."""
    delivery = Delivery(
        stream=row.word("stream", Stream).value,
        destination=row.text("destination"),
        lane=row.word("lane", Lane),
        key=row.text("key"),
        turn=row.whole("turn", 1, MOST_TURNS),
        change=row.word("change", Change),
        opened=row.whole("opened", 1, MOST_TURNS),
        content=content_of(row.text("type"), row.raw("body")),
        trace=readable(None, row.find_text, "trace"),
    )
    if delivery.id != row.raw("id"):
        raise Undecodable("id: is not that of its signal, turn and destination")
    return delivery


def claim_of(row: Columns, now: datetime) -> Claim:
    """Return the claim that a whole row is, with the receipt of what opened its signal there; raises Undecodable.

    It is a note where it says nothing but a status: what came before it was told.
    """
    delivery, opening = delivery_of(row), row.raw("receipt_of_opening")
    return Claim(
        delivery=delivery,
        id=row.find_text("claim") or "",
        number=row.whole("attempts", 0, MOST_TIMES),
        born=born_at(row.time("born"), now),
        # Without its handles the vendor is asked where the signal is open.
        opening=readable(None, decode, Receipt, opening) if opening is not None else None,
        lost=row.whole("lost", 0, MOST_TIMES),
        is_note=may_be_note(delivery),
        is_elsewhere=row.raw("is_elsewhere") != 0,
        earlier=readable(None, earlier_in, row),
    )


async def add_deliveries(tx: Transaction, deliveries: Sequence[Delivery], now: datetime) -> None:
    """Owe deliveries, create-if-absent by their id. What a turn tells is kept once for all its destinations."""
    told = {(one.key, one.turn, tag_of(one.content)): one.content for one in deliveries}
    await tx.write_many(_INSERT_NOTICE, [(*place, encode(told[place])) for place in sorted(told)])
    await tx.write_many(_INSERT, [_insertion(one, now) for one in deliveries])
    lanes = {(one.stream, one.destination): one.lane.value for one in deliveries}
    await tx.write_many(_OWED, [(*place, lanes[place]) for place in sorted(lanes)])


def _insertion(one: Delivery, now: datetime) -> tuple[object, ...]:
    born = micros(now)
    return (
        one.id, one.stream, one.destination, one.lane.value, one.key, one.turn, one.change.value, one.opened,
        tag_of(one.content), one.trace, born, born,
    )  # fmt: skip


async def write_entries(tx: Transaction, entries: Iterable[OutboxEntry]) -> None:
    """Write entries as they are now."""
    await tx.write_many(_UPDATE, [_update(one) for one in sorted(entries, key=lambda one: one.row_id)])


def _update(one: OutboxEntry) -> tuple[object, ...]:
    return (
        one.state.value, one.attempts, one.lost, one.redriven, micros(one.born), micros(due_at(one)), one.claim,
        micros(one.settled), one.error, one.row_id,
    )  # fmt: skip


async def read_entries(
    tx: Transaction, now: datetime, where: str, *values: object, most: int = MOST_TIMES
) -> list[OutboxEntry]:
    """Return the entries of some deliveries, in the order of their rows. An open one that cannot be decoded is dead then."""
    columns = ", ".join(ENTRY)
    rows = await tx.fetch(
        f"SELECT {columns} FROM deliveries WHERE {where} ORDER BY place LIMIT ? FOR UPDATE", *values, most
    )
    found, faults = sound_entries(rows)
    await set_aside(tx, faults, now)
    return found


async def read_signals(
    tx: Transaction, places: Collection[int], now: datetime
) -> tuple[list[list[OutboxEntry]], dict[int, Columns]]:
    """Return all deliveries of the signals of some deliveries at their destinations, and their rows by number.

    A row has what it tells, where that was not sent yet, and the receipt of what opened its signal there. What is open and
    cannot be decoded is dead then.
    """
    rows = await tx.fetch(_SIGNALS, list(places)) if places else []
    entries, faults = sound_entries(rows)
    await set_aside(tx, faults, now)
    signals: dict[tuple[str, str], list[OutboxEntry]] = {}
    for one in entries:
        signals.setdefault((one.key, one.destination), []).append(one)
    return list(signals.values()), {row.whole("place"): row for row in rows}


def sound_entries(rows: Iterable[Columns]) -> tuple[list[OutboxEntry], dict[int, Undecodable]]:
    """Return the entries that rows hold, and why others cannot be decoded, by the numbers of their rows."""
    found: list[OutboxEntry] = []
    faults: dict[int, Undecodable] = {}
    for row in rows:
        entry = attempt(entry_of, row)
        if isinstance(entry, OutboxEntry):
            found.append(entry)
        else:
            faults[row.whole("place")] = entry
    return found, faults


async def set_aside(tx: Transaction, faults: Mapping[int, Undecodable], now: datetime) -> None:
    """Give up on deliveries that cannot be decoded, unless they are closed; their rows are in the quarantine as they were."""
    if not faults:
        return
    where = "d.place = ANY(?) AND d.state NOT IN ('sent', 'skipped', 'dead') ORDER BY d.place"
    found = [(row, faults[row.whole("place")]) for row in await tx.fetch(f"{WHOLE} WHERE {where}", list(faults))]
    await put_in_quarantine(tx, [damaged_entry("deliveries", row.words("id"), row, why, now) for row, why in found])
    await tx.write_many(
        "UPDATE deliveries SET state='dead', settled=?, error=? WHERE place=?",
        [(micros(now), damaged(why, row.words("error") or None), row.whole("place")) for row, why in found],
    )


async def set_aside_unknown(tx: Transaction, now: datetime) -> None:
    """Give up on deliveries whose state or stream is none: no claim would ever find them."""
    rows = await tx.fetch(f"SELECT place FROM deliveries INDEXED BY unknown WHERE {_UNKNOWN}")
    await set_aside(
        tx, {row.whole("place"): Undecodable("state, stream: are none that this version knows") for row in rows}, now
    )


def failures_written(failures: Sequence[FailedAttempt]) -> str | None:
    """Return the attempts of a delivery that failed as its row has them, a JSON array of pairs; None where none did."""
    return orjson.dumps([[micros(one.at), one.error] for one in failures]).decode() if failures else None


def failures_in(row: Columns) -> tuple[FailedAttempt, ...]:
    """Return the attempts that a row names; raises Undecodable."""
    if row.find_text("errors") is None:
        return ()
    pairs = row.json("errors")
    if not isinstance(pairs, list):
        raise Undecodable("errors: is no list")
    return tuple(_failed(pair) for pair in pairs)


def _failed(pair: Any) -> FailedAttempt:
    match pair:
        case [int() as at, str() as error]:
            return FailedAttempt(time_of(at, "errors"), error)
    raise Undecodable("errors: names no attempt")
