"""What is written of each value, and that no renaming in the code changes it."""

from __future__ import annotations

import builtins
import json
import types
from collections import abc
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAliasType, get_args, get_origin, get_type_hints

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.errors import Undecodable
from router.domain.notices import RecordEntry
from router.store.codec import Codec, classes_in, decode, encode, tag_of
from router.store.row_reader import Columns
from router.store.stored_names import KEYS, TYPES, WORDS
from tests.builders import NOW

FORMS: Mapping[str, Any] = json.loads((Path(__file__).with_name("forms.json")).read_bytes())
"""One value of each type with everything in it, as it has always been written."""


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type, at every depth also of what has a default."""
    if isinstance(hint, type) and is_dataclass(hint):
        hints = get_type_hints(hint)
        return st.builds(hint, **{one.name: values_of(hints[one.name]) for one in fields(hint)})
    if isinstance(hint, TypeAliasType):
        return values_of(hint.__value__)
    parts = get_args(hint)
    match get_origin(hint):
        case builtins.tuple if parts[-1] is Ellipsis:
            return st.lists(values_of(parts[0]), max_size=2).map(tuple)
        case builtins.tuple:
            return st.tuples(*map(values_of, parts))
        case abc.Mapping:
            return st.dictionaries(_TEXTS, values_of(parts[1]), max_size=2)
        case types.UnionType:
            return st.one_of(*map(values_of, parts))
    return _PLAIN[hint] if hint in _PLAIN else st.from_type(hint)


_TEXTS = st.text(max_size=4)
_PLAIN: Mapping[Any, st.SearchStrategy[Any]] = {str: _TEXTS, int: st.integers(-(2**63), 2**63 - 1)}


def stored(value: Any, keys: Mapping[type[Any], Mapping[str, str]] = KEYS) -> Any:
    """What is written of a value, said once more, slowly."""
    if is_dataclass(value):
        names = keys.get(type(value), {})
        return {names.get(one.name, one.name): stored(getattr(value, one.name), keys) for one in fields(value)}
    if isinstance(value, tuple):
        return [stored(one, keys) for one in value]
    if isinstance(value, Mapping):
        return {name: stored(one, keys) for name, one in value.items()}
    return value


@pytest.mark.parametrize("tag", TYPES)
def test_each_type_is_written_as_it_always_was(tag: str) -> None:
    """To the byte, with everything that it can hold, in its order."""
    text = orjson.dumps(FORMS[tag])
    value = decode(tag, text)
    assert tag_of(value) == tag
    assert encode(value) == text


@given(st.one_of([values_of(type) for type in TYPES.values()]))
def test_values_are_written_under_their_keys_and_come_back(value: Any) -> None:
    """Whatever is in them."""
    text = orjson.dumps(stored(value))
    assert encode(value) == text
    assert decode(tag_of(value), text) == value


def test_an_entry_that_an_older_program_wrote_is_about_no_known_signal() -> None:
    """It lacks the signal, its turn, the steps and the shadow rules."""
    lacking = ("signal", "turn", "steps", "shadowed_by")
    entry = decode("RecordEntry", orjson.dumps({k: v for k, v in FORMS["RecordEntry"].items() if k not in lacking}))
    assert isinstance(entry, RecordEntry)
    assert (entry.signal, entry.turn, entry.steps, entry.shadowed_by) == (None, None, (), ())
    whole = decode("RecordEntry", orjson.dumps(FORMS["RecordEntry"]))
    assert entry == replace(whole, signal=None, turn=None, steps=(), shadowed_by=())


def test_the_table_names_what_there_is() -> None:
    """Classes that are stored, fields that they have, and no key twice in one class."""
    known = {one for type in TYPES.values() for one in classes_in(type)}
    for type, keys in KEYS.items():
        names = [one.name for one in fields(type)]
        assert type in known
        assert set(keys) <= set(names), type
        assert len({keys.get(name, name) for name in names}) == len(names), type


@pytest.mark.parametrize("words", WORDS)
def test_an_enum_is_called_by_its_word(words: type[StrEnum]) -> None:
    """In the reason for which a row is set aside."""
    with pytest.raises(Undecodable, match=f"^a: is no {WORDS[words]} that this version knows$"):
        Columns({"a": "nonsense"}).word("a", words)


@dataclass(frozen=True, slots=True)
class Fruit:
    """A class as it was, which is only stored inside others."""

    name: str
    weight: int = 1
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Basket:
    """A class as it was, which has a tag."""

    best: Fruit | None
    fruits: tuple[Fruit, ...]
    by_shelf: Mapping[str, tuple[Fruit, ...]] = field(default_factory=dict)
    name: str = ""
    weight: int = 0
    at: datetime = NOW


@dataclass(frozen=True, slots=True)
class Apple:
    """The inner class as it is now: two fields have changed their names with each other, and one has another name."""

    weight: str
    name: int = 1
    picked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hamper:
    """The outer class as it is now: it has two fields by the names of which others are stored in the inner one."""

    finest: Apple | None
    apples: tuple[Apple, ...]
    by_shelf: Mapping[str, tuple[Apple, ...]] = field(default_factory=dict)
    name: str = ""
    weight: int = 0
    at: datetime = NOW


RENAMED = {
    Hamper: {"finest": "best", "apples": "fruits"},
    Apple: {"weight": "name", "name": "weight", "picked_at": "at"},
}
BEFORE, AFTER = Codec({"Basket": Basket}, {}), Codec({"Basket": Hamper}, RENAMED)


@given(values_of(Basket))
def test_what_was_written_before_a_renaming_is_read_after_it(basket: Basket) -> None:
    """And is written as before, at every depth."""
    text = BEFORE.encode(basket)
    hamper = AFTER.decode("Basket", text)
    assert isinstance(hamper, Hamper)
    apples = [(apple.weight, apple.name, apple.picked_at) for apple in hamper.apples]
    assert apples == [(one.name, one.weight, one.at) for one in basket.fruits]
    assert (hamper.name, hamper.weight, hamper.at) == (basket.name, basket.weight, basket.at)
    assert AFTER.tag_of(hamper) == "Basket"
    assert AFTER.encode(hamper) == text == orjson.dumps(stored(hamper, RENAMED))


def test_a_class_inside_others_that_alone_was_renamed_is_found() -> None:
    """Its fields are what a class stands for that holds it."""
    inner = Codec({"Basket": Hamper}, {Apple: RENAMED[Apple]})
    text = b'{"finest":{"name":"a","weight":2,"at":null},"apples":[],"by_shelf":{},"name":"","weight":0,"at":"%b"}'
    text %= NOW.isoformat().encode()
    assert inner.decode("Basket", text).finest == Apple("a", 2)
    assert inner.encode(inner.decode("Basket", text)) == text


def test_damage_is_told_by_the_stored_names() -> None:
    """As before a renaming; and the name in the code is not taken for the key."""
    with pytest.raises(Undecodable, match=r"^Basket at fruits\.0\.weight: "):
        AFTER.decode("Basket", b'{"best":null,"fruits":[{"name":"a","weight":"heavy"}]}')
    with pytest.raises(Undecodable, match=r"^Basket at best: Field required$"):
        AFTER.decode("Basket", b'{"finest":null,"fruits":[]}')
    with pytest.raises(Undecodable, match=r"^type: names nothing that this version knows$"):
        AFTER.decode("Hamper", b"{}")
