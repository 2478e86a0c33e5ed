"""How values become bytes in a store, and values again."""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
from pydantic import TypeAdapter

from router.domain.groups import Board, GroupCard, MemberCard, SlotCard
from router.domain.ledger import Turn
from router.domain.notices import Notice, Receipt, RecordEntry

type Storable = Notice | RecordEntry | Turn | Receipt | Board | MemberCard | GroupCard | SlotCard

_TYPES: dict[str, type[Any]] = {
    type.__name__: type for type in (Notice, RecordEntry, Turn, Receipt, Board, MemberCard, GroupCard, SlotCard)
}


def encode(value: Storable) -> bytes:
    """The value as JSON."""
    return orjson.dumps(value)


def decode(name: str, data: bytes) -> Any:
    """The value of the type of that name."""
    return _adapter(name).validate_json(data)


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(_TYPES[name])
