"""What is written of each value, and what is damage when it is read."""

from __future__ import annotations

import builtins
import json
import types
from collections import abc
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeAliasType, get_args, get_origin, get_type_hints

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.deliveries import Receipt
from router.domain.errors import Undecodable
from router.domain.notices import Notice, RecordEntry
from router.domain.rule_fields import RuleFields
from router.domain.signals import Stream
from router.store.codec import Columns, content_of, decision_in, decode, encode, tag_of
from router.store.groups import GroupState
from tests.store.builders import an_entry

TYPES: Mapping[str, type[Any]] = {one.__name__: one for one in (Notice, RecordEntry, Receipt, GroupState, RuleFields)}
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


def test_each_type_is_written_as_it_always_was() -> None:
    """To the byte, with everything that it can hold, in its order."""
    for name, form in FORMS.items():
        text = orjson.dumps(form)
        if name in TYPES:
            value = decode(TYPES[name], text)
            assert encode(value) == text
            if isinstance(value, Notice | RecordEntry):
                assert content_of(tag_of(value), text) == value
    assert TYPES.keys() <= FORMS.keys()


@given(st.one_of([values_of(type) for type in TYPES.values()]))
def test_values_come_back(value: Any) -> None:
    """Whatever is in them."""
    assert decode(type(value), encode(value)) == value


NO_ANSWERS: Sequence[tuple[str, object, str]] = (
    ("text", "\udcff", "is no text"),
    ("text", None, "is no text"),
    ("whole", True, "is no number from 0 to"),
    ("whole", -1, "is no number from 0 to"),
    ("flag", 2, "is no yes or no"),
    ("time", 2**62, "is no instant"),
    ("time", None, "is no instant"),
    ("find_time", "", "is no instant"),
    ("body", "{}", "is no body"),
    ("names", "{", "is no JSON"),
    ("names", "[1]", "is no list of names"),
    ("turns", '{"a":0}', "is no list of turns"),
    ("turns", "[]", "is no list of turns"),
)


def test_a_column_that_has_no_answer_is_named() -> None:
    """The line says what is at fault, and quotes nothing of it."""
    for column, value, why in NO_ANSWERS:
        with pytest.raises(Undecodable, match=f"^a: {why}"):
            getattr(Columns({"a": value}), column)("a")


def test_a_body_or_a_word_that_this_version_does_not_know_is_named() -> None:
    """A word may be of a later version; a body may have lost a part, its tag, or itself."""
    with pytest.raises(Undecodable, match=r"^a: is no word that this version knows$"):
        Columns({"a": "nonsense"}).word("a", Stream)
    with pytest.raises(Undecodable, match=r"^Notice at tactics\.0\.name: Field required$"):
        decode(Notice, orjson.dumps(FORMS["Notice"] | {"tactics": [{"id": "TA0002"}]}))
    with pytest.raises(Undecodable, match=r"^type: is nothing that a delivery tells$"):
        content_of("Receipt", b"{}")
    with pytest.raises(Undecodable, match=r"^body: what it tells is there no more$"):
        content_of("Notice", None)


def test_a_decision_with_a_time_or_an_outcome_that_is_none_is_damaged() -> None:
    """Decisions are sorted and counted by a time with its zone. One that is whole is read as it was written."""
    for field in ("at", "suppressed_until"):
        for written in ("", "no time", "2026-11-24T12:00:00", "9999-12-31T23:59:59-23:59"):
            with pytest.raises(Undecodable, match=f"^{field}: is no instant$"):
                decision_in(encode(an_entry(**{field: written})))
    with pytest.raises(Undecodable, match=r"^outcome: "):
        decision_in(encode(an_entry(outcome="lost")))
    for entry in (an_entry(), an_entry(outcome="suppressed", suppressed_until="2026-12-31T00:00:00+01:00")):
        assert decision_in(encode(entry)) == entry
