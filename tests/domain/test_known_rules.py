"""Since when rules are known: what comes and goes, and what wrong clocks wrote."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.known_rules import GONE, NONE_KNOWN, KnownRules, document_of_rules, known_after, known_rules_in
from tests.builders import NOW

HOUR = timedelta(hours=1)
NAMES = st.frozensets(st.sampled_from(["a", "b", "c", "shadow:a"]))
STEPS = st.lists(st.tuples(NAMES, st.integers(0, 80)), max_size=12)


@given(STEPS)
def test_a_rule_is_known_since_it_was_first_seen_of_those_times_that_it_was_not_long_away(
    steps: list[tuple[frozenset[str], int]],
) -> None:
    """However rules come and go, and whoever writes what is known in between."""
    known, now = NONE_KNOWN, NOW
    first: dict[str, datetime] = {}
    missing: dict[str, datetime] = {}
    for names, hours in steps:
        now += hours * HOUR
        known = known_rules_in(document_of_rules("cwpp", known_after(known, names, now), now).body)
        for name in names:
            if name not in first or now - missing.get(name, now) > GONE:
                first[name] = now
            missing.pop(name, None)
        for name in first.keys() - names:
            missing.setdefault(name, now)
        assert {name: known.find_since(name, now) for name in names} == {name: first[name] for name in names}


def test_nothing_is_new_where_no_rule_came_or_went() -> None:
    """So that nothing is written."""
    known = known_after(NONE_KNOWN, ["a", "b"], NOW)
    assert known_after(known, ["b", "a"], NOW + HOUR) is known


@pytest.mark.parametrize("wrong", [NOW + 400 * 24 * HOUR, datetime.fromisoformat("1970-01-01T00:00:00+00:00")])
def test_a_clock_that_was_wrong_makes_no_rule_older_nor_younger_for_long(wrong: datetime) -> None:
    """What it wrote counts as written now, once a clock is right."""
    known = known_after(NONE_KNOWN, ["a"], wrong)
    assert known.find_since("a", NOW) is None
    assert not known.is_possible(NOW)
    after = known_after(known, ["a"], NOW)
    assert after.find_since("a", NOW) == NOW
    assert after.is_possible(NOW)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"since": [], "gone": {}}', b'{"since": {"2026-07-01T00:00:00": ["a"]}, "gone": {}}'],
)
def test_what_cannot_be_read_makes_every_rule_new(body: bytes) -> None:
    """That tells people later, and never falsely."""
    assert known_rules_in(body) == KnownRules()
