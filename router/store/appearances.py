"""When messages named a finding, as it is stored: a JSON array of subscription, kind and instants."""

from __future__ import annotations

from itertools import batched
from typing import Any

import orjson

from router.domain.errors import Undecodable
from router.domain.snapshots import ENDING_KINDS, Appearances, Stretch

COLUMN = "snapshots"
"""The name of the column."""

_KINDS = [kind.value for kind in ENDING_KINDS]

_LATEST = 253_402_300_799
"""The end of the year 9999."""


def written_appearances(appearances: Appearances | None) -> str | None:
    """Appearances as they are stored."""
    if appearances is None:
        return None
    subscription, kind, named, snapshots = appearances
    instants = (instant for stretch in snapshots for instant in stretch)
    return orjson.dumps([subscription, kind, named, *instants]).decode()


def appearances_in(text: object) -> Appearances | None:
    """The appearances that were stored so, None where there are none; raises Undecodable."""
    if text in (None, ""):
        return None
    try:
        parts: Any = orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError as fault:
        raise Undecodable(f"{COLUMN}: is no JSON") from fault
    if not isinstance(parts, list) or len(parts) < 3 or not len(parts) % 2:
        raise Undecodable(f"{COLUMN}: says no appearances")
    subscription, kind, *instants = parts
    if not isinstance(subscription, str) or kind not in _KINDS or not all(map(_is_instant, instants)):
        raise Undecodable(f"{COLUMN}: says no appearances")
    snapshots = tuple(Stretch(*pair) for pair in batched(instants[1:], 2, strict=True))
    if any(one.first > one.last for one in snapshots):
        raise Undecodable(f"{COLUMN}: says no appearances")
    return Appearances(subscription, kind, instants[0], tuple(sorted(snapshots)))


def _is_instant(value: object) -> bool:
    return type(value) is int and 0 <= value <= _LATEST
