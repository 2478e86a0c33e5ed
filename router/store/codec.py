"""How values become bytes in a store, and values again, under the names that `stored_names` says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAliasType, get_args, get_type_hints

import orjson
from pydantic import TypeAdapter, ValidationError
from pydantic_core import SchemaValidator

from router.domain.decisions import Outcome
from router.domain.errors import Undecodable
from router.domain.notices import Notice, RecordEntry
from router.store.stored_names import KEYS, NOTICE, RECORD_ENTRY, TYPES, Storable


class Codec:
    """Writes and reads values of some classes.

    What holds no renamed field, itself or in anything inside it, is written and read in one call of a library; the rest is
    written a little slower, and read as fast.
    """

    def __init__(self, types: Mapping[str, type[Any]], keys: Mapping[type[Any], Mapping[str, str]]) -> None:
        self._types = types
        self._keys = keys
        self._tags = {type: tag for tag, type in types.items()}
        self._renamed: dict[type[Any], bool] = {}
        self._readers: dict[str, Callable[[bytes], Any]] = {}

    def _has_renamed(self, type: type[Any]) -> bool:
        """Whether a field was renamed in a class, or in one that it holds."""
        known = self._renamed.get(type)
        if known is None:
            known = self._renamed[type] = bool(self._keys) and any(one in self._keys for one in classes_in(type))
        return known

    def tag_of(self, value: Any) -> str:
        """The tag under which a value is stored."""
        return self._tags[type(value)]

    def encode(self, value: Any) -> bytes:
        """The value as JSON."""
        if not self._has_renamed(type(value)):
            return orjson.dumps(value)
        return orjson.dumps(value, self._under_keys, orjson.OPT_PASSTHROUGH_DATACLASS)

    def _under_keys(self, value: Any) -> dict[str, Any]:
        keys = self._keys.get(type(value), {})
        return {keys.get(one.name, one.name): getattr(value, one.name) for one in fields(value)}

    def decode(self, tag: str, data: bytes) -> Any:
        """The value of the type of that tag; raises Undecodable for whatever else lies there."""
        if (read := self._readers.get(tag)) is None:
            if tag not in self._types:
                raise Undecodable("type: names nothing that this version knows")
            read = self._readers[tag] = self._reader_of(self._types[tag])
        try:
            return read(data)
        except ValidationError as fault:
            first = fault.errors(include_url=False, include_context=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise Undecodable(f"{tag}{f' at {place}' if place else ''}: {first['msg']}") from fault

    def _reader_of(self, type: type[Any]) -> Callable[[bytes], Any]:
        adapter = TypeAdapter(type)
        if not self._has_renamed(type):
            return adapter.validate_json
        # An alias generator would be asked for a field's alias without being told of which class it is.
        return SchemaValidator(self._with_keys(adapter.core_schema)).validate_json

    def _with_keys(self, schema: Any, keys: Mapping[str, str] | None = None) -> Any:
        """The same schema with the key of each renamed field; `keys` are those of the class around a part of it."""
        if isinstance(schema, list):
            return [self._with_keys(one, keys) for one in schema]
        if not isinstance(schema, dict):
            return schema
        if schema.get("type") == "dataclass":
            keys = self._keys.get(schema["cls"])
        parts = {name: self._with_keys(part, keys) for name, part in schema.items()}
        if schema.get("type") == "dataclass-field" and keys is not None and schema["name"] in keys:
            parts["validation_alias"] = keys[schema["name"]]
        return parts


def classes_in(type: Any) -> set[type[Any]]:
    """The dataclasses that a type is made of: itself, and whatever its fields may hold."""
    found: set[Any] = set()
    waiting = [type]
    while waiting:
        one = waiting.pop()
        if is_dataclass(one) and one not in found:
            found.add(one)
            hints = get_type_hints(one)
            waiting += [hints[field.name] for field in fields(one)]
        waiting += [one.__value__] if isinstance(one, TypeAliasType) else get_args(one)
    return found


_CODEC = Codec(TYPES, KEYS)


def encode(value: Storable) -> bytes:
    """The value as JSON."""
    return _CODEC.encode(value)


def decode(tag: str, data: bytes) -> Any:
    """The value of the type of that tag; raises Undecodable for whatever else lies there."""
    return _CODEC.decode(tag, data)


def decision_in(data: bytes) -> RecordEntry:
    """What is on record of a message; raises Undecodable, also where it has a time or an outcome that is none."""
    entry: RecordEntry = decode(RECORD_ENTRY, data)
    _check_time("at", entry.at)
    if entry.suppressed_until is not None:
        _check_time("suppressed_until", entry.suppressed_until)
    if entry.outcome not in _OUTCOMES:
        raise Undecodable("outcome: is no outcome")
    return entry


_OUTCOMES = frozenset(Outcome)


def _check_time(name: str, written: str) -> None:
    """Raises Undecodable unless a text is an instant that can be told in UTC."""
    try:
        instant = datetime.fromisoformat(written)
        if instant.tzinfo is None:
            raise Undecodable(f"{name}: is no instant")
        instant.astimezone(UTC)
    except (ValueError, OverflowError) as fault:
        raise Undecodable(f"{name}: is no instant") from fault


def tag_of(value: Storable) -> str:
    """The tag under which a value is stored."""
    return _CODEC.tag_of(value)


@lru_cache(1024)
def content_of(tag: str, data: bytes | None) -> Notice | RecordEntry:
    """What a delivery tells; raises Undecodable, also where that is there no more. All deliveries of a turn have it once."""
    if tag not in (NOTICE, RECORD_ENTRY):
        raise Undecodable("type: is nothing that a delivery tells")
    if data is None:
        raise Undecodable("body: what it tells is there no more")
    content: Notice | RecordEntry = decode(tag, data)
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
