"""Suppression rules whose scope another rule of their type covers, for as long or longer: they hold nothing by themselves."""

from __future__ import annotations

from collections.abc import Iterator

from router.domain.signals import Stream
from router.domain.suppression import Element, Operator, SuppressionRule
from router.rulebook.lints.scope_index import ScopeIndex
from router.rulebook.lints.subject import Subject
from router.rulebook.lints.type_messages import GUID
from router.rulebook.problems import KeyPath, Problem

_PATH: KeyPath = ("properties", "suppressionAlertsScope")


def find_covered_scopes(subject: Subject) -> Iterator[Problem]:
    """A warning for each rule that is in force and holds nothing that another one does not hold. Of equals one is said."""
    alike: dict[tuple[str, bool], list[SuppressionRule]] = {}
    for rule in subject.rules:
        if rule.is_active(subject.now):
            # A narrow rule may be about a category, and then holds what no other rule of the same text does.
            may_be_of_category = (
                subject.stream is Stream.CSPM and rule.is_narrow and GUID.fullmatch(rule.alert_type) is None
            )
            alike.setdefault((rule.alert_type, may_be_of_category), []).append(rule)
    for rules in alike.values():
        if len(rules) > 1:
            yield from _covered_among(subject, rules)


def _covered_among(subject: Subject, rules: list[SuppressionRule]) -> Iterator[Problem]:
    # One that ends later comes first, so what covers a rule stands before it, or beside it with the same end.
    first: dict[frozenset[frozenset[Element]], SuppressionRule] = {}
    for rule in sorted(rules, key=lambda rule: (-rule.expires.timestamp(), rule.name)):
        twin = first.setdefault(frozenset(map(frozenset, rule.groups)), rule)
        if twin is not rule:
            words = f"is the scope of {_words_for(subject, twin)}; remove this rule, or change its scope"
            yield subject.warning(rule, _PATH, words, code="same-scope")
    index = ScopeIndex.of(first.values())
    for place, rule in enumerate(first.values()):
        if (wider := find_wider(index, place, rule)) is not None:
            words = (
                f"holds nothing that is not held by {_words_for(subject, wider)}; remove this rule, or narrow the other"
            )
            yield subject.warning(rule, _PATH, words, code="covered-scope")


def _words_for(subject: Subject, rule: SuppressionRule) -> str:
    return f"rule {rule.name!r} ({subject.position_of(rule)}) too, which ends no earlier"


def find_wider(index: ScopeIndex, place: int, rule: SuppressionRule) -> SuppressionRule | None:
    """The first rule that covers another; of two that cover each other the second is covered."""
    found: int | None = None
    for likely in index.find_likely(rule):
        for other in likely:
            wider = index.rules[other]
            if (found is not None and other >= found) or wider.expires < rule.expires:
                break
            if other != place and covers_scope(wider, rule) and not (other > place and covers_scope(rule, wider)):
                found = other
                break
    return None if found is None else index.rules[found]


def covers_scope(wider: SuppressionRule, rule: SuppressionRule) -> bool:
    """Whether what a rule's scope holds is held by another scope too, as far as comparing their elements tells."""
    return all(any(_is_group_implied(group, by) for by in rule.groups) for group in wider.groups)


def _is_group_implied(group: tuple[Element, ...], by: tuple[Element, ...]) -> bool:
    """Whether an entity that meets one group meets another one, too."""
    return all(any(_is_implied(element, one) for one in by) for element in group)


def _is_implied(element: Element, by: Element) -> bool:
    if element is by:
        return True
    if element.field != by.field:
        return False
    if element.operator is Operator.IN:
        return by.operator is Operator.IN and _is_among(element, by)
    return not by.ranges and all(
        any(text in form for text in element.values for form in by.field.forms_of(value)) for value in by.values
    )


def _is_among(element: Element, by: Element) -> bool:
    """Whether each value and range of an `in` is one of another `in`, or within one."""
    return all(
        not element.values.isdisjoint(by.field.forms_of(value)) or bool(element.ranges and element.ranges.find(value))
        for value in by.values
    ) and all(any(range.is_within(wide) for wide in element.ranges) for range in by.ranges)
