"""The scope of a suppression rule, a shadow rule or a silence in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from router.domain.suppression import Element, Operator

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
