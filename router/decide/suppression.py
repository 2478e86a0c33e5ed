"""Which suppression rules, shadow rules and silences cover a signal, and which of them holds it back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from router.domain.owners import Owners, find_owner_of
from router.domain.patterns import Network, glob_pattern
from router.domain.resources import parse_resource_id
from router.domain.signals import Alert, Finding, Signal
from router.domain.silences import Silence, Silences, find_latest_end
from router.domain.suppression import (
    CVE,
    MACHINE,
    RESOURCE_NAME,
    Element,
    Field,
    Operator,
    SuppressionRule,
    Suppressions,
    TypeIndex,
    texts_of,
)


def find_suppressor(
    signal: Signal, suppressions: Suppressions, now: datetime, owners: Owners
) -> SuppressionRule | None:
    """The active rule that covers a signal; of several the one that expires last, then the first by name."""
    asked = _worth_asking(signal, suppressions, owners)
    return find_last(rule for rule in asked if rule.is_active(now) and covers(rule, signal, owners)) if asked else None


def find_shadows(signal: Signal, shadows: Suppressions, now: datetime, owners: Owners) -> tuple[str, ...]:
    """The names of all active shadow rules that cover a signal, sorted: each would hold it, whatever the others do."""
    asked = _worth_asking(signal, shadows, owners)
    return tuple(sorted({rule.name for rule in asked if rule.is_active(now) and covers(rule, signal, owners)}))


class Silenced(NamedTuple):
    """A silence that covers a signal and holds now.

    Attributes:
        silence: the silence; of several the one whose window ends last.
        until: when it lets go: at the end of its window, or before, where silences have held the signal for the longest time
            without a break then. That is not after now where they have already.
    """

    silence: Silence
    until: datetime


def find_silence(
    signal: Signal, silences: Silences, now: datetime, owners: Owners, longest: timedelta
) -> Silenced | None:
    """The silence that covers a signal now, where silences may hold it for the longest time without a break."""
    if not silences.by_name:
        return None
    asked = _worth_asking(signal, silences.of_types, owners) + _found_in(silences.of_any, signal, owners)
    covering = {rule.name: silences.by_name[rule.name] for rule in asked if covers(rule, signal, owners)}.values()
    open = [(silence, window) for silence in covering if (window := silence.find_window_at(now))]
    if not open or (latest := find_latest_end(covering, now, longest)) is None:
        return None
    silence, window = min(open, key=lambda one: (-one[1].ends.timestamp(), one[0].id))
    return Silenced(silence, min(window.ends, latest))


def _worth_asking(signal: Signal, suppressions: Suppressions, owners: Owners) -> list[SuppressionRule]:
    """The rules about a signal's type or category that are worth asking."""
    asked: list[SuppressionRule] = []
    if (index := suppressions.by_type.get(signal.type.casefold())) is not None:
        asked += _found_in(index, signal, owners)
    if (category := category_of(signal)) and (index := suppressions.by_category.get(category)) is not None:
        asked += _found_in(index, signal, owners)
    return asked


def _found_in(index: TypeIndex, signal: Signal, owners: Owners) -> list[SuppressionRule]:
    """The rules that are worth asking."""
    found = list(index.others)
    for probe, rules in index.by_probe.items():
        texts = values_of(signal, probe.field, owners)
        # A rule that holds a finding names all of its CVEs, so any one of them finds it.
        for text in texts[:1] if probe.field == CVE else texts:
            for key in probe.keys_in(text):
                found += rules.get(key, ())
    return found


def category_of(signal: Signal) -> str | None:
    """The recommendation category that a rule may be about instead of a signal's type, case-folded."""
    return signal.category.casefold() if isinstance(signal, Finding) and signal.category else None


def is_about(rule: SuppressionRule, signal: Signal) -> bool:
    """Whether a rule is about a signal's type; or about its category, which takes a narrow scope."""
    return rule.alert_type == signal.type.casefold() or (rule.is_narrow and rule.alert_type == category_of(signal))


def find_last(rules: Iterable[SuppressionRule]) -> SuppressionRule | None:
    """Of rules that hold, the one that a decision names."""
    return min(rules, key=lambda rule: (-rule.expires.timestamp(), rule.name), default=None)


def covers(rule: SuppressionRule, signal: Signal, owners: Owners) -> bool:
    """Whether a signal that a rule is about meets every group of the rule's elements.

    A group on an entity type is met by one entity that meets all of it; a signal without such an entity is not held.
    """
    return bool(rule.groups) and all(is_met(group, signal, owners) for group in rule.groups)


