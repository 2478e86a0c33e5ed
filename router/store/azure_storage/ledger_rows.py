"""A row of the ledger as columns: those that are filtered on for themselves, all others packed into one.

What a message says may be of any length, and a column holds 64 KiB, so nothing that it says stands in a column of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from router.domain.decisions import Outcome
from router.domain.ledger import Arrival, Held, Row, Seen, State
from router.store.azure_storage.bodies import Bodies, fresh_name
from router.store.azure_storage.shards import find_instant, instant, shard_of, sorting
from router.store.azure_storage.tables import Entity, version_of
from router.store.codec import decode, encode

FOLDER = "ledger"
"""Where the bodies lie that a row cannot hold."""

FOUND = ("RowKey", "stream", "outcome", "turn", "closed_at", "known", "unfinished", "intent")
"""The columns of a row without what it holds."""

HELD = ("rule", "rulebook", "until", "source", "held")
"""The columns of what a row holds."""

FINISHED: Mapping[str, Any] = {"unfinished": False, "intent": b""}
"""What a row without an intent has in its place."""

LET_GO: Mapping[str, Any] = {"rule": "", "rulebook": "", "until": "", "source": "", "held": b""}
"""What a row that holds nothing has in its place."""

BODIES = ("known", "intent", "held")
"""The columns that may name a blob."""


def place_of(key: str) -> tuple[str, str]:
    """The partition and the row of a signal; its key tells its stream apart by itself."""
    return str(shard_of(key)), key


def keys_of(key: str) -> dict[str, str]:
    """The place of a signal's row, as columns."""
    partition, row = place_of(key)
    return {"PartitionKey": partition, "RowKey": row}


async def entity_of(row: Row, bodies: Bodies) -> Entity:
    """A row as it is written; bodies too big for it are in blobs then."""
    return {
        **keys_of(row.key),
        "stream": row.stream,
        "outcome": row.outcome.value,
        "turn": row.turn,
        "resolved": row.state.resolved,
        "closed_at": sorting(row.closed_at),
        "known": await bodies.column(_known(row), fresh_name(FOLDER, row.key)),
        **(await _intent_columns(row, bodies)),
        **(await _held_columns(row, bodies)),
    }


async def _intent_columns(row: Row, bodies: Bodies) -> Mapping[str, Any]:
    if row.intent is None:
        return FINISHED
    return {
        "unfinished": True,
        "intent": await bodies.column(encode(row.intent), fresh_name(FOLDER, row.key)),
    }


async def _held_columns(row: Row, bodies: Bodies) -> Mapping[str, Any]:
    if (held := row.held) is None:
        return LET_GO
    return {
        "rule": held.rule,
        "rulebook": held.rulebook,
        "until": sorting(held.until),
        "source": held.source,
        "held": await bodies.column(held.body, fresh_name(FOLDER, row.key)),
    }


async def row_of(entity: Entity, bodies: Bodies) -> Row:
    """A row as it was written, without what it holds."""
    resolved, status, severity, measure, changed, origin, place, part, enqueued, deleted, open, grouped, forwarded = (
        orjson.loads(await bodies.read(entity["known"]))
    )
    return Row(
        key=entity["RowKey"],
        stream=entity["stream"],
        state=State(resolved, status, severity, measure),
        seen=Seen(find_instant(changed), Arrival(origin, place, find_instant(enqueued), part), deleted),
        turn=entity["turn"],
        outcome=Outcome(entity["outcome"]),
        open=open,
        grouped=frozenset(grouped),
        forwarded=forwarded,
        intent=decode("Turn", await bodies.read(entity["intent"])) if entity["unfinished"] else None,
        closed_at=find_instant(entity["closed_at"]),
        version=version_of(entity),
    )


async def held_of(entity: Entity, bodies: Bodies) -> Held | None:
    """What a row holds, if it holds anything."""
    if not entity["until"]:
        return None
    return Held(
        rule=entity["rule"],
        until=instant(entity["until"]),
        rulebook=entity["rulebook"],
        source=entity["source"],
        body=await bodies.read(entity["held"]),
    )


def _known(row: Row) -> bytes:
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
