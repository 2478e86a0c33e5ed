"""What was read of tags, as it is kept: the later instant counts, and nothing takes from what it does not name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from router.domain.clocks import SKEW
from router.domain.documents import DocumentKind, StoredDocument
from router.store import documents as bodies
from router.store.documents import (
    ReadTags,
    TagsById,
    by_subscription,
    document_of_tags,
    find_tags_in,
    tags_after,
    tags_that_count,
)
from router.store.retention import LONGEST

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
IDS = [f"/subscriptions/s/resourcegroups/{name}" for name in "abc"]

tags = st.dictionaries(st.sampled_from(["team", "env"]), st.sampled_from(["a", "b", ""]))
answers = st.dictionaries(st.sampled_from(IDS), tags)


@given(st.dictionaries(st.text(), st.builds(ReadTags, st.sampled_from([NOW, NOW - SECOND]), tags)))
def test_what_is_written_of_tags_is_read_again(some: TagsById) -> None:
    """Whatever it is."""
    assert find_tags_in(document_of_tags("s", some, NOW)) == some


@given(st.lists(answers, min_size=3, max_size=3))
def test_it_does_not_matter_in_which_order_tags_are_written(some: list[Mapping[str, Mapping[str, str]]]) -> None:
    """Of each thing those count that were read last; and what an answer does not name stays."""
    read = [(NOW + number * SECOND, one) for number, one in enumerate(some)]
    ends = []
    for order in permutations(read):
        known: TagsById = {}
        for at, said in order:
            known = tags_after(known, said, at)
            assert tags_after(known, said, at) == known
        ends.append(known)
    assert all(end == ends[0] for end in ends)
    latest = {id: ReadTags(at, tags) for at, said in read for id, tags in said.items()}
    assert ends[0] == latest


def test_what_was_read_ninety_days_ago_counts_no_more() -> None:
    """Just younger, it does; and what a clock that is wrong says was read later than now does not."""
    known = {
        "old": ReadTags(NOW - LONGEST, {"team": "a"}),
        "young": ReadTags(NOW - LONGEST + SECOND, {"team": "a"}),
        "soon": ReadTags(NOW + SKEW, {"team": "a"}),
        "ahead": ReadTags(NOW + SKEW + SECOND, {"team": "a"}),
    }
    assert tags_that_count(known, NOW).keys() == {"young", "soon"}
    assert tags_after(known, {"ahead": {"team": "b"}}, NOW) == {
        "young": known["young"],
        "soon": known["soon"],
        "ahead": ReadTags(NOW, {"team": "b"}),
    }


def test_of_too_many_things_those_are_known_that_were_read_last() -> None:
    """A document has a bound, however large a subscription."""
    most = bodies.MOST_TAGGED
    known = tags_after({}, {f"old-{number}": {} for number in range(most)}, NOW)
    assert len(known) == most
    after = tags_after(known, {"new": {"team": "a"}}, NOW + SECOND)
    assert len(after) == most
    assert after["new"].tags == {"team": "a"}


def test_a_document_is_as_old_as_the_last_that_was_read() -> None:
    """The state forgets it ninety days later."""
    known = {"a": ReadTags(NOW - SECOND, {}), "b": ReadTags(NOW - 2 * SECOND, {})}
    document = document_of_tags("s", known, NOW)
    assert (document.kind, document.id, document.at) == (DocumentKind.TAGS, "s", NOW - SECOND)


def test_tags_that_do_not_decode_are_not_known() -> None:
    """They are written anew when they are read again."""
    for body in (b"", b"{", b"[]", b'{"reads": [{"read": "now", "rows": []}]}', b'{"reads": [{"read": 1}]}'):
        assert find_tags_in(StoredDocument(kind=DocumentKind.TAGS, id="s", at=NOW, body=body)) is None, body


def test_each_thing_is_in_its_subscription() -> None:
    """The subscription itself, too."""
    said = {
        "/subscriptions/b": {"x": "1"},
        "/subscriptions/a/resourcegroups/r": {},
        "/subscriptions/b/resourcegroups/r": {},
    }
    assert by_subscription(said) == {
        "a": {"/subscriptions/a/resourcegroups/r": {}},
        "b": {"/subscriptions/b": {"x": "1"}, "/subscriptions/b/resourcegroups/r": {}},
    }
