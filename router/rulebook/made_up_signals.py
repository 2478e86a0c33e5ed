"""Signals that no message brought, of which rules can be asked: alike in their type, and different in all that rules look at.

Their values stand in `made_up_signals.toml`. Some are alike in all that one sort of organisation or machine has, such as a
private network or programs of Windows. These are variants; a set of signals has one along each axis, or none.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from itertools import product
from types import MappingProxyType
from typing import NamedTuple

from router.domain.entities import Entities
from router.domain.patterns import WIDTHS, find_address
from router.domain.posture import Package
from router.domain.severity import Severity
from router.domain.signals import Alert, Finding, Kind, Signal, Stream
from router.domain.suppression import Element, Field, Operator, SuppressionRule
from router.rulebook.scope_fields import find_field

type Values = Mapping[str, tuple[str, ...]]
"""The values of each field by its name, one for each signal."""

_EXTENDED, _RESOURCE = "extendedproperties", "resourceid"
_OF_RESOURCES = ("entities.azureresource.resourceid", "entities.host.azureid")
_HOST, _COMPROMISED = "entities.host.hostname", "compromisedentity"
_IN_DOMAINS = ("entities.account.upnsuffix", "entities.account.name", "entities.host.dnsdomain", _HOST, _EXTENDED)


class _Table(NamedTuple):
    """The values.

    Attributes:
        values: those of every set of signals.
        axes: the variants along each axis, each with the values that it has in place of these.
    """

    values: Values
    axes: tuple[tuple[Values, ...], ...]


def sets_for(rule: SuppressionRule, stream: Stream) -> Iterator[tuple[Signal, ...]]:
    """The sets of signals that differ in what a rule looks at; none where it surely holds no signal of any set."""
    elements = [element for group in rule.groups for element in group]
    if not all(map(_may_be_met, elements)):
        return
    names = {_name_of(element.field) for element in elements}
    extended = frozenset(one.field.name for one in elements if _name_of(one.field) == _EXTENDED)
    table = _load()
    choices = [
        [number for number, variant in enumerate(axis) if not number or not names.isdisjoint(variant)]
        for axis in table.axes
    ]
    for choice in product(*choices):
        yield _signals(stream, choice, extended)


@cache
def _load() -> _Table:
    table = tomllib.loads(files("router.rulebook").joinpath("made_up_signals.toml").read_text(encoding="utf-8"))
    names = table["domains"]["organisations"]
    domains = [
        {field: [f"{name}{ending}" for name in names] for field in _IN_DOMAINS}
        for ending in table["domains"]["endings"]
    ]
    axes = [*(list(variants.values()) for variants in table["variants"].values()), domains]
    return _Table(_with_twins(table["values"]), tuple((_NO_VALUES, *map(_with_twins, axis)) for axis in axes))


_NO_VALUES: Values = {}


def _with_twins(values: Values) -> Values:
    """The values, and what stands in other fields as well: ids of resources, and hosts that were compromised."""
    twins = {_COMPROMISED: values.get(_HOST), **{name: values.get(_RESOURCE) for name in _OF_RESOURCES}}
    return {**values, **{name: texts for name, texts in twins.items() if texts is not None}}


def _name_of(field: Field) -> str:
    return _EXTENDED if field.name.startswith(_EXTENDED) else str(field)


@lru_cache(maxsize=256)
def _signals(stream: Stream, choice: tuple[int, ...], extended: frozenset[str]) -> tuple[Signal, ...]:
    table = _load()
    values = dict(table.values)
    for axis, number in zip(table.axes, choice, strict=True):
        values |= axis[number]
    count = len(table.values[_RESOURCE])
    return tuple(
        _signal(stream, {name: texts[number] for name, texts in values.items()}, extended) for number in range(count)
    )


def _signal(stream: Stream, values: Mapping[str, str], extended: frozenset[str]) -> Signal:
    entities: dict[str, dict[str, object]] = {}
    for name, text in values.items():
        field = find_field(name)
        if field is not None and field.entity is not None:
            entities.setdefault(field.entity, {"type": field.entity})[field.name] = text
    properties = {name.partition(".")[2]: values[_EXTENDED] for name in extended if _EXTENDED in values}
    if stream is Stream.CWPP:
        return Alert(
            kind=Kind.ALERT, id="made-up", type="made-up", title="made up", severity=Severity.HIGH, resource=values[_RESOURCE],
            entities=Entities(entities.values()), extended=properties, compromised_entity=values[_COMPROMISED],
        )  # fmt: skip
    return Finding(
        kind=Kind.RECOMMENDATION, id="made-up", type="made-up", title="made up", severity=Severity.HIGH,
        resource=values[_RESOURCE], entities=Entities(entities.values()), extended=properties,
        package=Package(name=values["package"]),
    )  # fmt: skip


class _FieldValues(NamedTuple):
    """All values of a field in any set: each by itself, all as one text, and as numbers of addresses."""

    forms: frozenset[str]
    text: str
    addresses: tuple[tuple[int, int], ...]


@cache
def _known() -> Mapping[str, _FieldValues]:
    table = _load()
    texts: dict[str, set[str]] = {}
    for values in (table.values, *(variant for axis in table.axes for variant in axis)):
        for name, written in values.items():
            texts.setdefault(name, set()).update(map(str.casefold, written))
    texts["subscriptionid"] = {id.split("/")[2] for id in texts[_RESOURCE]}
    known = {}
    for name, some in texts.items():
        addresses = (find_address(text) for text in some)
        known[name] = _FieldValues(
            frozenset(some),
            "\n".join(sorted(some)),
            tuple((one.version, one.number) for one in addresses if one is not None),
        )
    return MappingProxyType(known)


@cache
def _prefixes(name: str, version: int, length: int) -> frozenset[int]:
    """The first bits of the addresses of a field."""
    return frozenset(number >> (WIDTHS[version] - length) for one, number in _known()[name].addresses if one == version)


def _may_be_met(element: Element) -> bool:
    """Whether any signal of any set meets an element: a quick answer, since nearly no rule's elements are."""
    name = _name_of(element.field)
    if (known := _known().get(name)) is None:
        return False
    if element.operator is Operator.CONTAINS:
        return any(value in known.text for value in element.values)
    return not element.values.isdisjoint(known.forms) or any(
        not prefixes.isdisjoint(_prefixes(name, version, length))
        for version, length, prefixes in element.ranges.by_length
    )
