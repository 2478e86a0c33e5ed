"""Suppression rules as values, and the index that finds the few worth asking among many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv6Address
from types import MappingProxyType

from router.domain.patterns import NO_RANGES, AddressRange, AddressRanges, fixed_beginning


class Operator(StrEnum):
    """How an element compares. Rules have the two that Defender has; globs are for silences alone."""

    IN = "in"
    CONTAINS = "contains"
    LIKE = "like"


@dataclass(frozen=True, slots=True)
class Field:
    """What an element looks at: a property of an entity type, or of the signal itself."""

    entity: str | None
    name: str

    def __str__(self) -> str:
        return f"entities.{self.entity}.{self.name}" if self.entity else self.name

    def forms_of(self, text: str) -> tuple[str, ...]:
        """The spellings under which a value of this field compares: without case, and as an address if it is one."""
        caseless = text.casefold()
        # An IPv4 address has one spelling only, leading zeros are not allowed; an IPv6 address has many.
        if self.name != "address" or ":" not in caseless:
            return (caseless,)
        try:
            address = IPv6Address(caseless)
        except ValueError:
            return (caseless,)
        return (caseless, str(address.ipv4_mapped or address))


def texts_of(value: object) -> Sequence[str]:
    """The texts that a property offers: itself if it is a scalar, its scalars if it is a list; an empty text is no text."""
    if isinstance(value, str):
        return (value,) if value else ()
    if isinstance(value, list):
        return [text for item in value if (text := _text(item))]
    return (str(value),) if isinstance(value, int | float) else ()


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) else None


CVE = Field(None, "cve")
"""The CVEs that a finding names. An element on it holds only where it names every one of them."""

RESOURCE_NAME = Field(None, "resourcename")
"""The last part of the id of a signal's resource; silences alone look at it."""

MACHINE = Field(None, "machine")
"""By what a machine may be called: the name of the signal's resource, of a host that it names, or of what was compromised.

Alerts about one machine name it in one of these ways or another; silences alone look at it.
"""

_NARROW = frozenset({"resourceid", RESOURCE_NAME.name, MACHINE.name, "package", CVE.name, "owner"})
"""The names of the fields, of a finding or of its one entity, that tell one finding of a category from the next."""


_UNHASHED: AddressRanges = field(default=NO_RANGES, hash=False)
"""Few elements have ranges, and many are hashed while rules are loaded."""


@dataclass(frozen=True, slots=True)
class Element:
    """One condition of a rule, met by any of its values, which are case-folded, or an address in any of its ranges."""

    field: Field
    operator: Operator
    values: frozenset[str]
    ranges: AddressRanges = _UNHASHED


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionRule:
    """A rule that holds some signals back until an instant.

    Attributes:
        alert_type: the alert type, or the recommendation category, that it is about, case-folded.
        groups: its elements. Those of one group must be met by one entity; each of the signal's own properties is a group.
    """

    name: str
    alert_type: str
    expires: datetime
    enabled: bool
    groups: tuple[tuple[Element, ...], ...]
    reason: str = ""
    comment: str = ""
    owner: str | None = None
    source: str = ""

    @property
    def is_narrow(self) -> bool:
        """Whether its scope names a resource, a package, CVEs or an owner, so that it may be about a whole category."""
        for group in self.groups:
            for element in group:
                if element.field.name in _NARROW:
                    return True
        return False

    def is_active(self, now: datetime) -> bool:
        """Whether the rule holds anything at that instant."""
        return self.enabled and now < self.expires


type RulesByRange = Mapping[tuple[int, int], Mapping[int, tuple[SuppressionRule, ...]]]
"""Rules by the version and the length of a range, and by its prefix."""


@dataclass(frozen=True, slots=True)
class TypeIndex:
    """The rules for one alert type.

    Attributes:
        by_value: the rules that a value of a field finds, by field and value.
        by_range: the rules that an address in a field finds, by field, by version and length of a range, and by its prefix.
        by_beginning: the rules that the beginning of a value finds, by field, by its length, and by itself: those of globs.
        others: the rules that must each be asked.
    """

    by_value: Mapping[Field, Mapping[str, tuple[SuppressionRule, ...]]] = field(default_factory=dict)
    by_range: Mapping[Field, RulesByRange] = field(default_factory=dict)
    by_beginning: Mapping[Field, Mapping[int, Mapping[str, tuple[SuppressionRule, ...]]]] = field(default_factory=dict)
    others: tuple[SuppressionRule, ...] = ()


