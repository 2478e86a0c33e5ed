"""What the result of an attempt means."""

from __future__ import annotations

from datetime import timedelta

import pytest

from router.deliver.retry import put_back, seconds_after, settlement_for
from router.domain.asks import Result
from router.domain.deliveries import Claim, DeliveryState
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.lanes import LONGEST
from router.domain.notices import Receipt
from router.domain.pauses import PROBE
from router.domain.rulebook import Lane
from tests.builders import NOW
from tests.store.builders import a_delivery


def a_claim(number: int = 1, *, age: timedelta = timedelta(), lane: Lane = Lane.TICKET) -> Claim:
    return Claim(delivery=a_delivery(lane=lane), number=number, born=NOW - age)


def test_a_receipt_means_sent() -> None:
    """What the destination brought back is kept with it."""
    receipt = Receipt(reference="INC0010001")
    settled = settlement_for(a_claim(), receipt, NOW, NOW)
    assert (settled.state, settled.receipt) == (DeliveryState.SENT, receipt)


@pytest.mark.parametrize("wish", [1, 90.5])
def test_the_destinations_own_wish_is_honoured(wish: float) -> None:
    """Retry-After says when."""
    settled = settlement_for(a_claim(), Unavailable("429", retry_after=wish), NOW, NOW)
    assert (settled.state, settled.due) == (DeliveryState.OWED, NOW + timedelta(seconds=wish))


def test_what_was_refused_together_does_not_come_again_together() -> None:
    """A destination that is asked too much is never asked before its wish, and each time over twice as long as before."""
    for number, widest in ((1, 2), (2, 4), (3, 8), (8, 256), (9, 256), (1000, 256)):
        dues = [
            settlement_for(a_claim(number), Unavailable("429", retry_after=10, is_crowded=True), NOW, NOW).due
            for _ in range(50)
        ]
        waits = [(due - NOW).total_seconds() - 10 for due in dues if due is not None]
        assert 0 <= min(waits) < widest / 3 < 2 * widest / 3 < max(waits) <= widest


@pytest.mark.parametrize("wish", [0, -5, 0.5])
def test_a_wish_for_less_than_a_second_waits_a_second(wish: float) -> None:
    """A destination that says `Retry-After: 0` is not asked in a tight loop."""
    assert settlement_for(a_claim(), Unavailable("429", retry_after=wish), NOW, NOW).due == NOW + timedelta(seconds=1)


@pytest.mark.parametrize("lane", list(Lane))
@pytest.mark.parametrize("wish", [4 * 3600 + 1, 86_400, 1e12, float("inf")])
def test_a_wish_is_honoured_as_far_as_its_lane_waits(wish: float, lane: Lane) -> None:
    """15 minutes in the page lane, 4 hours in the others: one answer must not cost a page its life."""
    settled = settlement_for(a_claim(lane=lane), Unavailable("503", retry_after=wish), NOW, NOW)
    longest = timedelta(minutes=15) if lane is Lane.PAGE else timedelta(hours=4)
    assert (settled.state, settled.due) == (DeliveryState.OWED, NOW + longest)


def test_without_a_wish_the_wait_doubles_up_to_ten_minutes() -> None:
    """Exponential with jitter."""
    waits = [seconds_after(attempt) for attempt in range(1, 16)]
    for attempt, wait in enumerate(waits, 1):
        least = min(2 * 2 ** (attempt - 1), 600)
        assert least <= wait <= min(least + 2, 600)
    assert len({seconds_after(1) for _ in range(20)}) > 1


def test_a_rejected_delivery_is_dead_at_once() -> None:
    """Any other 4xx will not get better."""
    settled = settlement_for(a_claim(), Rejected("400: no such field"), NOW, NOW)
    assert (settled.state, settled.error) == (DeliveryState.DEAD, "400: no such field")


def test_refused_credentials_wait_for_the_next_probe() -> None:
    """401 and 403 are the destination's trouble, not the delivery's; if they are this one's all the same, another probes."""
    settled = settlement_for(a_claim(), Unauthorized("401"), NOW, NOW)
    assert (settled.state, settled.due) == (DeliveryState.OWED, NOW + PROBE + timedelta(seconds=1))


@pytest.mark.parametrize("lane", list(Lane))
@pytest.mark.parametrize("trouble", [Unavailable("503"), Unavailable("429", retry_after=5), Unauthorized("401")])
def test_anything_is_dead_at_its_lanes_age(lane: Lane, trouble: Result) -> None:
    """6 hours in the page lane, 72 in the others; just before that it is still owed, but never beyond it."""
    at = settlement_for(a_claim(age=LONGEST[lane], lane=lane), trouble, NOW, NOW)
    assert at.state is DeliveryState.DEAD
    just_before = LONGEST[lane] - timedelta(seconds=1)
    before = settlement_for(a_claim(age=just_before, lane=lane), trouble, NOW, NOW)
    assert (before.state, before.due) == (DeliveryState.OWED, NOW + timedelta(seconds=1))


def test_an_attempt_that_began_before_the_end_of_life_is_not_the_last() -> None:
    """However late it ends: one more follows at once, which is."""
    claim, end = a_claim(lane=Lane.PAGE), NOW + LONGEST[Lane.PAGE]
    late = end + timedelta(minutes=1)
    settled = settlement_for(claim, Unavailable("no answer"), end - timedelta(microseconds=1), late)
    assert (settled.state, settled.due) == (DeliveryState.OWED, late + timedelta(seconds=1))
    assert settlement_for(claim, Unavailable("no answer"), end, late).state is DeliveryState.DEAD


def test_a_claim_put_back_spends_no_attempt() -> None:
    """Waiting for others costs nothing."""
    assert not put_back(a_claim(), NOW, NOW).spent
