"""Going through the texts of a notice, wherever they stand in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any

OURS = frozenset({"key", "owner", "recipient"})
"""The fields of a notice that say nothing of an alert's, and that vendors and settings know word for word."""


def name_of(written: str) -> str:
    """A name by its letters and digits, in whatever case, spacing and punctuation it is written."""
    return "".join(sign for sign in written.casefold() if sign.isalnum())


type Make = Callable[[str], str]
"""Makes another text of one."""


def with_texts(value: Any, change: Make, by_field: Mapping[str, Make] = {}) -> Any:
    """A value in which each text is what `change` makes of it, but for those that are ours; itself where nothing changes.

    `by_field` says what changes the texts in fields of a name instead.
    """
    # A notice has a hundred lists, most of them empty, and goes through here several times for each delivery.
    kind: Any = type(value)
    if kind is str:
        return change(value)
    if not value or kind is bool or kind is int:
        return value
    if kind is tuple:
        made = tuple([with_texts(item, change, by_field) for item in value])
        return made if any(one is not item for one, item in zip(made, value, strict=True)) else value
    if isinstance(value, Mapping):
        told = {change(name): with_texts(item, change, by_field) for name, item in value.items()}
        return told if told != value else value
    changed = {}
    for name in _names_of(kind):
        before = getattr(value, name)
        if before and (after := with_texts(before, by_field.get(name, change), by_field)) is not before:
            changed[name] = after
    return replace(value, **changed) if changed else value


def texts_in(value: Any) -> Iterator[str]:
    """Each text that `with_texts` would change."""
    kind: Any = type(value)
    if kind is str:
        yield value
    elif not value:
        return
    elif kind is tuple:
        for item in value:
            yield from texts_in(item)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield name
            yield from texts_in(item)
    else:
        for name in _names_of(kind):
            if before := getattr(value, name):
                yield from texts_in(before)


@cache
def _names_of(form: Any) -> tuple[str, ...]:
    """The fields of a dataclass that may hold texts of an alert's; none of anything else."""
    return tuple(one.name for one in fields(form) if one.name not in OURS) if is_dataclass(form) else ()
