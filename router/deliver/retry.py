"""What the result of an attempt means for its delivery: sent, due again, or dead."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import random

from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_base, wait_exponential_jitter

from router.domain.asks import Result
from router.domain.deliveries import Claim, DeliveryState, Settlement
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.lanes import LONGEST, LONGEST_WAIT
from router.domain.notices import Receipt
from router.domain.pauses import PROBE

LEAST = 1.0
"""Seconds that a retry waits even where the destination says `Retry-After: 0`, so that no two run into one another."""

_WIDEST = 8
"""Attempts after which those to a destination that is asked too much are spread no wider: over 256 seconds."""

WAITS: wait_base = wait_exponential_jitter(multiplier=2, max=600, jitter=2)
"""Seconds between attempts where the destination has no wish of its own: 2, 4, 8, ..., up to 2 more, never above 600."""


def settlement_for(claim: Claim, result: Result, began: datetime, now: datetime) -> Settlement:
    """What to write down about a claim, given what its attempt brought that began at an instant."""
    match result:
        case Receipt():
            return Settlement(delivery=claim.delivery, state=DeliveryState.SENT, at=now, receipt=result)
        case Rejected():
            return _dead(claim, str(result), now)
        case Unauthorized():
            # Behind its neighbours, so that another one probes next: it may be this one alone that is refused.
            wait = PROBE.total_seconds() + claim.number
        case Unavailable(retry_after=float() | int() as wish):
            wait = max(wish, LEAST)
            if result.is_crowded:
                # Who was refused together would come again together, and be refused again.
                wait += some_of(2.0 ** min(claim.number, _WIDEST))
        case _:
            wait = seconds_after(claim.number)
    return _again(claim, str(result), wait, began, now)


def some_of(seconds: float) -> float:
    """So many seconds or less, by chance."""
    return seconds * random()  # noqa: S311  It keeps no secret.


def put_back(claim: Claim, until: datetime, now: datetime) -> Settlement:
    """A claim that was never tried, owed again from `until` on with no attempt spent."""
    return Settlement(delivery=claim.delivery, state=DeliveryState.OWED, at=now, due=until, spent=False)


def seconds_after(attempt: int, waits: wait_base = WAITS) -> float:
    """How long to wait after the attempt of that number."""
    state = RetryCallState(retry_object=Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = attempt
    return float(waits(state))


def _again(claim: Claim, error: str, wait: float, began: datetime, now: datetime) -> Settlement:
    lane = claim.delivery.lane
    last = claim.born + LONGEST[lane]
    if began >= last:
        return _dead(claim, error, now)
    due = now + timedelta(seconds=min(wait, LONGEST_WAIT[lane].total_seconds()))
    # Its last attempt comes when it is as old as it may grow, and not before.
    due = min(due, max(last, now + timedelta(seconds=LEAST)))
    return Settlement(delivery=claim.delivery, state=DeliveryState.OWED, at=now, due=due, error=error)


def _dead(claim: Claim, error: str, now: datetime) -> Settlement:
    return Settlement(delivery=claim.delivery, state=DeliveryState.DEAD, at=now, error=error)
