"""A hold of a destination ends, whoever extends it: its bound counts from the first start."""

from copy import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.deliver.destination_holds import APART, hold_after
from router.domain import destination_holds as holds
from router.domain.clocks import SKEW
from router.domain.deliveries import LONGEST_HOLD, LONGEST_LIFE
from router.domain.errors import BadUsage
from router.domain.rulebook import Lane
from router.store.documents import document_of_hold, find_value, read_values
from tests.builders import NOW

INSTANT = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def a_hold(*, lane: Lane = Lane.PAGE, since: datetime = NOW, lasts: timedelta = 2 * HOUR) -> holds.DestinationHold:
    """A hold of `oncall`."""
    ana = {"stream": "cwpp", "destination": "oncall", "author": "ana", "reason": "the pager is moved"}
    return holds.DestinationHold(lane=lane, since=since, until=since + lasts, **ana)  # type: ignore[arg-type]  # They are the texts.


def test_a_hold_lasts_as_long_as_its_lane_allows_and_no_longer() -> None:
    """The error names the destination, the bound and what to do. A hold ends after it begins, and is shorter than anything
    lives that is owed there, so there is time left for a last try, and for more than one."""
    for lane, hours in ((Lane.PAGE, 4), (Lane.TICKET, 48), (Lane.ROWS, 48)):
        assert LONGEST_HOLD[lane] + APART < LONGEST_LIFE[lane]
        longest = a_hold(lane=lane, lasts=hours * HOUR)
        assert hold_after(None, longest, NOW) == (longest, None)
        with pytest.raises(BadUsage, match=f"cannot be held for so long: .* {lane} lane .* at most; .* `for`"):
            hold_after(None, replace(longest, until=longest.until + INSTANT), NOW)
    for lasts in (timedelta(), -HOUR):
        with pytest.raises(BadUsage, match="is over"):
            hold_after(None, a_hold(lasts=lasts), NOW)


def test_a_hold_is_in_force_from_its_start_until_its_end_or_until_it_is_released() -> None:
    """Both sides of each. One that begins in the future, or lasts longer than any, was not made by a clock that is right."""
    hold = a_hold()
    instants = {timedelta(): True, 2 * HOUR - INSTANT: True, 2 * HOUR: False}
    assert {after: hold.is_in_force(NOW + after) for after in instants} == instants
    released = replace(hold, released=NOW + HOUR)
    assert (released.is_in_force(NOW + HOUR - INSTANT), released.is_in_force(NOW + HOUR)) == (True, False)
    assert holds.holds_in_force([released, hold], NOW + HOUR) == [hold]
    assert a_hold(since=NOW + SKEW).is_in_force(NOW)
    assert not a_hold(since=NOW + SKEW + INSTANT).is_in_force(NOW)
    longest = a_hold(lasts=LONGEST_HOLD[Lane.PAGE])
    assert longest.is_in_force(NOW)
    assert not replace(longest, until=longest.until + INSTANT).is_in_force(NOW)
    assert not replace(longest, until=NOW - HOUR).is_in_force(NOW)
    assert hold_after(a_hold(since=NOW + timedelta(days=400)), hold, NOW) == (hold, None)


def test_a_hold_lasts_no_longer_than_the_lane_allows_that_its_destination_has_now() -> None:
    """Whoever made it knew another lane, or the rules changed since; one that cannot be is none in any lane."""
    hold = a_hold(lane=Lane.TICKET, lasts=48 * HOUR)
    assert hold.in_lane(Lane.PAGE) == a_hold(lasts=4 * HOUR)
    assert hold.in_lane(Lane.TICKET) == hold
    assert a_hold().in_lane(Lane.ROWS) == a_hold(lane=Lane.ROWS)
    assert not a_hold(lane=Lane.TICKET, lasts=48 * HOUR + INSTANT).in_lane(Lane.PAGE).is_in_force(NOW)
    soon, later = NOW + 5 * HOUR - INSTANT, NOW + 5 * HOUR
    with pytest.raises(BadUsage, match="again from 2026-11-24T17:00:00Z on"):
        hold_after(hold, a_hold(since=soon), soon)
    assert hold_after(hold, a_hold(since=later), later) == (a_hold(since=later), None)


def test_a_hold_less_than_an_hour_after_the_last_one_extends_it() -> None:
    """An hour after it, it is another one; it ends as well by a release."""
    end = NOW + 2 * HOUR
    soon, later = end + APART - INSTANT, end + APART
    for ended in (a_hold(), replace(a_hold(lasts=3 * HOUR), released=end)):
        extended, known = hold_after(ended, a_hold(since=soon, lasts=HOUR - INSTANT), soon)
        assert (extended.since, extended.until, extended.released, known) == (NOW, soon + HOUR - INSTANT, None, ended)
        another = a_hold(since=later, lasts=4 * HOUR)
        assert hold_after(ended, another, later) == (another, None)


