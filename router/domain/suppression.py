"""Suppression rules as values, and the index that finds the few worth asking among many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv6Address
from types import MappingProxyType
from typing import NamedTuple

from router.domain.patterns import NO_RANGES, AddressRanges, find_prefix, fixed_beginning
from router.domain.values import Value


class Operator(StrEnum):
    """How an element compares. Rules have the two that Defender has; globs are for silences alone."""

    IN = "in"
    CONTAINS = "contains"
    LIKE = "like"


class Field(Value):
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
    items = value if isinstance(value, list) else [value]
    return [text for item in items if isinstance(item, str | int | float) and (text := str(item))]


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


class Element(Value):
    """One condition of a rule, met by any of its values, which are case-folded, or an address in any of its ranges."""

    field: Field
    operator: Operator
    values: frozenset[str]
    ranges: AddressRanges = NO_RANGES


class SuppressionRule(Value, kw_only=True):
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


class Probe(NamedTuple):
    """What rules are found by of a value of a field: all of it, its beginning, or the first bits of an address.

    Attributes:
        version: that of the address; 0 for a text.
        length: of the beginning in characters, or of the address's prefix in bits; 0 for all of a text.
    """

    field: Field
    version: int = 0
    length: int = 0

    def keys_in(self, text: str) -> Iterable[str | int]:
        """What a value is looked up by."""
        if not self.length:
            return self.field.forms_of(text)
        if not self.version:
            return dict.fromkeys(form[: self.length] for form in self.field.forms_of(text))
        prefix = find_prefix(text, self.version, self.length)
        return () if prefix is None else (prefix,)


class TypeIndex(Value):
    """The rules for one alert type: those that a value of a signal finds, and others that must each be asked."""

    by_probe: Mapping[Probe, Mapping[str | int, tuple[SuppressionRule, ...]]] = {}
    others: tuple[SuppressionRule, ...] = ()


NO_RULES = TypeIndex()
"""The index over no rules."""


class Suppressions(Value):
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
    keys_of_rules = list(map(_keys_of, rules))
    counts = Counter(key for some in keys_of_rules for keys in some for key in keys)
    by_probe: dict[Probe, dict[str | int, list[SuppressionRule]]] = {}
    others: list[SuppressionRule] = []
    for rule, some in zip(rules, keys_of_rules, strict=True):
        if not some:
            others.append(rule)
            continue
        # The element whose commonest value is rarest sends the fewest signals to the rule; a range holds many values.
        best = some[0]
        if len(some) > 1:
            best = min(some, key=lambda keys: (max(map(counts.__getitem__, keys)), keys[-1][0].version > 0))
        for probe, key in best:
            by_probe.setdefault(probe, {}).setdefault(key, []).append(rule)
    return TypeIndex(
        {probe: {key: tuple(found) for key, found in by_key.items()} for probe, by_key in by_probe.items()},
        tuple(others),
    )


def _keys_of(rule: SuppressionRule) -> list[list[tuple[Probe, str | int]]]:
    """What a rule may be found by: of each element on whole values all of these, else of one on globs their beginnings."""
    elements = [element for group in rule.groups for element in group]
    some: list[list[tuple[Probe, str | int]]] = []
    for element in elements:
        if element.operator is Operator.IN:
            whole = Probe(element.field)
            some.append([(whole, value) for value in element.values])
            for length, by_prefix in element.ranges.by_length.items():
                some[-1] += ((Probe(element.field, *length), prefix) for prefix in by_prefix)
    for element in elements if not some else ():
        if element.operator is Operator.LIKE and all(beginnings := set(map(fixed_beginning, element.values))):
            return [[(Probe(element.field, length=len(one)), one) for one in beginnings]]
    return some
