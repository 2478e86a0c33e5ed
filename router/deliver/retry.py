"""What the result of an attempt means for its delivery: sent, due again, or dead."""

from __future__ import annotations

from datetime import datetime, timedelta

from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_base, wait_exponential_jitter

from router.domain.asks import Result
from router.domain.deliveries import Claim, DeliveryState, Settlement
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.notices import Receipt
from router.domain.rulebook import Lane

LONGEST = {Lane.PAGE: timedelta(hours=6), Lane.TICKET: timedelta(hours=72), Lane.ROWS: timedelta(hours=72)}
"""How old a delivery may grow before it is given up on."""

LEASE = {Lane.PAGE: timedelta(minutes=2), Lane.TICKET: timedelta(minutes=5), Lane.ROWS: timedelta(minutes=5)}
"""How long a claim is one worker's alone. If the worker dies, the delivery waits so long; a request takes 30 s at most."""

PROBE = timedelta(minutes=5)
"""How long a destination that refuses our credentials is left alone before one delivery tries again."""

LEAST = 1.0
"""Seconds that a retry waits even where the destination says `Retry-After: 0`, so that no two run into one another."""

MOST = 24 * 3600.0
"""Seconds that a retry waits at most, whatever the destination wishes."""

WAITS: wait_base = wait_exponential_jitter(multiplier=2, max=600, jitter=2)
"""Seconds between attempts where the destination has no wish of its own: 2, 4, 8, ..., up to 2 more, never above 600."""


def settlement_for(claim: Claim, result: Result, now: datetime) -> Settlement:
    """What to write down about a claim, given what its attempt brought."""
    match result:
        case Receipt():
            return Settlement(delivery=claim.delivery, state=DeliveryState.SENT, at=now, receipt=result)
        case Rejected():
            return _dead(claim, str(result), now)
        case Unauthorized():
            # Behind its neighbours, so that another one probes next: it may be this one alone that is refused.
            return _again(claim, str(result), PROBE + timedelta(seconds=claim.number), now)
        case Unavailable(retry_after=float() | int() as wish):
            return _again(claim, str(result), timedelta(seconds=min(max(wish, LEAST), MOST)), now)
        case _:
            return _again(claim, str(result), timedelta(seconds=seconds_after(claim.number)), now)


def put_back(claim: Claim, until: datetime, now: datetime) -> Settlement:
    """A claim that was never tried, owed again from `until` on with no attempt spent."""
    return Settlement(delivery=claim.delivery, state=DeliveryState.OWED, at=now, due=until, spent=False)


def seconds_after(attempt: int, waits: wait_base = WAITS) -> float:
    """How long to wait after the attempt of that number."""
    state = RetryCallState(retry_object=Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = attempt
    return float(waits(state))


def _again(claim: Claim, error: str, wait: timedelta, now: datetime) -> Settlement:
    last = claim.born + LONGEST[claim.delivery.lane]
    if now >= last:
        return _dead(claim, error, now)
    # A destination may wish for longer than the delivery may live; it is then looked at once more when it dies.
    due = min(now + wait, last)
    return Settlement(delivery=claim.delivery, state=DeliveryState.OWED, at=now, due=due, error=error)


def _dead(claim: Claim, error: str, now: datetime) -> Settlement:
    return Settlement(delivery=claim.delivery, state=DeliveryState.DEAD, at=now, error=error)