def is_met(group: tuple[Element, ...], signal: Signal, owners: Owners) -> bool:
    """Whether one and the same entity, or the signal itself, meets every element of a group."""
    type = group[0].field.entity
    if type is None:
        return all(_is_met_by_itself(element, signal, owners) for element in group)
    return any(
        all(_holds(element, texts_of(entity.get(element.field.name))) for element in group)
        for entity in signal.entities.of_type(type)
    )


def find_ranges(rule: SuppressionRule, signal: Signal) -> list[tuple[str, Network]]:
    """The addresses of a signal by which ranges of a rule hold it, each with the narrowest network that does."""
    return [
        (text, found)
        for group in rule.groups
        if any(element.ranges for element in group)
        for entity in signal.entities.of_type(group[0].field.entity or "")
        if all(_holds(element, texts_of(entity.get(element.field.name))) for element in group)
        for element in group
        for text in texts_of(entity.get(element.field.name))
        if element.values.isdisjoint(element.field.forms_of(text)) and (found := element.ranges.find(text))
    ]


def _is_met_by_itself(element: Element, signal: Signal, owners: Owners) -> bool:
    texts = values_of(signal, element.field, owners)
    if element.field != CVE:
        return _holds(element, texts)
    # One CVE that is not accepted is enough to be told, and in a list that was cut there may be one.
    is_whole = isinstance(signal, Finding) and signal.cves is not None and signal.cves.is_whole
    return is_whole and bool(texts) and all(_holds(element, (text,)) for text in texts)


def values_of(signal: Signal, field: Field, owners: Owners) -> Sequence[str]:
    """Every text that a signal offers for a field, of all its entities."""
    if field.entity is None:
        return _own_values(signal, field.name, owners)
    values: list[str] = []
    for entity in signal.entities.of_type(field.entity):
        values += texts_of(entity.get(field.name))
    return values


def _own_values(signal: Signal, name: str, owners: Owners) -> Sequence[str]:
    """What the signal itself offers: its resource, its subscription, extended properties; a package, CVEs, its owner."""
    if name == "resourceid":
        return texts_of(signal.resource)
    if name == RESOURCE_NAME.name:
        return texts_of((signal.resource or "").rstrip("/").rpartition("/")[2])
    if name == MACHINE.name:
        hosts = values_of(signal, Field("host", "hostname"), owners)
        return [
            *_own_values(signal, RESOURCE_NAME.name, owners),
            *hosts,
            *_own_values(signal, "compromisedentity", owners),
        ]
    if name == "subscriptionid":
        return texts_of(parse_resource_id(signal.resource).subscription)
    if name == "compromisedentity":
        return texts_of(signal.compromised_entity if isinstance(signal, Alert) else None)
    if name == "package":
        return texts_of(signal.package.name if isinstance(signal, Finding) and signal.package is not None else None)
    if name == "cve":
        return signal.cves.ids if isinstance(signal, Finding) and signal.cves is not None else ()
    if name == "owner":
        owner = find_owner_of(signal, owners)
        return [name for name in (owner.group, owner.service) if name] if owner is not None else ()
    key = name.removeprefix("extendedproperties.")
    return [text for name, value in signal.extended.items() if name.lower() == key for text in texts_of(value)]


def _holds(element: Element, texts: Sequence[str]) -> bool:
    forms = [form for text in texts for form in element.field.forms_of(text)]
    if element.operator is Operator.IN:
        return not element.values.isdisjoint(forms) or (bool(element.ranges) and any(map(element.ranges.find, texts)))
    if element.operator is Operator.LIKE:
        return any(glob_pattern(value).match(form) for form in forms for value in element.values)
    return any(value in form for form in forms for value in element.values)


_NOTHING = "nothing is named, so it holds nothing"

_OPERATORS = {Operator.IN: "is", Operator.CONTAINS: "contains", Operator.LIKE: "fits"}


def scope_words(groups: Sequence[Sequence[Element]], most: int | None = None) -> str:
    """What a signal must have to be within the scope.

    `most` is how many values of an element are named; of those that are not it is said how many there are.
    """
    if not groups:
        return _NOTHING
    return " and ".join(_element_words(element, most) for group in groups for element in group)


def _element_words(element: Element, most: int | None) -> str:
    values = [*sorted(element.values), *map(str, element.ranges)]
    named = list(islice(values, most))
    more = [f"{len(values) - len(named):,} more"] if len(values) > len(named) else []
    return f"{element.field} {_OPERATORS[element.operator]} {' or '.join([*named, *more])}"