def test_who_cannot_extend_a_hold_is_told_until_when_and_from_when_on() -> None:
    """While it can be extended a little, its latest end; after that, when it can be held anew."""
    beyond = r"cannot be held beyond 2026-11-24T16:00:00Z: .* since 2026-11-24T12:00:00Z"
    with pytest.raises(BadUsage, match=beyond):
        hold_after(a_hold(), a_hold(since=NOW + HOUR, lasts=4 * HOUR), NOW + HOUR)
    now = NOW + 4 * HOUR + MINUTE
    with pytest.raises(BadUsage, match="again from 2026-11-24T17:00:00Z on"):
        hold_after(a_hold(lasts=4 * HOUR), a_hold(since=now, lasts=MINUTE), now)


STEPS = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 3_000), st.booleans()), max_size=30)
"""Minutes that pass, for how many minutes it is to be held then, and whether it is released before."""


@given(st.sampled_from(Lane), STEPS)
def test_nothing_stays_held_by_renewing_it(lane: Lane, steps: list[tuple[int, int, bool]]) -> None:
    """Whatever people do, between two whole hours in which it is free it is held no longer than its lane allows."""
    now, known, spans = NOW, None, list[tuple[datetime, datetime]]()
    for passes, lasts, is_released in steps:
        now += passes * MINUTE
        if is_released and known is not None and known.is_in_force(now):
            known = replace(known, released=now)
            spans[-1] = (spans[-1][0], now)
        try:
            known, extended = hold_after(known, a_hold(lane=lane, since=now, lasts=lasts * MINUTE), now)
        except BadUsage:
            continue
        if extended is not None and extended.is_in_force(now):
            spans[-1] = (spans[-1][0], known.until)
        else:
            spans.append((now, known.until))
    begins: datetime | None = None
    for number, (start, end) in enumerate(spans):
        if begins is None or start - spans[number - 1][1] >= APART:
            begins = start
        assert end - begins <= LONGEST_HOLD[lane]


def test_the_author_of_a_long_hold_is_to_be_warned_an_hour_before_its_end_and_of_each_end() -> None:
    """One of four hours is not long; one that is over or released is not about to end."""
    long = a_hold(lane=Lane.TICKET, lasts=holds.LONG + INSTANT)
    end = long.until
    warned = {end - holds.WARNING - INSTANT: False, end - holds.WARNING: True, end - INSTANT: True, end: False}
    assert {now: holds.is_to_be_warned_of(long, now) for now in warned} == warned
    assert not any(holds.is_to_be_warned_of(a_hold(lane=Lane.TICKET, lasts=holds.LONG), now) for now in warned)
    assert not holds.is_to_be_warned_of(replace(long, released=end - HOUR / 2), end - HOUR / 4)
    assert (holds.is_over(long, end - INSTANT), holds.is_over(long, end)) == (False, True)
    assert holds.is_over(replace(long, released=NOW + HOUR), NOW + HOUR)
    assert not holds.is_over(a_hold(since=NOW + timedelta(days=400)), NOW)


WORDS = st.fixed_dictionaries(dict.fromkeys(("destination", "author", "reason"), st.text()))


@given(st.sampled_from(["cwpp", "cspm"]), st.sampled_from(Lane), WORDS, st.sampled_from([None, NOW + HOUR / 2]))
def test_a_hold_is_read_as_it_was_written(stream: str, lane: Lane, words: dict[str, str], end: datetime | None) -> None:
    """And its document goes 400 days after its end."""
    hold = replace(a_hold(lane=lane), stream=stream, released=end, **words)  # type: ignore[arg-type]
    document = document_of_hold(hold)
    assert find_value(holds.DestinationHold, document.body) == hold
    assert (document.id, document.at) == (f"{hold.stream}/{hold.destination}", hold.ends)


def test_a_hold_that_does_not_decode_holds_nothing_and_is_counted() -> None:
    """The others do, and say in one sentence who holds, since when, until when and why."""
    good = document_of_hold(a_hold())
    for body in (b"", b"{}", b"[1]", b'{"stream":"cwpp"}', b"\xff\x00", b"[" * 100_000):
        assert read_values(holds.DestinationHold, [replace(good, body=body), good]) == ([a_hold()], 1)
    words = "held by ana since 2026-11-24T12:00:00Z until 2026-11-24T14:00:00Z: the pager is moved"
    assert holds.words_of_hold(a_hold()) == words