NO_RULES = TypeIndex()
"""The index over no rules."""


@dataclass(frozen=True, slots=True)
class Suppressions:
    """The suppression rules of one stream.

    Attributes:
        by_type: by alert type, an index by the rules' most selective `in` value.
        by_category: the same, of those rules that may be about a category, by what may be the name of one.
    """

    by_name: Mapping[str, SuppressionRule]
    by_type: Mapping[str, TypeIndex]
    by_category: Mapping[str, TypeIndex]

    @classmethod
    def from_rules(cls, rules: Iterable[SuppressionRule]) -> Suppressions:
        """The index over some rules, whose names are distinct."""
        by_name = {rule.name: rule for rule in rules}
        by_type: dict[str, list[SuppressionRule]] = {}
        for rule in by_name.values():
            by_type.setdefault(rule.alert_type, []).append(rule)
        indexes = {type: index_over(rules) for type, rules in by_type.items()}
        by_category = {
            type: indexes[type] if len(narrow) == len(rules) else index_over(narrow)
            for type, rules in by_type.items()
            if (narrow := [rule for rule in rules if rule.is_narrow])
        }
        return cls(MappingProxyType(by_name), indexes, by_category)

    def active(self, now: datetime) -> list[SuppressionRule]:
        """The rules that hold anything at an instant."""
        return [rule for rule in self.by_name.values() if rule.is_active(now)]


NO_SUPPRESSIONS = Suppressions.from_rules(())
"""No suppression rules."""


def index_over(rules: Sequence[SuppressionRule]) -> TypeIndex:
    """The index over rules for one alert type."""
    counts: dict[tuple[Field, str | AddressRange], int] = {}
    for rule in rules:
        for element in _in_elements(rule):
            for key in _keys_of(element):
                counts[element.field, key] = counts.get((element.field, key), 0) + 1
    by_value: dict[Field, dict[str, list[SuppressionRule]]] = {}
    by_range: dict[Field, dict[tuple[int, int], dict[int, list[SuppressionRule]]]] = {}
    by_beginning: dict[Field, dict[int, dict[str, list[SuppressionRule]]]] = {}
    others: list[SuppressionRule] = []
    for rule in rules:
        findable = _in_elements(rule)
        if not findable:
            globs = _find_globs_with_beginnings(rule)
            if globs is None:
                others.append(rule)
                continue
            by_its_length = by_beginning.setdefault(globs.field, {})
            for beginning in frozenset(map(fixed_beginning, globs.values)):
                by_its_length.setdefault(len(beginning), {}).setdefault(beginning, []).append(rule)
            continue
        # The element whose commonest value is rarest sends the fewest signals to the rule; a range holds many values.
        best = findable[0]
        if len(findable) > 1:
            best = min(
                findable, key=lambda one: (max(counts[one.field, key] for key in _keys_of(one)), bool(one.ranges))
            )
        for value in best.values:
            by_value.setdefault(best.field, {}).setdefault(value, []).append(rule)
        for version, length, prefix in best.ranges if best.ranges.by_length else ():
            by_length = by_range.setdefault(best.field, {})
            by_length.setdefault((version, length), {}).setdefault(prefix, []).append(rule)
    return TypeIndex(
        {field: _frozen(values) for field, values in by_value.items()},
        {
            field: {length: _frozen(prefixes) for length, prefixes in by_length.items()}
            for field, by_length in by_range.items()
        },
        {
            field: {length: _frozen(beginnings) for length, beginnings in by_length.items()}
            for field, by_length in by_beginning.items()
        },
        tuple(others),
    )


def _frozen[Key](rules: Mapping[Key, list[SuppressionRule]]) -> dict[Key, tuple[SuppressionRule, ...]]:
    return {key: tuple(some) for key, some in rules.items()}


def _keys_of(element: Element) -> Iterable[str | AddressRange]:
    return (*element.values, *element.ranges) if element.ranges.by_length else element.values


def _in_elements(rule: SuppressionRule) -> list[Element]:
    return [element for group in rule.groups for element in group if element.operator is Operator.IN]


def _find_globs_with_beginnings(rule: SuppressionRule) -> Element | None:
    """An element of globs none of which begins with a wildcard; None where there is none."""
    for group in rule.groups:
        for element in group:
            if element.operator is Operator.LIKE and all(map(fixed_beginning, element.values)):
                return element
    return None
