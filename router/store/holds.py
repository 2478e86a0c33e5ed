"""Since when a signal is held and how many messages were, as it is stored: a JSON array of instant and number."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import orjson

from router.domain.errors import Undecodable
from router.domain.holds import HeldBy
from router.domain.ledger import LedgerRow
from router.store.codec import readable
from router.store.instants import micros
from router.store.row_reader import MOST_STEPS, Columns, time_of

COLUMN = "hold"
"""The name of the column."""


def written_hold(row: LedgerRow) -> str | None:
    """Return since when a row is held and how many messages were, as it is stored; None where that is not known."""
    held = row.held
    if held is None or held.since is None or held.messages is None:
        return None
    return orjson.dumps([micros(held.since), held.messages]).decode()


def with_hold(by: HeldBy, text: object) -> HeldBy:
    """Return what holds a row with what is stored in the column; damage is no reason to set the row aside."""
    since, messages = readable((None, None), _count_in, text)
    return replace(by, since=since, messages=messages)


def _count_in(text: object) -> tuple[datetime | None, int | None]:
    if text in (None, ""):
        return None, None
    try:
        parts = orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError as fault:
        raise Undecodable(f"{COLUMN}: is no JSON") from fault
    if not isinstance(parts, list) or len(parts) != 2:
        raise Undecodable(f"{COLUMN}: says nothing of what is held")
    found = Columns({"since": parts[0], "messages": parts[1]})
    return time_of(parts[0], COLUMN), found.whole("messages", 1, MOST_STEPS)
