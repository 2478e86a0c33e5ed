"""How values become bytes in a store, and values again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from router.domain.errors import Undecodable
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
    """The value of the type of that name; raises Undecodable for whatever else lies there."""
    if name not in _TYPES:
        raise Undecodable("type: names nothing that this version knows")
    try:
        return _adapter(name).validate_json(data)
    except ValidationError as fault:
        first = fault.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise Undecodable(f"{name}{f' at {place}' if place else ''}: {first['msg']}") from fault


def content_of(name: str, data: bytes | None) -> Notice | RecordEntry:
    """What a delivery tells; raises Undecodable, also where that is there no more."""
    if name not in ("Notice", "RecordEntry"):
        raise Undecodable("type: is nothing that a delivery tells")
    if data is None:
        raise Undecodable("body: what it tells is there no more")
    content: Notice | RecordEntry = decode(name, data)
    return content


def attempt[**P, T](read: Callable[P, T], *args: P.args, **more: P.kwargs) -> T | Undecodable:
    """What a read brings, or why it cannot be decoded: damage is a value, which every caller has to look at."""
    try:
        return read(*args, **more)
    except Undecodable as fault:
        return fault


async def attempted[T](read: Awaitable[T]) -> T | Undecodable:
    """The same of a read that is waited for."""
    try:
        return await read
    except Undecodable as fault:
        return fault


def readable[**P, T](otherwise: T, read: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
    """What a read brings, or something else where it cannot be decoded."""
    found = attempt(read, *args, **more)
    return otherwise if isinstance(found, Undecodable) else found


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(_TYPES[name])
