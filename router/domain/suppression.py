"""Suppression rules as values, and the index that finds the few worth asking among many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv6Address
from types import MappingProxyType


class Operator(StrEnum):
    """How an element compares; Defender has these two and no others."""

    IN = "in"
    CONTAINS = "contains"


@dataclass(frozen=True, slots=True)
class Field:
    """What an element looks at: a property of an entity type, or a property of the signal itself (`entity` is None)."""

    entity: str | None
    name: str

    def __str__(self) -> str:
        return f"entities.{self.entity}.{self.name}" if self.entity else self.name

    def forms_of(self, text: str) -> tuple[str, ...]:
        """The folded spellings under which a value of this field compares: without case, and as an address if it is one."""
        folded = text.casefold()
        # An IPv4 address has one spelling only, leading zeros are not allowed; an IPv6 address has many.
        if self.name != "address" or ":" not in folded:
            return (folded,)
        try:
            address = IPv6Address(folded)
        except ValueError:
            return (folded,)
        return (folded, str(address.ipv4_mapped or address))


@dataclass(frozen=True, slots=True)
class Element:
    """One condition of a rule. `values` are folded (case, and addresses in their normal form); any of them will do."""

    field: Field
    operator: Operator
    values: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionRule:
    """A promise to hold some signals back until an instant, with a reason and an owner.

    `alert_type` is folded. `elements` are grouped: those of one group look at one entity type and must be met by the
    same entity; a signal's own properties form groups of one. `expires` is the first instant at which nothing is held.
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

    def is_active(self, now: datetime) -> bool:
        """Whether the rule holds anything at that instant."""
        return self.enabled and now < self.expires


@dataclass(frozen=True, slots=True)
class TypeIndex:
    """The rules for one alert type: those that a value of one field can find, and those that must each be asked."""

    by_value: Mapping[Field, Mapping[str, tuple[SuppressionRule, ...]]] = field(default_factory=dict)
    others: tuple[SuppressionRule, ...] = ()


_NO_RULES = TypeIndex()


@dataclass(frozen=True, slots=True)
class Suppressions:
    """The suppression rules of one stream: by name, and indexed by alert type and their most selective `in` value."""

    by_name: Mapping[str, SuppressionRule]
    by_type: Mapping[str, TypeIndex]

    @classmethod
    def of(cls, rules: Iterable[SuppressionRule]) -> Suppressions:
        """The index over some rules, whose names are distinct."""
        by_name = {rule.name: rule for rule in rules}
        by_type: dict[str, list[SuppressionRule]] = {}
        for rule in by_name.values():
            by_type.setdefault(rule.alert_type, []).append(rule)
        return cls(MappingProxyType(by_name), {type: _index(rules) for type, rules in by_type.items()})

    def active(self, now: datetime) -> list[SuppressionRule]:
        """The rules that hold anything at an instant."""
        return [rule for rule in self.by_name.values() if rule.is_active(now)]

    def index_for(self, alert_type: str) -> TypeIndex:
        """What is known for a folded alert type."""
        return self.by_type.get(alert_type, _NO_RULES)


def _index(rules: list[SuppressionRule]) -> TypeIndex:
    counts: dict[tuple[Field, str], int] = {}
    for rule in rules:
        for element in _findable(rule):
            for value in element.values:
                counts[element.field, value] = counts.get((element.field, value), 0) + 1
    by_value: dict[Field, dict[str, list[SuppressionRule]]] = {}
    others: list[SuppressionRule] = []
    for rule in rules:
        findable = _findable(rule)
        if not findable:
            others.append(rule)
            continue
        # The element whose commonest value is rarest sends the fewest signals to the rule.
        best = min(findable, key=lambda element: max(counts[element.field, value] for value in element.values))
        for value in best.values:
            by_value.setdefault(best.field, {}).setdefault(value, []).append(rule)
    return TypeIndex(
        {field: {value: tuple(rules) for value, rules in values.items()} for field, values in by_value.items()},
        tuple(others),
    )


def _findable(rule: SuppressionRule) -> list[Element]:
    return [element for group in rule.groups for element in group if element.operator is Operator.IN]
