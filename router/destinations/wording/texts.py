"""Going through the texts of a notice, wherever they stand in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any

OURS = frozenset({"key", "owner"})
"""The fields of a notice that say nothing of an alert's, and that vendors and settings know word for word."""


def name_of(written: str) -> str:
    """A name by its letters and digits, in whatever case, spacing and punctuation it is written."""
    return "".join(sign for sign in written.casefold() if sign.isalnum())


def with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """A value in which each text is what `change` makes of it, but for those that are ours; itself where nothing changes."""
    match value:
        case str():
            return change(value)
        case tuple():
            made = tuple([with_texts(item, change) for item in value])
            return value if made == value else made
        case Mapping():
            return {change(name): with_texts(item, change) for name, item in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            changed = {}
            for name in _names_of(type(value)):
                before = getattr(value, name)
                if (after := with_texts(before, change)) is not before and after != before:
                    changed[name] = after
            return replace(value, **changed) if changed else value
        case _:
            return value


def texts_in(value: Any) -> Iterator[str]:
    """Each text that `with_texts` would change."""
    match value:
        case str():
            yield value
        case tuple():
            for item in value:
                yield from texts_in(item)
        case Mapping():
            for name, item in value.items():
                yield name
                yield from texts_in(item)
        case _ if is_dataclass(value) and not isinstance(value, type):
            for name in _names_of(type(value)):
                yield from texts_in(getattr(value, name))


@cache
def _names_of(form: type[Any]) -> tuple[str, ...]:
    return tuple(one.name for one in fields(form) if one.name not in OURS)
