"""One pass over what is due at a destination: how much is claimed at a time, what is on its way, and what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import batched
from typing import NamedTuple

from router.domain.conversation import Result
from router.domain.deliveries import SUSPECT, Claim, Pause
from router.domain.errors import StoreError
from router.domain.rulebook import Lane

CLAIMED_AHEAD = {Lane.PAGE: 1, Lane.TICKET: 8, Lane.ROWS: 8}
"""Sends for which deliveries are claimed, for each send at a time, so that a commit is paid once for many.

What is claimed when a worker dies waits for the end of its lease, so that pages are not claimed ahead.
"""


class Finished(NamedTuple):
    """A claim and what its attempt brought, which began at an instant; no result where it was not tried."""

    claim: Claim
    result: Result | None
    began: datetime


class Portion(NamedTuple):
    """Claims that are sent together, and the instant from which on their lease would end before their conversation."""

    claims: tuple[Claim, ...]
    latest: datetime


class DeliveryPass:
    """What the tasks of one pass share.

    due          the pass is over what was due at that instant; what falls due later is for the next one
    at_a_time    how many sends go side by side
    pause        the pause of the destination, where the pass probes it
    waiting      what is claimed and not on its way yet, in the portions in which it is sent
    finished     what was sent or is to be put back, and is not settled yet
    held         how many claims are not settled
    progress     set when there is more that finished
    resume_at    where the pass came to its end early: until when what it holds and did not send is put back
    error        the trouble of the destination for which that is, if it is in any
    fault        the first that the state raised
    has_asked    whether the destination was asked anything
    has_claimed  whether anything was due
    """

    def __init__(
        self,
        due: datetime,
        *,
        most: int,
        at_a_time: int,
        claims: int,
        is_ended: Callable[[], bool],
        pause: Pause | None,
    ) -> None:
        self.due = due
        self.at_a_time = at_a_time
        self.pause = pause
        self.waiting: asyncio.Queue[Portion] = asyncio.Queue()
        self.finished: list[Finished] = []
        self.held = 0
        self.progress = asyncio.Event()
        self.resume_at: datetime | None = None
        self.error: str | None = None
        self.fault: StoreError | None = None
        self.has_asked = False
        self.has_claimed = False
        self.is_ended = is_ended
        self._most = most
        self._claims_left = claims

    @classmethod
    def over(
        cls, due: datetime, lane: Lane, batch: int, concurrency: int, is_ended: Callable[[], bool]
    ) -> DeliveryPass:
        """A pass over all that is due, where one send may carry `batch` and `concurrency` may go side by side.

        Once `is_ended` says so, nothing further is claimed or sent.
        """
        most = concurrency * CLAIMED_AHEAD[lane] * batch
        return cls(due, most=most, at_a_time=concurrency, claims=-1, is_ended=is_ended, pause=None)

    @classmethod
    def probing(cls, due: datetime, pause: Pause | None, is_ended: Callable[[], bool]) -> DeliveryPass:
        """A pass that probes a destination, which may be paused, with one delivery."""
        return cls(due, most=1, at_a_time=1, claims=1, is_ended=is_ended, pause=pause)

    @property
    def is_over(self) -> bool:
        """Whether it came to its end early, so that nothing further is claimed or sent."""
        return self.resume_at is not None

    @property
    def room(self) -> int:
        """How many deliveries may be claimed now."""
        is_low = self.held <= (self._most // 2 if self.at_a_time > 1 else 0)
        wants = is_low and self._claims_left != 0 and not self.is_over and not self.is_ended()
        return self._most - self.held if wants else 0

    def add_claims(self, claims: Sequence[Claim], batch: int, latest: datetime) -> None:
        """Takes over what was claimed, to be sent so many at a time, and begun at an instant at the latest."""
        for some in batched(claims, batch, strict=False):
            self.waiting.put_nowait(Portion(some, latest))
        self.held += len(claims)
        self.has_claimed = self.has_claimed or bool(claims)
        self._claims_left -= 1

    def end(self, resume_at: datetime, error: str | None = None) -> None:
        """Comes to its end early; what it holds and did not send is put back until an instant."""
        if self.resume_at is None or resume_at > self.resume_at:
            self.resume_at, self.error = resume_at, error

    def fail(self, fault: StoreError, resume_at: datetime) -> None:
        """Comes to its end since the state raised something."""
        self.fault = self.fault or fault
        self.end(resume_at)


def is_suspect(claims: Sequence[Claim]) -> bool:
    """Whether workers died of this delivery, or while it was theirs; the outbox gives such a one alone."""
    return len(claims) == 1 and claims[0].lost >= SUSPECT
