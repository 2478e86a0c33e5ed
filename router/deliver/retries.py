"""When a delivery is tried again: what an answer makes of a claim, how long the next attempt waits, and when it is dead."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import random

from router.domain.conversation import Result
from router.domain.deliveries import LONGEST_LIFE, LONGEST_WAIT, Claim, DeliveryState, Receipt, Settlement
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.store.destinations import PROBE

LEAST = 1.0
"""Seconds that a retry waits even where the destination says `Retry-After: 0`, so that no two run into one another."""

_WIDEST = 8
"""Attempts after which those to a destination that is asked too much are spread no wider: over 256 seconds."""


def settlement_for(claim: Claim, result: Result, began: datetime, now: datetime, *, chance: float) -> Settlement:
    """Return what to write down about a claim whose attempt began at an instant and brought a result.

    `chance` is a number from 0 to 1, anew for each claim: who was refused together does not come again together.
    """
    if isinstance(result, Receipt):
        return Settlement(claim=claim, state=DeliveryState.SENT, at=now, receipt=result)
    last = claim.born + LONGEST_LIFE[claim.delivery.lane]
    if isinstance(result, Rejected) or began >= last:
        return Settlement(claim=claim, state=DeliveryState.DEAD, at=now, error=str(result))
    wait = min(_seconds_until_retry(result, claim.number, chance), LONGEST_WAIT[claim.delivery.lane].total_seconds())
    # Its last attempt comes when it is as old as it may grow, and not before.
    due = min(now + timedelta(seconds=wait), max(last, now + timedelta(seconds=LEAST)))
    return Settlement(claim=claim, state=DeliveryState.OWED, at=now, due=due, error=str(result))


def untried(claim: Claim, until: datetime, now: datetime, error: str | None = None) -> Settlement:
    """Return what to write down about a claim that was not tried: it is owed again from `until` on, with no attempt spent.

    `error` is the trouble of its destination for which it waits, if there is one.
    """
    return Settlement(claim=claim, state=DeliveryState.OWED, at=now, due=until, error=error, spent=False)


def _seconds_until_retry(trouble: DeliveryError, attempt: int, chance: float) -> float:
    if isinstance(trouble, Unauthorized):
        # Behind its neighbours, so that another one probes next: it may be this one alone that is refused.
        return PROBE.total_seconds() + attempt
    if isinstance(trouble, Unavailable) and trouble.retry_after is not None:
        spread = chance * 2.0 ** min(attempt, _WIDEST) if trouble.is_crowded else 0.0
        return max(trouble.retry_after, LEAST) + spread
    return seconds_after(attempt, chance)


def seconds_after(attempt: int, chance: float) -> float:
    """Return how long to wait after the attempt of that number: 2, 4, 8 ... seconds, up to 2 more by chance, at most 600."""
    return min(2.0 ** min(attempt, 30) + 2 * chance, 600.0)


def chance() -> float:
    """Return a number from 0 up to 1, which spreads what would come together."""
    return random()  # noqa: S311  It keeps no secret.
