"""When a delivery is tried again: what an answer makes of a claim, how long the next attempt waits, and when it is dead."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import random

from router.domain.conversation import Result
from router.domain.deliveries import LONGEST_LIFE, LONGEST_WAIT, Claim, DeliveryState, Receipt, Settlement
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.store.destinations import PROBE

LEAST = 1.0
"""Seconds that a retry waits even where the destination says `Retry-After: 0`, so that no two run into one another."""

_WIDEST = 8
"""Attempts after which those to a destination that is asked too much are spread no wider: over 256 seconds."""


def settlement_for(claim: Claim, result: Result, began: datetime, now: datetime, *, chance: float) -> Settlement:
    """What to write down about a claim whose attempt began at an instant and brought a result.

    `chance` is a number from 0 to 1, anew for each claim: who was refused together does not come again together.
    """
    match result:
        case Receipt():
            return Settlement(delivery=claim.delivery, claim=claim.id, state=DeliveryState.SENT, at=now, receipt=result)
        case Rejected():
            return _dead(claim, str(result), now)
        case Unauthorized():
            # Behind its neighbours, so that another one probes next: it may be this one alone that is refused.
            wait = PROBE.total_seconds() + claim.number
        case Unavailable(retry_after=float() | int() as wish):
            wait = max(wish, LEAST)
            if result.is_crowded:
                wait += chance * 2.0 ** min(claim.number, _WIDEST)
        case _:
            wait = seconds_after(claim.number, chance)
    return _owed_again(claim, str(result), wait, began, now)


def untried(claim: Claim, until: datetime, now: datetime, error: str | None = None) -> Settlement:
    """What to write down about a claim that was not tried: it is owed again from `until` on, with no attempt spent.

    `error` is the trouble of its destination for which it waits, if there is one.
    """
    return Settlement(
        delivery=claim.delivery, claim=claim.id, state=DeliveryState.OWED, at=now, due=until, error=error, spent=False
    )


def _owed_again(claim: Claim, error: str, wait: float, began: datetime, now: datetime) -> Settlement:
    lane = claim.delivery.lane
    last = claim.born + LONGEST_LIFE[lane]
    if began >= last:
        return _dead(claim, error, now)
    due = now + timedelta(seconds=min(wait, LONGEST_WAIT[lane].total_seconds()))
    # Its last attempt comes when it is as old as it may grow, and not before.
    due = min(due, max(last, now + timedelta(seconds=LEAST)))
    return Settlement(delivery=claim.delivery, claim=claim.id, state=DeliveryState.OWED, at=now, due=due, error=error)


def _dead(claim: Claim, error: str, now: datetime) -> Settlement:
    return Settlement(delivery=claim.delivery, claim=claim.id, state=DeliveryState.DEAD, at=now, error=error)


def seconds_after(attempt: int, chance: float) -> float:
    """Return how long to wait after the attempt of that number: 2, 4, 8 ... seconds, up to 2 more by chance, at most 600."""
    return min(2.0 ** min(attempt, 30) + 2 * chance, 600.0)


def chance() -> float:
    """Return a number from 0 up to 1, which spreads what would come together."""
    return random()  # noqa: S311  It keeps no secret.
