"""What the result of an attempt makes of its claim, for every result, age and lane."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.deliver.retries import LEAST, chance, settlement_for, untried
from router.domain.conversation import Result
from router.domain.deliveries import LONGEST_LIFE, LONGEST_WAIT, Claim, DeliveryState, Receipt, Settlement
from router.domain.errors import Rejected, Unauthorized, Unavailable
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
    chance: float = 0.0,
) -> Settlement:
    """What is written down now of an attempt that took so long."""
    return settlement_for(claim, result, NOW - took, NOW, chance=chance)


LANES = st.sampled_from(list(Lane))
NUMBERS = st.integers(1, 10_000)
AGES = st.one_of(
    st.timedeltas(timedelta(days=-3), timedelta(days=9)),
    st.builds(
        lambda longest, by: longest + by,
        st.sampled_from(sorted(set(LONGEST_LIFE.values()))),
        st.timedeltas(-SECOND, SECOND),
    ),
)
"""Also those of deliveries that a clock ahead of ours owed."""
TOOK = st.timedeltas(timedelta(), timedelta(minutes=5))
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


@given(LANES, NUMBERS, AGES, RESULTS, TOOK, CHANCES)
def test_an_attempt_ends_a_delivery_or_makes_it_due_within_its_lanes_bounds(
    lane: Lane, number: int, age: timedelta, result: Result, took: timedelta, chance: float
) -> None:
    """A receipt means sent and a refusal dead, however old it is; trouble kills at the last try and not before. That is the
    first that begins at its lane's age or later, and it comes as soon as it may."""
    claim = a_claim(number, age=age, lane=lane)
    it = settled(claim, result, took=took, chance=chance)
    assert (it.claim, it.at, it.spent) == (claim, NOW, True)
    last = claim.born + LONGEST_LIFE[lane]
    match result:
        case Receipt():
            expected = DeliveryState.SENT
        case Rejected():
            expected = DeliveryState.DEAD
        case _:
            expected = DeliveryState.DEAD if NOW - took >= last else DeliveryState.OWED
    assert it.state is expected
    assert (it.receipt, it.error) == ((result, None) if isinstance(result, Receipt) else (None, str(result)))
    assert (it.due is not None) == (it.state is DeliveryState.OWED)
    if it.due is not None:
        assert NOW + LEAST * SECOND <= it.due <= NOW + LONGEST_WAIT[lane]
        assert it.due <= max(last, NOW + SECOND)


@given(LANES, NUMBERS, WISHES, st.booleans(), CHANCES)
def test_a_wish_is_honoured_as_far_as_its_lane_waits(
    lane: Lane, number: int, wish: float, is_crowded: bool, chance: float
) -> None:
    """A delivery is never due before the instant that its destination wished for, unless its lane cannot wait so long."""
    result = Unavailable("answered 429", retry_after=wish, is_crowded=is_crowded)
    due = settled(a_claim(number, lane=lane), result, chance=chance).due
    assert due is not None
    asked = min(max(wish, 1), 900 if lane is Lane.PAGE else 4 * 3600)
    assert due >= NOW + timedelta(seconds=asked) - MOMENT
    if not is_crowded:
        assert due <= NOW + timedelta(seconds=asked) + MOMENT


@pytest.mark.parametrize(("number", "widest"), [(1, 2), (2, 4), (3, 8), (8, 256), (9, 256), (1000, 256)])
def test_what_was_refused_together_does_not_come_again_together(number: int, widest: float) -> None:
    """A destination that is asked too much is asked again over twice as long as before, each time."""
    refusal = Unavailable("429", retry_after=10, is_crowded=True)
    for share in (0.0, 0.25, 1.0):
        wait = timedelta(seconds=10 + share * widest)
        assert settled(a_claim(number), refusal, chance=share).due == NOW + wait


def test_without_a_wish_the_wait_doubles_up_to_ten_minutes() -> None:
    """Exponential with jitter, for the attempt of that number; of refused credentials the next probe is waited for."""
    for attempt in range(1, 16):
        least = min(2 * 2 ** (attempt - 1), 600)
        for share in (0.0, 0.5, 1.0):
            due = settled(a_claim(attempt), Unavailable("no answer"), chance=share).due
            assert due == NOW + timedelta(seconds=min(least + 2 * share, 600))
    # If it is this one alone that is refused, another one probes.
    assert settled(a_claim(2), Unauthorized("401")).due == NOW + PROBE + 2 * SECOND


def test_chance_spreads_what_was_refused_together() -> None:
    """Over all that it is given, and anew each time."""
    found = [chance() for _ in range(50)]
    assert 0 <= min(found) < 1 / 3 < 2 / 3 < max(found) < 1


@given(LANES, NUMBERS, AGES, st.timedeltas(timedelta(), timedelta(days=1)), st.none() | st.just("answered 429"))
def test_a_claim_that_nobody_tried_spends_no_attempt(
    lane: Lane, number: int, age: timedelta, wait: timedelta, error: str | None
) -> None:
    """Waiting for others costs nothing, however old it is."""
    it = untried(a_claim(number, age=age, lane=lane), NOW + wait, NOW, error)
    assert (it.state, it.due, it.spent, it.error) == (DeliveryState.OWED, NOW + wait, False, error)
