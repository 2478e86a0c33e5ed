"""Silences in words, for people: what one is about, who made it, until when. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from router.domain.readable import counted, timestamp
from router.domain.silences import Silence
from router.domain.suppression import MACHINE, RESOURCE_NAME, Element, Operator

_MOST_NAMED = 5
"""The most values of one element that are named."""


def silence_scope_words(silence: Silence) -> str:
    """What a silence is about: `VM_Example at the resource web-1`, `whatever has ip.address 10.0.0.1`."""
    elements = [_element_words(element) for group in silence.groups for element in group]
    return f"{silence.alert_type or 'anything'} {' and '.join(elements)}"


def both_times(time: datetime) -> str:
    """An instant in UTC and by the clocks of this machine; once where those are UTC."""
    local = time.astimezone()
    if not local.utcoffset():
        return timestamp(time)
    return f"{timestamp(time)}, {local:%a %Y-%m-%d %H:%M} {local.tzname()}"


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


def state_of(silence: Silence, now: datetime) -> str:
    """How a silence is: active, coming (it has a window yet to come), or over."""
    if silence.is_active(now):
        return "active"
    return "over" if silence.end <= now or silence.find_next_window(now) is None else "coming"


def document_for(silence: Silence, now: datetime) -> dict[str, object]:
    """A silence as it is printed for programs."""
    window = silence.find_next_window(now)
    return {
        "id": silence.id,
        "name": silence.name,
        "stream": silence.stream,
        "state": state_of(silence, now),
        "type": silence.alert_type,
        "scope": silence_scope_words(silence),
        "begins": timestamp(silence.begins),
        "ends": timestamp(silence.end),
        "first": timestamp(silence.first),
        "every": str(silence.every) if silence.every is not None else None,
        "next_window": {"begins": timestamp(window.begins), "ends": timestamp(window.ends)}
        if window is not None
        else None,
        "reason": silence.reason,
        "author": silence.author,
        "ticket": silence.ticket,
        "made": timestamp(silence.made),
        "ended": timestamp(silence.ended) if silence.ended is not None else None,
    }
