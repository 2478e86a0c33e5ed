"""Cutting: within the limit, with a mark, and never without one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from router.destinations.wording.escaping import mrkdwn
from router.destinations.wording.fitting import (
    MARK,
    encodable,
    fitted,
    json_bytes,
    json_size,
    lines_of,
    packed,
    shorten,
    shorten_bytes,
    shorten_escaped,
)

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=6), inner, max_size=20),
    max_leaves=12,
)


def test_a_text_at_its_limit_is_whole() -> None:
    """One character too many, and the end becomes a mark; at the limit of what is escaped it ends in front of an escape."""
    assert [shorten("x" * length, 20) for length in (20, 21)] == ["x" * 20, "x" * (20 - len(MARK)) + MARK]
    shown = {"&&&&": "&amp;" * 4, "&&&xxxxx": "&amp;&amp;&amp;xxxxx", "&&&xxxxxx": f"&amp;&amp;{MARK}"}
    assert {text: shorten_escaped(text, 20, lambda one: one.replace("&", "&amp;")) for text in shown} == shown


@given(st.text(max_size=200), st.integers(20, 200))
def test_bytes_are_counted_and_no_character_is_halved(text: str, limit: int) -> None:
    """A text cut by bytes is valid, within its limit, and marked where it was cut."""
    cut = shorten_bytes(text, limit)
    assert len(cut.encode()) <= limit
    assert cut == text or (cut.endswith(MARK) and text.startswith(cut.removesuffix(MARK)))


@given(st.dictionaries(st.text(max_size=10), values, max_size=5))
def test_what_fits_is_left_alone(value: dict[str, Any]) -> None:
    """A mapping within its limit is the same mapping."""
    assert fitted(value, json_size(value)) is value


@given(st.dictionaries(st.sampled_from("abcdefgh"), values, max_size=8), st.integers(0, 6))
def test_what_does_not_fit_shrinks_and_keeps_its_keys(value: dict[str, Any], part: int) -> None:
    """A mapping that is cut keeps its own keys, and is no larger than it was but for its marks."""
    cut = fitted(value, json_size(value) * part // 8)
    assert list(cut) == list(value)
    assert orjson.loads(json_bytes(cut)) is not None


def test_lists_go_before_texts() -> None:
    """Among thousands of entities an id of 300 characters stays whole."""
    value = {"id": "i" * 300, "hosts": ["h" * 300] * 5_000}
    cut = fitted(value, 10_000)
    assert cut["id"] == value["id"]
    assert cut["hosts"][-1] == "… [4984 more]"
    assert json_size(cut) <= 10_000


@given(st.dictionaries(st.text(st.characters(), max_size=5), st.text(st.characters(), max_size=20), max_size=4))
def test_any_text_can_be_encoded(value: dict[str, str]) -> None:
    """Lone surrogates become U+FFFD; everything else is as it was."""
    assert orjson.loads(json_bytes(value)) == encodable(value)
    assert json_bytes(["\ud83d", "\ud83d\ude00", "ok"]) == '["�","😀","ok"]'.encode()


@given(st.text(alphabet="&<x", max_size=80), st.integers(len(MARK), 60))
def test_an_escaped_text_keeps_its_limit(text: str, limit: int) -> None:
    """Whatever is escaped, the result is within the limit, and begins as the whole does."""
    whole = mrkdwn(text)
    shown = shorten_escaped(text, limit, mrkdwn)
    assert len(shown) <= limit
    assert shown == whole or (shown.endswith(MARK) and whole.startswith(shown.removesuffix(MARK)))


@given(st.lists(st.integers(1, 12), max_size=40))
def test_packs_keep_order_and_limit(sizes: list[int]) -> None:
    """Everything is in one pack, in order; a pack is above the limit only where one item is."""
    packs = list(packed(sizes, lambda size: size, 10))
    assert [size for pack in packs for size in pack] == sizes
    assert all(sum(pack) <= 10 or len(pack) == 1 for pack in packs)
    assert all(sum(pack) + after[0] > 10 for pack, after in pairwise(packs))


def test_values_by_name_are_lines_for_a_terminal() -> None:
    """One item stands behind the name, several on lines of their own; what stands under a name is indented."""
    values = {"hosts": ["a", "b"], "pods": ["web"], "none": [], "components": [{"name": "shop", "id": 1}], "text": "x"}
    assert list(lines_of(values)) == [
        "hosts:", "- a", "- b", "pods: web", "none:", "components: name: shop; id: 1", "text: x",
    ]  # fmt: skip
    values = {"fields": {"priority": {"name": "High"}, "labels": ["a", "b"]}}
    assert list(lines_of(values)) == ["fields:", "  priority:", "    name: High", "  labels:", "  - a", "  - b"]
