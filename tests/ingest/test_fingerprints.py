"""What is known of the alerts that an incident named, however many they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.domain.keys import alert_fingerprint
from router.ingest.observations import MOST, fingerprints_after

NOTHING: frozenset[str] = frozenset()
SPANS = st.tuples(st.integers(0, 2 * MOST), st.integers(0, 2 * MOST)).map(lambda ends: range(min(ends), max(ends)))


def ids(numbers: range) -> list[str]:
    return [f"al-{number}" for number in numbers]


def test_up_to_so_many_each_alert_is_known_by_its_fingerprint() -> None:
    """As earlier versions wrote it."""
    named = ids(range(MOST))
    assert fingerprints_after(NOTHING, named) == set(map(alert_fingerprint, named))
    assert fingerprints_after(NOTHING, [*named, "one more"]) > {f"+{MOST + 1}"}


@given(first=SPANS, second=SPANS)
def test_what_is_known_holds_so_many_fingerprints_and_the_same_or_fewer_change_nothing(
    first: range, second: range
) -> None:
    """In whatever order they are named, and whoever named them before; more alerts than any message named change it."""
    known = fingerprints_after(fingerprints_after(NOTHING, ids(first)), ids(second))
    for again in (first, second, range(second.start, (second.start + second.stop) // 2)):
        assert fingerprints_after(known, reversed(ids(again))) == known
    assert len(known) <= 2 * MOST
    most = max(len(first), len(second), MOST)
    more = fingerprints_after(known, ids(range(most + 1)))
    assert more != known
    assert len(more) == MOST + 1


def test_what_an_earlier_version_wrote_is_gone_on_with() -> None:
    """Of more alerts than it looked at it knew the first, and not how many there were: that there are more is news, once."""
    named = ids(range(MOST + 5))
    known = fingerprints_after(set(map(alert_fingerprint, named[:MOST])), named)
    assert f"+{MOST + 5}" in known
    assert fingerprints_after(known, named) == known


def test_a_number_that_is_none_is_a_fingerprint_like_others() -> None:
    """Whatever a damaged row holds, there is an answer."""
    for damaged in ("+", "+x", "+" + "9" * 5000, "-1", "+१"):
        assert fingerprints_after({damaged}, ["a"]) == {damaged, alert_fingerprint("a")}
