"""Destinations that answer as a test says, and a clock that stands still until it is moved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from router.deliver import Sender
from router.domain.conversation import Conversation, Result
from router.domain.deliveries import Attempt, Claim, Receipt
from router.domain.lane_limits import LEASE
from router.domain.ports.destinations import Deduplication
from router.domain.rulebook import Lane
from tests.builders import NOW

type Answer = Callable[[Attempt], Result]


class Scripted:
    """A kind of destination that answers each attempt as a test says; `sends` are how many attempts each send had."""

    name: ClassVar[str] = "scripted"
    lane: ClassVar[Lane] = Lane.TICKET
    deduplicates: ClassVar[Deduplication] = Deduplication.NONE
    batch: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = object

    def __init__(self, config: Answer) -> None:
        self._answer = config
        self.attempts: list[Attempt] = []
        self.sends: list[int] = []

    def address(self) -> str:
        return "nowhere"

    def conversation_for(self, attempts: Sequence[Attempt]) -> Conversation:
        self.attempts.extend(attempts)
        self.sends.append(len(attempts))
        yield from ()
        return [self._answer(attempt) for attempt in attempts]


class InBatches(Scripted):
    """The same, many deliveries to a send."""

    batch: ClassVar[int] = 10


def sent(attempt: Attempt) -> Result:
    return Receipt(reference=attempt.delivery.key)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Held(Sender):
    """Sends that wait until they are released, and then bring what `answer` says by then. `waiting` counts those that do."""

    def __init__(self, answer: Result | None = None) -> None:
        self.lease = LEASE[Lane.TICKET]
        self.batch = 1
        self.answer: Result = answer or Receipt(reference="T1")
        self.keys: list[str] = []
        self.waiting = 0
        self._is_open = False
        self._released = asyncio.Event()

    async def attempt_delivery(self, claims: Sequence[Claim], beside: object = None) -> Sequence[Result]:
        self.keys += [claim.delivery.key for claim in claims]
        self.waiting += 1
        if not self._is_open:
            await self._released.wait()
        self.waiting -= 1
        return [self.answer] * len(claims)

    def release(self) -> None:
        """Releases those that wait now."""
        self._released.set()
        self._released = asyncio.Event()

    def open(self) -> None:
        """Releases those that wait now, and makes none wait any more."""
        self._is_open = True
        self.release()
