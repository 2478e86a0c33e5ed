"""The latest attempts of a delivery that failed, as its row has them: a JSON array of pairs."""

from __future__ import annotations

from typing import Any

import orjson

from router.domain.deliveries import FailedAttempt
from router.domain.delivery_lifecycle import OutboxEntry
from router.domain.errors import Undecodable
from router.store.instants import micros
from router.store.row_reader import Columns, time_of

COLUMN = "errors"
"""The column that holds them."""


def errors_of(entry: OutboxEntry) -> str | None:
    """The column of a delivery; None where no attempt failed."""
    if not entry.failed:
        return None
    return orjson.dumps([[micros(one.at), one.error] for one in entry.failed]).decode()


def failed_in(row: Columns) -> tuple[FailedAttempt, ...]:
    """The attempts that a row names; raises Undecodable."""
    text = row.find_text(COLUMN)
    if text is None:
        return ()
    try:
        pairs: Any = orjson.loads(text)
    except orjson.JSONDecodeError as fault:
        raise Undecodable(f"{COLUMN}: is no JSON") from fault
    if not isinstance(pairs, list):
        raise Undecodable(f"{COLUMN}: is no list")
    return tuple(_failed(pair) for pair in pairs)


def _failed(pair: Any) -> FailedAttempt:
    match pair:
        case [int() as at, str() as error]:
            return FailedAttempt(time_of(at, COLUMN), error)
    raise Undecodable(f"{COLUMN}: names no attempt")
