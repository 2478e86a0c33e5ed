"""An index over the scopes of many rules that finds the few which may cover one of them, so that none is compared with each.

A scope that covers another one asks nothing that the other does not ask. So each rule is filed under what its elements ask,
first that which fewest others ask too, and is found by what the covered rule asks:

    in A, B            by each value
    in 10.0.0.0/8      by the range; found by the ranges around an address or a range
    contains TEXT      by its rarest word; found by the words of a text that contains it. The first and the last word of a text
                       may be cut, so they are found by the ends and the beginnings of words, and a lone word by any part of one
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import IntEnum

from router.domain.patterns import AddressRange, find_address
from router.domain.suppression import Element, Field, Operator, SuppressionRule

_WORD = re.compile(r"[\w.-]+")


class _Asked(IntEnum):
    """What is asked of a value: which part of it a key is."""

    WHOLE = 0
    RANGE = 1
    WORD = 2
    BEGINNING = 3
    END = 4
    PART = 5
    ANYTHING = 6


type _Key = tuple[Field, _Asked, object]


@dataclass(slots=True)
class _Shelf:
    """Where rules are filed that ask some things: here those that ask no more, and by what else they ask the others."""

    numbers: list[int] = field(default_factory=list)
    more: dict[_Key, _Shelf] = field(default_factory=dict)

    def below(self, asked: Collection[_Key]) -> Iterator[Sequence[int]]:
        """The places of the rules that ask nothing else than this."""
        if self.numbers:
            yield self.numbers
        if self.more:
            for key in asked:
                if key in self.more:
                    yield from self.more[key].below(asked)


@dataclass(frozen=True, slots=True)
class ScopeIndex:
    """Rules of one type, by what their scopes ask.

    Attributes:
        rules: the rules, in the order in which they were given.
    """

    rules: Sequence[SuppressionRule]
    _root: _Shelf
    _keys: Set[_Key]
    _lengths: Mapping[tuple[Field, _Asked], Sequence[int]]
    """How long the keys are of which only the length tells what to look up, by field and sort."""

    @classmethod
    def of(cls, rules: Iterable[SuppressionRule]) -> ScopeIndex:
        """The index over some rules."""
        ordered = list(rules)
        counts = Counter(
            key for rule in ordered for group in rule.groups for element in group for key in _every_key(element)
        )
        root, keys = _Shelf(), set[_Key]()
        for place, rule in enumerate(ordered):
            asked = [_rarest_keys(element, counts) for group in rule.groups for element in group]
            first, *rest = sorted(asked, key=lambda some: (max(counts[key] for key in some), len(some)))
            # A rule stands once for each value that its first element looks for; what else has many values says little.
            single = [key for some in rest if len(some) == 1 for key in some]
            for key in first:
                shelf = root.more.setdefault(key, _Shelf())
                for next_key in single:
                    shelf = shelf.more.setdefault(next_key, _Shelf())
                shelf.numbers.append(place)
            keys.update(first, single)
        lengths: dict[tuple[Field, _Asked], set[int]] = {}
        for field_of_key, sort, what in keys:
            if isinstance(what, AddressRange):
                lengths.setdefault((field_of_key, sort), set()).add(what.length)
            elif isinstance(what, str) and sort > _Asked.WORD:
                lengths.setdefault((field_of_key, sort), set()).add(len(what))
        return cls(ordered, root, keys, {key: sorted(some) for key, some in lengths.items()})

    def find_likely(self, rule: SuppressionRule) -> Iterator[Sequence[int]]:
        """The places of the rules that may cover a rule, in lists that ascend; a rule that is in none does not cover it."""
        asked = dict.fromkeys(
            key for group in rule.groups for element in group for key in self._keys_around(element) if key in self._keys
        )
        yield from self._root.below(asked)

    def _keys_around(self, element: Element) -> Iterator[_Key]:
        """The keys of all elements that one implies. What each of its values implies one of them does, so one is asked."""
        where = element.field
        if element.ranges:
            yield from self._ranges_around(where, next(iter(element.ranges)))
            return
        for form in where.forms_of(min(element.values)):
            if element.operator is Operator.IN:
                yield where, _Asked.WHOLE, form
                if address := find_address(form) if (where, _Asked.RANGE) in self._lengths else None:
                    yield from self._ranges_around(where, AddressRange(address.version, address.width, address.number))
            yield from self._parts_of(where, form)

    def _ranges_around(self, where: Field, range: AddressRange) -> Iterator[_Key]:
        for length in self._lengths.get((where, _Asked.RANGE), ()):
            if length <= range.length:
                yield where, _Asked.RANGE, AddressRange(range.version, length, range.prefix >> (range.length - length))

    def _parts_of(self, where: Field, text: str) -> Iterator[_Key]:
        yield where, _Asked.ANYTHING, ""
        beginnings, ends, parts = (
            self._lengths.get((where, asked), ()) for asked in (_Asked.BEGINNING, _Asked.END, _Asked.PART)
        )
        for word in _WORD.findall(text):
            yield where, _Asked.WORD, word
            for length in beginnings:
                if length <= len(word):
                    yield where, _Asked.BEGINNING, word[:length]
            for length in ends:
                if length <= len(word):
                    yield where, _Asked.END, word[-length:]
            for length in parts:
                for start in range(len(word) - length + 1):
                    yield where, _Asked.PART, word[start : start + length]


def _every_key(element: Element) -> Iterator[_Key]:
    if element.operator is Operator.CONTAINS:
        for text in element.values:
            yield from _keys_of_text(element.field, text)
    else:
        yield from _keys_of_values(element)


def _rarest_keys(element: Element, counts: Mapping[_Key, int]) -> frozenset[_Key]:
    """The keys to file a rule under by an element: one for each of its values."""
    if element.operator is Operator.IN:
        return frozenset(_keys_of_values(element))
    return frozenset(
        min(_keys_of_text(element.field, text), key=lambda key: (counts[key], key[1:])) for text in element.values
    )


def _keys_of_values(element: Element) -> Iterator[_Key]:
    for value in element.values:
        yield element.field, _Asked.WHOLE, value
    for range in element.ranges:
        yield element.field, _Asked.RANGE, range


def _keys_of_text(where: Field, text: str) -> list[_Key]:
    """What a value has that contains a text: each of its words, whole where both of its ends are in the text."""
    found = list(_WORD.finditer(text))
    if not found:
        return [(where, _Asked.ANYTHING, "")]
    keys: list[_Key] = []
    for word in found:
        is_begun, is_ended = word.start() > 0, word.end() < len(text)
        if is_begun:
            keys.append((where, _Asked.WORD if is_ended else _Asked.BEGINNING, word[0]))
        elif is_ended:
            keys.append((where, _Asked.END, word[0]))
        else:
            keys.append((where, _Asked.PART, word[0]))
    return keys
