"""Whether a suppression rule holds a signal back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from router.domain.resources import parse_resource_id
from router.domain.signals import Alert, Signal
from router.domain.suppression import Element, Field, Operator, SuppressionRule, Suppressions, texts_of


def find_suppressor(signal: Signal, suppressions: Suppressions, now: datetime) -> SuppressionRule | None:
    """The active rule that covers a signal; of several the one that expires last, then the first by name."""
    index = suppressions.by_type.get(signal.type.casefold())
    if index is None:
        return None
    asked = list(index.others)
    for field, rules in index.by_value.items():
        for text in values_of(signal, field):
            for form in field.forms_of(text):
                asked += rules.get(form, ())
    return find_last(rule for rule in asked if rule.is_active(now) and covers(rule, signal)) if asked else None


def find_last(rules: Iterable[SuppressionRule]) -> SuppressionRule | None:
    """Of rules that hold, the one that a decision names."""
    return min(rules, key=lambda rule: (-rule.expires.timestamp(), rule.name), default=None)


def covers(rule: SuppressionRule, signal: Signal) -> bool:
    """Whether a signal of the rule's alert type meets every group of the rule's elements.

    A group on an entity type is met by one entity that meets all of it; a signal without such an entity is not held.
    """
    return bool(rule.groups) and all(is_met(group, signal) for group in rule.groups)


def is_met(group: tuple[Element, ...], signal: Signal) -> bool:
    """Whether one and the same entity, or the signal itself, meets every element of a group."""
    type = group[0].field.entity
    if type is None:
        return all(_holds(element, values_of(signal, element.field)) for element in group)
    return any(
        all(_holds(element, texts_of(entity.get(element.field.name))) for element in group)
        for entity in signal.entities.of_type(type)
    )


def values_of(signal: Signal, field: Field) -> Sequence[str]:
    """Every text that a signal offers for a field, of all its entities."""
    if field.entity is None:
        return _own_values(signal, field.name)
    values: list[str] = []
    for entity in signal.entities.of_type(field.entity):
        values += texts_of(entity.get(field.name))
    return values


def _own_values(signal: Signal, name: str) -> Sequence[str]:
    """What the signal itself offers: resourceid, subscriptionid, compromisedentity, extendedproperties.<key>."""
    if name == "resourceid":
        return texts_of(signal.resource)
    if name == "subscriptionid":
        return texts_of(parse_resource_id(signal.resource).subscription)
    if name == "compromisedentity":
        return texts_of(signal.compromised_entity if isinstance(signal, Alert) else None)
    key = name.removeprefix("extendedproperties.")
    return [text for name, value in signal.extended.items() if name.lower() == key for text in texts_of(value)]


def _holds(element: Element, texts: Iterable[str]) -> bool:
    forms = [form for text in texts for form in element.field.forms_of(text)]
    if element.operator is Operator.IN:
        return not element.values.isdisjoint(forms)
    return any(value in form for form in forms for value in element.values)
