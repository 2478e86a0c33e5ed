"""Since when a signal is held and how many messages were, as both stores keep it: a JSON array of turn, instant and number."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson

from router.domain.errors import Undecodable
from router.domain.holds import HeldBy, HoldCount
from router.domain.ledger import LedgerRow
from router.store.codec import readable
from router.store.row_reader import MOST_STEPS, MOST_TURNS, Columns, time_of

COLUMN = "hold"
"""The name of the column."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def written_hold(row: LedgerRow) -> str | None:
    """Since when a row is held and how many messages were, as it is stored; None where that is not known."""
    if row.held is None or (count := row.held.by.count_at(row.turn)) is None:
        return None
    return orjson.dumps([count.turn, (count.since - _EPOCH) // timedelta(microseconds=1), count.messages]).decode()


def with_hold(by: HeldBy, text: object, turn: int | None) -> HeldBy:
    """What holds the row of a turn, with what is stored in the column; damage is no reason to set the row aside."""
    count = readable(None, _count_in, text)
    if count is None or turn is None or not count.is_of(turn):
        return by
    return replace(by, since=count.since, messages=count.messages)


def _count_in(text: object) -> HoldCount | None:
    if text in (None, ""):
        return None
    try:
        parts = orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError as fault:
        raise Undecodable(f"{COLUMN}: is no JSON") from fault
    if not isinstance(parts, list) or len(parts) != len(HoldCount._fields):
        raise Undecodable(f"{COLUMN}: says nothing of what is held")
    found = Columns(dict(zip(HoldCount._fields, parts, strict=True)))
    turn, messages = found.whole("turn", 1, MOST_TURNS), found.whole("messages", 1, MOST_STEPS)
    return HoldCount(turn, time_of(found.raw("since"), COLUMN), messages)
