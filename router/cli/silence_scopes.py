"""Whether all that one silence covers is covered by another one, as far as their scopes tell. Pure."""

from __future__ import annotations

from collections.abc import Callable

from router.domain.patterns import covers_glob
from router.domain.silences import Silence
from router.domain.suppression import MACHINE, RESOURCE_NAME, Element, Field, Operator

type Group = tuple[Element, ...]

_RESOURCE_ID = Field(None, "resourceid")
_NAMES = (_RESOURCE_ID, RESOURCE_NAME, Field("host", "hostname"), Field(None, "compromisedentity"))
"""What a machine may be called by."""


def lies_within(inner: Silence, outer: Silence) -> bool:
    """Whether it is certain that a silence covers nothing but what another one covers too, whenever either holds anything."""
    if inner.stream != outer.stream:
        return False
    if outer.alert_type is not None and (inner.alert_type or "").casefold() != outer.alert_type.casefold():
        return False
    return all(any(_implies(narrow, wide) for narrow in inner.groups) for wide in outer.groups)


def _implies(narrow: Group, wide: Group) -> bool:
    """Whether what meets one group meets another: both are about one entity, or about the signal itself."""
    if wide[0].field == MACHINE:
        return any(one.field in (MACHINE, *_NAMES) and _is_narrower(one, wide[0]) for one in narrow)
    if narrow[0].field.entity != wide[0].field.entity:
        return False
    return all(any(_is_narrower(one, other) for one in narrow) for other in wide)


def _is_narrower(narrow: Element, wide: Element) -> bool:
    if narrow.operator is Operator.CONTAINS or wide.operator is Operator.CONTAINS:
        return narrow.field == wide.field and narrow.operator is wide.operator and narrow.values <= wide.values
    if narrow.field == wide.field or (wide.field == MACHINE and narrow.field != _RESOURCE_ID):
        return _are_all_in(narrow, wide, str)
    if narrow.field == _RESOURCE_ID and wide.field in (RESOURCE_NAME, MACHINE) and narrow.operator is Operator.IN:
        return _are_all_in(narrow, wide, _name_in)
    return False


def _name_in(resource: str) -> str:
    return resource.rstrip("/").rpartition("/")[2]


def _are_all_in(narrow: Element, wide: Element, as_wide: Callable[[str], str]) -> bool:
    if narrow.operator is Operator.LIKE and wide.operator is Operator.IN:
        return False
    return all(_is_in(as_wide(value), wide) for value in narrow.values) and all(
        any(one.is_within(other) for other in wide.ranges) for one in narrow.ranges
    )


def _is_in(value: str, wide: Element) -> bool:
    """Whether a text, or whatever a glob fits, meets an element."""
    if wide.operator is Operator.LIKE:
        return any(covers_glob(glob, value) for glob in wide.values)
    return value in wide.values or wide.ranges.find(value) is not None
