"""One pass over what a pointer names: how much is claimed at a time, what is on its way, and whether more is to be claimed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from itertools import batched
from typing import NamedTuple

from router.domain.conversation import Result
from router.domain.deliveries import SUSPECT, Claim, Pause, Pointer
from router.domain.errors import StoreError

CLAIMED_AHEAD = 8
"""Sends for which deliveries are claimed ahead, for each send at a time, where a pointer names all that is due."""

MOST_CLAIMS = 20
"""How often one pointer into the rows lane is good for a claim; for what is left it is requeued."""


class Finished(NamedTuple):
    """A claim and what its attempt brought, which began at an instant; no result where nobody tried it."""

    claim: Claim
    result: Result | None
    began: datetime


class DeliveryPass:
    """What the tasks of one pass share.

    pointer      where the deliveries lie
    due          the pass is over what was due at that instant; what falls due later is for the next one
    at_a_time    how many sends go side by side
    pause        the pause of the destination, where the pass probes it
    waiting      what is claimed and not on its way yet, in the portions in which it is sent
    finished     what was sent or is to be put back, and is not settled yet
    held         how many claims are not settled
    progress     set when there is more that finished
    resume_at    where the pass came to its end early: until when what it holds and did not send is put back
    error        the trouble of the destination for which that is, if it is in any
    fault        the first that storage raised
    has_asked    whether the destination was asked anything
    is_deferred  whether nothing could be claimed just now
    """

    def __init__(
        self, pointer: Pointer, due: datetime, *, most: int, at_a_time: int, claims: int, pause: Pause | None = None
    ) -> None:
        self.pointer = pointer
        self.due = due
        self.at_a_time = at_a_time
        self.pause = pause
        self.waiting: asyncio.Queue[tuple[Claim, ...]] = asyncio.Queue()
        self.finished: list[Finished] = []
        self.held = 0
        self.progress = asyncio.Event()
        self.resume_at: datetime | None = None
        self.error: str | None = None
        self.fault: StoreError | None = None
        self.has_asked = False
        self.is_deferred = False
        self._most = most
        self._claims_left = claims
        self._may_have_more = True

    @classmethod
    def over(cls, pointer: Pointer, due: datetime, batch: int, concurrency: int) -> DeliveryPass:
        """A pass over all that a pointer names, where one send may carry `batch` and `concurrency` may go side by side."""
        if pointer.names_one:
            return cls(pointer, due, most=1, at_a_time=1, claims=1)
        if pointer.location is not None:
            return cls(pointer, due, most=batch, at_a_time=1, claims=MOST_CLAIMS)
        # Claimed by the hundred, so that a commit is paid once for many.
        return cls(pointer, due, most=concurrency * CLAIMED_AHEAD * batch, at_a_time=concurrency, claims=-1)

    @classmethod
    def probing(cls, pointer: Pointer, due: datetime, pause: Pause | None) -> DeliveryPass:
        """A pass that probes a destination, which may be paused, with one of the deliveries that a pointer names."""
        return cls(pointer, due, most=1, at_a_time=1, claims=1, pause=pause)

    @property
    def is_over(self) -> bool:
        """Whether it came to its end early, so that nothing further is claimed or sent."""
        return self.resume_at is not None

    @property
    def room(self) -> int:
        """How many deliveries may be claimed now."""
        is_low = self.held <= (self._most // 2 if self.at_a_time > 1 else 0)
        wants = is_low and self._may_have_more and self._claims_left != 0 and not self.is_over
        return self._most - self.held if wants else 0

    @property
    def must_come_again(self) -> bool:
        """Whether the pointer names more than this pass got to."""
        names_more = self.pointer.location is not None and self._may_have_more and self.pause is None
        return self.is_deferred or names_more

    def add_claims(self, claims: Sequence[Claim], batch: int) -> None:
        """Takes over what was claimed, to be sent so many at a time."""
        for portion in batched(claims, batch, strict=False):
            self.waiting.put_nowait(portion)
        self.held += len(claims)
        self._claims_left -= 1
        if self.pointer.location is not None:
            # Behind a suspect, which comes alone, there may be others.
            full = len(claims) == self._most or is_suspect(claims)
            self._may_have_more = full and not self.pointer.names_one

    def end(self, resume_at: datetime, error: str | None = None) -> None:
        """Comes to its end early; what it holds and did not send is put back until an instant."""
        if self.resume_at is None or resume_at > self.resume_at:
            self.resume_at, self.error = resume_at, error

    def fail(self, fault: StoreError, resume_at: datetime) -> None:
        """Comes to its end since storage raised something."""
        self.fault = self.fault or fault
        self.end(resume_at)


def is_suspect(claims: Sequence[Claim]) -> bool:
    """Whether workers died of this delivery, or while it was theirs; storage gives such a one alone."""
    return len(claims) == 1 and claims[0].lost >= SUSPECT
