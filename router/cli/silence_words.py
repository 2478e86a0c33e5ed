"""Silences in words, for people: what one is about, who made it, until when. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from router.domain.silences import Silence
from router.domain.suppression import MACHINE, RESOURCE_NAME, Element, Operator
from router.domain.texts import counted, timestamp

_MOST_NAMED = 5
"""The most values of one element that are named."""


def silence_scope_words(silence: Silence) -> str:
    """What a silence is about: `VM_Example at the resource web-1`, `whatever has ip.address 10.0.0.1`."""
    elements = [_element_words(element) for group in silence.groups for element in group]
    return f"{silence.alert_type or 'anything'} {' and '.join(elements)}"


def silence_words(silence: Silence) -> str:
    """Which silence it is, whose, and until when: `silence ab12cd by ana until 2026-11-24T14:00:00Z`."""
    return f"silence {silence.id} by {silence.author} until {timestamp(silence.end)}"


def undecodable_words(number: int) -> str:
    """What is said of silences that do not decode: `2 silences cannot be read, and hold nothing`."""
    return f"{counted(number, 'silence')} cannot be read, and {'holds' if number == 1 else 'hold'} nothing"


def _element_words(element: Element) -> str:
    values = [*sorted(element.values), *map(str, element.ranges)]
    some = _either(values)
    if element.field == RESOURCE_NAME:
        return f"at a resource called {some}"
    if element.field == MACHINE:
        return f"at a machine called {some}"
    if element.field.entity is None and element.field.name == "resourceid":
        return f"at {some}"
    like = " like" if element.operator is Operator.LIKE else ""
    return f"with {str(element.field).removeprefix('entities.')}{like} {some}"


def _either(values: Iterable[str]) -> str:
    named = list(values)
    more = f" or {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return f"{' or '.join(named[:_MOST_NAMED])}{more}"
