"""What the result of an attempt makes of its claim, for every result, age and lane."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.deliver.settlement import LEAST, settlement_for, untried
from router.domain.conversation import Result
from router.domain.deliveries import Claim, DeliveryState, Receipt, Settlement
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.lane_limits import LONGEST, LONGEST_WAIT
from router.domain.rulebook import Lane
from router.store.destinations import PROBE
from tests.builders import NOW
from tests.store.builders import a_delivery

MOMENT = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)


def a_claim(number: int = 1, *, age: timedelta = timedelta(), lane: Lane = Lane.TICKET) -> Claim:
    return Claim(delivery=a_delivery(lane=lane), id="claim", number=number, born=NOW - age)


def settled(
    claim: Claim,
    result: Result,
    *,
    took: timedelta = timedelta(),
    backoff: float = 2.0,
    chance: float = 0.0,
) -> Settlement:
    """What is written down now of an attempt that took so long."""
    return settlement_for(claim, result, NOW - took, NOW, backoff=lambda _: backoff, chance=chance)


LANES = st.sampled_from(list(Lane))
NUMBERS = st.integers(1, 10_000)
AGES = st.one_of(
    st.timedeltas(timedelta(days=-3), timedelta(days=9)),
    st.builds(
        lambda longest, by: longest + by, st.sampled_from(sorted(set(LONGEST.values()))), st.timedeltas(-SECOND, SECOND)
    ),
)
"""Also those of deliveries that a clock ahead of ours owed."""
TOOK = st.timedeltas(timedelta(), timedelta(minutes=5))
BACKOFFS = st.floats(0, 1e6)
CHANCES = st.floats(0, 1)
WISHES = st.one_of(st.floats(allow_nan=False, allow_infinity=True), st.integers(-(10**12), 10**12))
TROUBLES: st.SearchStrategy[Result] = st.one_of(
    st.builds(Unavailable, st.just("answered 503"), retry_after=st.none() | WISHES, is_crowded=st.booleans()),
    st.just(Unauthorized("answered 401")),
)
RESULTS: st.SearchStrategy[Result] = st.one_of(
    TROUBLES,
    st.builds(Receipt, reference=st.just("T1")),
    st.builds(Rejected, st.just("answered 400"), authenticated=st.booleans()),
)


@given(LANES, NUMBERS, AGES, RESULTS, TOOK, BACKOFFS, CHANCES)
def test_an_attempt_ends_a_delivery_or_makes_it_due_within_its_lanes_bounds(
    lane: Lane, number: int, age: timedelta, result: Result, took: timedelta, backoff: float, chance: float
) -> None:
    """It is due in a second at the earliest and never later than its lane waits, and each attempt is spent."""
    claim = a_claim(number, age=age, lane=lane)
    it = settled(claim, result, took=took, backoff=backoff, chance=chance)
    assert (it.delivery, it.at, it.spent) == (claim.delivery, NOW, True)
    match it.state:
        case DeliveryState.SENT:
            assert it.receipt == result
        case DeliveryState.DEAD:
            assert it.error == str(result)
        case DeliveryState.OWED:
            assert it.due is not None
            assert NOW + LEAST * SECOND <= it.due <= NOW + LONGEST_WAIT[lane]
            assert it.error == str(result)
        case _:
            raise AssertionError(f"an attempt leaves nothing {it.state}")
    assert (it.due is not None) == (it.state is DeliveryState.OWED)


@given(LANES, NUMBERS, AGES, TROUBLES, TOOK, BACKOFFS, CHANCES)
def test_trouble_kills_at_the_last_try_and_not_before(
    lane: Lane, number: int, age: timedelta, trouble: Result, took: timedelta, backoff: float, chance: float
) -> None:
    """The last try is the first that begins at its lane's age or later, and it comes as soon as it may."""
    claim = a_claim(number, age=age, lane=lane)
    it = settled(claim, trouble, took=took, backoff=backoff, chance=chance)
    last = claim.born + LONGEST[lane]
    assert (it.state is DeliveryState.DEAD) == (NOW - took >= last)
    if it.due is not None and last - SECOND > NOW:
        assert it.due <= last


@given(LANES, NUMBERS, WISHES, st.booleans(), CHANCES)
def test_a_wish_is_honoured_as_far_as_its_lane_waits(
    lane: Lane, number: int, wish: float, is_crowded: bool, chance: float
) -> None:
    """A delivery is never due before the instant that its destination wished for, unless its lane cannot wait so long."""
    result = Unavailable("answered 429", retry_after=wish, is_crowded=is_crowded)
    due = settled(a_claim(number, lane=lane), result, chance=chance).due
    assert due is not None
    asked = min(max(wish, LEAST), LONGEST_WAIT[lane].total_seconds())
    assert due >= NOW + timedelta(seconds=asked) - MOMENT
    if not is_crowded:
        assert due <= NOW + timedelta(seconds=asked) + MOMENT


