"""A row of the ledger as columns: those that are filtered on for themselves, all others packed into one.

What a message says may be of any length, and a column holds 64 KiB, so nothing that it says stands in a column of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from router.domain.decisions import Outcome
from router.domain.holds import HeldBy
from router.domain.ledger import Arrival, Held, LedgerRow, Seen, State, Turn
from router.domain.rule_fields import RuleFields
from router.domain.signals import Stream
from router.domain.snapshots import Appeared
from router.store.appearances import COLUMN, appearances_in, written_appearances
from router.store.azure.bodies import Bodies, fresh_name
from router.store.azure.shards import EPOCH, shard_of, sorting
from router.store.azure.tables import Entity, version_of
from router.store.codec import attempted, decode, encode, readable
from router.store.holds import COLUMN as HOLD
from router.store.holds import with_hold, written_hold
from router.store.row_reader import MOST_TURNS, Columns, names_of, parts_of, turns_of
from router.store.stored_names import RULE_FIELDS, TURN

FOLDER = "ledger"
"""The folder of the bodies that a row cannot hold."""

FOUND = (
    "RowKey", "stream", "outcome", "turn", "closed_at", "heard", "known", "unfinished", "intent", COLUMN, "rule", "until", HOLD
)  # fmt: skip
"""The columns of a row without what it holds, and without what rules can match."""

APPEARED = ("RowKey", "resolved", "outcome", "unfinished", COLUMN)
"""The columns that say when messages named a finding."""

FIELDS = ("RowKey", "stream", "fields")
"""The columns of what rules can match."""

HELD = ("rule", "rulebook", "until", "source", "held", HOLD)
"""The columns of what a row holds."""

FINISHED: Mapping[str, Any] = {"unfinished": False, "intent": b""}
"""The columns of a row without a pending turn."""

LET_GO: Mapping[str, Any] = {"rule": "", "rulebook": "", "until": "", "source": "", "held": b"", HOLD: ""}
"""The columns of a row that holds nothing."""

BODIES = ("known", "intent", "held", "fields")
"""The columns that may name a blob."""


def entity_key(key: str) -> tuple[str, str]:
    """The partition and the key of a signal's row; signals of two streams never share a key."""
    return str(shard_of(key)), key


def key_columns(key: str) -> dict[str, str]:
    """The partition and the key of a signal's row, as columns."""
    partition, row = entity_key(key)
    return {"PartitionKey": partition, "RowKey": row}


async def entity_of(row: LedgerRow, bodies: Bodies) -> Entity:
    """A row as it is written; bodies too big for it are in blobs then. What rules can match is left out if it is not known."""
    return {
        **appearances_of(row),
        "stream": row.stream,
        "outcome": row.outcome.value,
        "turn": row.turn,
        "resolved": row.state.resolved,
        "closed_at": sorting(row.closed_at),
        "heard": sorting(row.heard),
        "reduced": False,
        "known": await bodies.column(_known(row), fresh_name(FOLDER, row.key)),
        **(await _pending_columns(row, bodies)),
        **(await _held_columns(row, bodies)),
        **(await _fields_column(row, bodies)),
    }


def appearances_of(row: LedgerRow) -> Entity:
    """Of a row only when messages named it, as it is written."""
    return {**key_columns(row.key), COLUMN: written_appearances(row.appearances) or ""}


def appeared_in(entity: Entity) -> Appeared:
    """What the columns `APPEARED` of a row say; raises Undecodable."""
    row = Columns(entity)
    return Appeared(
        key=row.text("RowKey"),
        resolved=row.flag("resolved"),
        is_pending=row.flag("unfinished"),
        appearances=readable(None, appearances_in, row.raw(COLUMN)),
    )


async def _pending_columns(row: LedgerRow, bodies: Bodies) -> Mapping[str, Any]:
    if row.pending is None:
        return FINISHED
    return {
        "unfinished": True,
        "intent": await bodies.column(encode(row.pending), fresh_name(FOLDER, row.key)),
    }


async def _held_columns(row: LedgerRow, bodies: Bodies) -> Mapping[str, Any]:
    if (held := row.held) is None:
        return LET_GO
    return {
        "rule": held.rule,
        "rulebook": held.rulebook,
        "until": sorting(held.until),
        "source": held.source,
        "held": await bodies.column(held.body, fresh_name(FOLDER, row.key)),
        HOLD: written_hold(row) or "",
    }


