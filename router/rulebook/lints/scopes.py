"""Scopes of suppression rules that another rule covers, or that hold most of what their type may bring.

How much a scope holds is asked of made-up signals: alike in their type, and different in all that rules look at. Their values
stand in `made_up_signals.toml`, with variants that are alike in what one sort of organisation or machine has.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import product

from router.domain.signals import Stream
from router.domain.suppression import Element, Field, Operator, SuppressionRule
from router.rulebook.lints.linted_rules import Subject
from router.rulebook.lints.types import GUID
from router.rulebook.problems import KeyPath, Problem

_PATH: KeyPath = ("properties", "suppressionAlertsScope")
_MOST_COMPARED = 100
"""The most rules that a rule is compared with: where there are a hundred thousand, each cannot be compared with each."""


def find_covered_scopes(subject: Subject) -> Iterator[Problem]:
    """A warning for each rule that is in force and holds nothing that another one does not hold; of equals one is kept."""
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
    for rule, wider in find_wider_rules(list(first.values())):
        words = f"holds nothing that is not held by {_words_for(subject, wider)}; remove this rule, or narrow the other"
        yield subject.warning(rule, _PATH, words, code="covered-scope")


def _words_for(subject: Subject, rule: SuppressionRule) -> str:
    return f"rule {rule.name!r} ({subject.position_of(rule)}) too, which ends no earlier"


def find_wider_rules(rules: Sequence[SuppressionRule]) -> Iterator[tuple[SuppressionRule, SuppressionRule]]:
    """Each rule that another one covers, and the first that does, of rules of one type of which that which ends last is first.

    Rules are filed by a value that what they cover has too, so that few are compared; those that look for a piece of a text or
    a range, which any value may meet, are compared with each. Of two that cover each other the second is covered.
    """
    counts = Counter(key for rule in rules for one in _elements(rule) for key in _keys(one))
    by_key: dict[object, list[int]] = {}
    others: list[int] = []
    for place, rule in enumerate(rules):
        whole = [_keys(one) for one in _elements(rule) if one.operator is Operator.IN and not one.ranges]
        for key in min(whole, key=lambda keys: sum(counts[key] for key in keys), default=()):
            by_key.setdefault(key, []).append(place)
        if not whole:
            others.append(place)
    for place, rule in enumerate(rules):
        keys = dict.fromkeys(key for one in _elements(rule) for key in _keys(one))
        likely = [some[:_MOST_COMPARED] for some in (*(by_key.get(key, []) for key in keys), others)]
        for other in sorted({one for some in likely for one in some}):
            wider = rules[other]
            if wider.expires < rule.expires:
                break
            if other != place and covers_scope(wider, rule) and not (other > place and covers_scope(rule, wider)):
                yield rule, wider
                break


def _elements(rule: SuppressionRule) -> Iterable[Element]:
    return (element for group in rule.groups for element in group)


def _keys(element: Element) -> Sequence[object]:
    """What an element looks for: each value by itself, in each of its forms."""
    return [(element.field, form) for value in element.values for form in element.field.forms_of(value)]


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
    ) and all(map(element.ranges.covers, by.ranges))


def find_broad_rules(subject: Subject) -> Iterator[Problem]:
    """A warning for each rule that holds more than half of a set of made-up signals of its type."""
    for rule in (*subject.rules, *subject.shadows):
        if (held := _find_most_held(rule)) is not None:
            words = (
                f"is a whole alert type in effect: it holds {held} made-up signals that differ in all that rules look at; "
                "name what is to be held, such as one host, one resource group or one address"
            )
            yield subject.warning(rule, _PATH, words, "holds-most")


type _Values = Mapping[str, Sequence[str]]
"""Values of fields by their names, one for each made-up signal."""


def _find_most_held(rule: SuppressionRule) -> str | None:
    """How many signals of a set a rule holds, such as `9 of 12`, where that is more than half."""
    elements = list(_elements(rule))
    names = {_name_of(element.field) for element in elements}
    if not all(map(_may_be_met, elements)):
        return None
    values, axes = _made_up()
    relevant = ([{}, *(variant for variant in axis if not names.isdisjoint(variant))] for axis in axes)
    for variants in product(*relevant):
        given = {name: text for one in (values, *variants) for name, text in one.items()}
        held = set.intersection(*(_met(element, given.get(_name_of(element.field), ())) for element in elements))
        count = len(values["resourceid"])
        if 2 * len(held) > count:
            return f"{len(held)} of {count}"
    return None


def _met(element: Element, values: Sequence[str]) -> set[int]:
    """The places of the values that meet an element."""
    return {place for place, value in enumerate(values) if _meets(element, element.field.forms_of(value))}


def _meets(element: Element, forms: Sequence[str]) -> bool:
    if element.operator is Operator.CONTAINS:
        return any(text in form for text in element.values for form in forms)
    return not element.values.isdisjoint(forms) or any(element.ranges.find(form) is not None for form in forms)


def _may_be_met(element: Element) -> bool:
    """Whether any made-up value may meet an element: a quick answer, since nearly no rule's elements are met."""
    forms, whole = _all_forms(_name_of(element.field), element.field)
    if element.operator is Operator.CONTAINS:
        return any(text in whole for text in element.values)
    return bool(element.ranges) or not element.values.isdisjoint(forms)


@cache
def _all_forms(name: str, field: Field) -> tuple[frozenset[str], str]:
    """The values of a field in any set, each by itself and all as one text."""
    values, axes = _made_up()
    some = (values, *(variant for axis in axes for variant in axis))
    forms = frozenset(form for one in some for text in one.get(name, ()) for form in field.forms_of(text))
    return forms, "\n".join(sorted(forms))


def _name_of(field: Field) -> str:
    return _EXTENDED if field.name.startswith(_EXTENDED) else str(field)


_EXTENDED = "extendedproperties"
_IN_DOMAINS = (
    "entities.account.upnsuffix", "entities.account.name", "entities.host.dnsdomain", "entities.host.hostname", _EXTENDED,
)  # fmt: skip


@cache
def _made_up() -> tuple[_Values, Sequence[Sequence[_Values]]]:
    """The values of every set of made-up signals, and the variants along each axis, which have others in their place."""
    table = tomllib.loads(files("router.rulebook.lints").joinpath("made_up_signals.toml").read_text(encoding="utf-8"))
    names = table["domains"]["organisations"]
    domains = [
        {field: [f"{name}{ending}" for name in names] for field in _IN_DOMAINS}
        for ending in table["domains"]["endings"]
    ]
    axes = [*(list(variants.values()) for variants in table["variants"].values()), domains]
    return _with_twins(table["values"]), [list(map(_with_twins, axis)) for axis in axes]


def _with_twins(values: _Values) -> _Values:
    """The values, and what stands in other fields as well: ids of resources, and hosts that were compromised."""
    twins = {
        "compromisedentity": values.get("entities.host.hostname"),
        "entities.azureresource.resourceid": values.get("resourceid"),
        "entities.host.azureid": values.get("resourceid"),
        "subscriptionid": [id.split("/")[2] for id in values.get("resourceid", ())] or None,
    }
    return {**values, **{name: texts for name, texts in twins.items() if texts is not None}}