@pytest.mark.parametrize("lane", list(Lane))
@pytest.mark.parametrize("wish", [4 * 3600 + 1, 86_400, 1e12, float("inf")])
def test_a_lane_waits_a_quarter_of_an_hour_for_pages_and_four_hours_for_the_rest(wish: float, lane: Lane) -> None:
    """One answer must not cost a page its life."""
    due = settled(a_claim(lane=lane), Unavailable("503", retry_after=wish)).due
    assert due == NOW + (timedelta(minutes=15) if lane is Lane.PAGE else timedelta(hours=4))


@pytest.mark.parametrize(("number", "widest"), [(1, 2), (2, 4), (3, 8), (8, 256), (9, 256), (1000, 256)])
def test_what_was_refused_together_does_not_come_again_together(number: int, widest: float) -> None:
    """A destination that is asked too much is asked again over twice as long as before, each time."""
    refusal = Unavailable("429", retry_after=10, is_crowded=True)
    for chance in (0.0, 0.25, 1.0):
        wait = timedelta(seconds=10 + chance * widest)
        assert settled(a_claim(number), refusal, chance=chance).due == NOW + wait


@pytest.mark.parametrize(("wish", "wait"), [(0, 1), (-5, 1), (0.5, 1), (1, 1), (90.5, 90.5)])
def test_a_wish_for_less_than_a_second_waits_a_second(wish: float, wait: float) -> None:
    """A destination that says `Retry-After: 0` is not asked in a tight loop."""
    assert settled(a_claim(), Unavailable("429", retry_after=wish)).due == NOW + timedelta(seconds=wait)


def test_without_a_wish_the_backoff_says_how_long_to_wait() -> None:
    """It is asked for the attempt of that number."""
    it = settlement_for(a_claim(3), Unavailable("no answer"), NOW, NOW, backoff=lambda number: 10.0 * number, chance=1)
    assert it.due == NOW + timedelta(seconds=30)


@given(LANES, NUMBERS, AGES)
def test_a_refused_request_is_dead_at_once(lane: Lane, number: int, age: timedelta) -> None:
    """Any other 4xx will not get better."""
    it = settled(a_claim(number, age=age, lane=lane), Rejected("400: no such field"))
    assert (it.state, it.error) == (DeliveryState.DEAD, "400: no such field")


@given(LANES, NUMBERS, AGES)
def test_a_receipt_means_sent_however_old_the_delivery_is(lane: Lane, number: int, age: timedelta) -> None:
    """What the destination brought back is kept with it."""
    it = settled(a_claim(number, age=age, lane=lane), Receipt(reference="INC0010001"))
    assert (it.state, it.receipt) == (DeliveryState.SENT, Receipt(reference="INC0010001"))


def test_refused_credentials_wait_for_the_next_probe() -> None:
    """401 and 403 are the destination's trouble, not the delivery's; if they are this one's all the same, another probes."""
    assert settled(a_claim(), Unauthorized("401")).due == NOW + PROBE + SECOND
    assert settled(a_claim(2), Unauthorized("401")).due == NOW + PROBE + 2 * SECOND


def test_an_attempt_that_began_before_the_end_of_life_is_not_the_last() -> None:
    """However late it ends: one more follows in a second, which is."""
    late = timedelta(minutes=1)
    claim = a_claim(lane=Lane.PAGE, age=LONGEST[Lane.PAGE] + late)
    it = settled(claim, Unavailable("no answer"), took=late + MOMENT)
    assert (it.state, it.due) == (DeliveryState.OWED, NOW + SECOND)
    assert settled(claim, Unavailable("no answer"), took=late).state is DeliveryState.DEAD


@given(LANES, NUMBERS, AGES, st.timedeltas(timedelta(), timedelta(days=1)), st.none() | st.just("answered 429"))
def test_a_claim_that_nobody_tried_spends_no_attempt(
    lane: Lane, number: int, age: timedelta, wait: timedelta, error: str | None
) -> None:
    """Waiting for others costs nothing, however old it is."""
    it = untried(a_claim(number, age=age, lane=lane), NOW + wait, NOW, error)
    assert (it.state, it.due, it.spent, it.error) == (DeliveryState.OWED, NOW + wait, False, error)