async def _fields_column(row: LedgerRow, bodies: Bodies) -> Mapping[str, Any]:
    if row.fields is None:
        return {}
    return {"fields": await bodies.column(encode(row.fields), fresh_name(FOLDER, row.key))}


async def fields_of(entity: Entity, bodies: Bodies) -> RuleFields | None:
    """What rules can match of a signal, if it is kept; raises Undecodable."""
    if not entity.get("fields"):
        return None
    fields: RuleFields = decode(RULE_FIELDS, await bodies.read(entity["fields"]))
    return fields


class Packed(NamedTuple):
    """The packed column of a row; its fields are those of LedgerRow."""

    state: State
    seen: Seen
    open: Mapping[str, int]
    grouped: frozenset[str]
    forwarded: bool


async def row_of(entity: Entity, bodies: Bodies) -> LedgerRow:
    """A row as it was written, without what it holds; raises Undecodable."""
    row, known = Columns(entity), await _known_of(entity, bodies)
    return LedgerRow(
        key=row.text("RowKey"),
        stream=row.word("stream", Stream).value,
        state=known.state,
        seen=known.seen,
        turn=row.whole("turn", 1, MOST_TURNS),
        outcome=row.word("outcome", Outcome),
        open=known.open,
        grouped=known.grouped,
        forwarded=known.forwarded,
        pending=await _pending_of(entity, bodies),
        closed_at=row.find_time("closed_at"),
        # An older program did not write it; one that is damaged is no reason to set the row aside.
        heard=readable(None, row.find_time, "heard"),
        appearances=readable(None, appearances_in, row.raw(COLUMN)),
        held_by=held_by_of(entity) if row.raw("outcome") == Outcome.SUPPRESSED and row.raw("rule") else None,
        version=version_of(entity),
    )


def held_by_of(entity: Entity) -> HeldBy:
    """What holds a row that holds something, whatever its columns hold."""
    row = Columns(entity)
    by = HeldBy(rule=row.words("rule"), until=readable(EPOCH, row.time, "until"))
    return with_hold(by, row.raw(HOLD))


async def _known_of(entity: Entity, bodies: Bodies) -> Packed:
    resolved, status, severity, measure, changed, origin, place, part, enqueued, deleted, open, grouped, forwarded = (
        parts_of(await bodies.read(entity.get("known")), 13, "known")
    )
    row = Columns(
        {
            "resolved": resolved,
            "status": status,
            "severity": severity,
            "measure": measure,
            "changed": changed,
            "origin": origin,
            "place": place,
            "part": part,
            "enqueued": enqueued,
            "deleted": deleted,
            "forwarded": forwarded,
        }
    )
    arrival = Arrival(row.text("origin"), row.whole("place"), row.find_time("enqueued"), row.whole("part"))
    return Packed(
        state=State(
            row.flag("resolved"),
            row.text("status"),
            row.whole("severity", -1) if severity is not None else None,
            row.text("measure") if measure is not None else None,
        ),
        seen=Seen(row.find_time("changed"), arrival, row.flag("deleted")),
        open=turns_of(open, "open"),
        grouped=names_of(grouped, "grouped"),
        forwarded=row.flag("forwarded"),
    )


async def _pending_of(entity: Entity, bodies: Bodies) -> Turn | None:
    if not Columns(entity).flag("unfinished"):
        return None
    turn: Turn = decode(TURN, await bodies.read(entity.get("intent")))
    return turn


def is_holding(entity: Entity) -> bool:
    """Whether a row holds something, whatever is left of it."""
    return any(entity.get(column) for column in HELD)


async def held_of(entity: Entity, bodies: Bodies) -> Held | None:
    """What a row holds, if it holds anything: it is decided again from its body, which is quarantined if it is none."""
    if not is_holding(entity):
        return None
    row, by = Columns(entity), held_by_of(entity)
    body = await attempted(bodies.read(entity.get("held")))
    return Held(
        rule=by.rule,
        until=by.until,
        rulebook=row.words("rulebook"),
        source=row.words("source"),
        body=body if isinstance(body, bytes) else row.words("held").encode(),
        since=by.since,
        messages=by.messages,
    )


def _known(row: LedgerRow) -> bytes:
    state, seen = row.state, row.seen
    return orjson.dumps(
        [
            state.resolved,
            state.status,
            state.severity,
            state.measure,
            sorting(seen.changed),
            seen.arrival.origin,
            seen.arrival.place,
            seen.arrival.part,
            sorting(seen.arrival.enqueued),
            seen.deleted,
            dict(row.open),
            sorted(row.grouped),
            row.forwarded,
        ]
    )
