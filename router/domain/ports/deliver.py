"""What `deliver/` is given: holds, what is known beside a claim, and who follows a conversation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from router.domain.background import Background
from router.domain.conversation import Result
from router.domain.deliveries import Claim
from router.domain.destination_holds import DestinationHold


class DestinationHolds(Protocol):
    """The destinations that persons hold."""

    async def held_in(self, stream: str, now: datetime) -> Mapping[str, DestinationHold]:
        """The destinations of a stream that are held now, by name, as they were some seconds ago at most."""
        ...


class Backgrounds(Protocol):
    """Reads what the state knows beside claims that are about to be sent; raises nothing."""

    async def read_ahead(self, claims: Sequence[Claim]) -> None:
        """Reads it for some claims at once; those that are sent within moments are sent with that."""
        ...

    async def read(self, claim: Claim) -> Background:
        """What the state knows beside a claim that is sent now."""
        ...


class SendObserver(Protocol):
    """Follows one send."""

    def record_results(self, results: Sequence[Result]) -> None:
        """Is given the results of the send."""
        ...


type Tracing = Callable[[Sequence[Claim]], AbstractContextManager[SendObserver]]
"""Gives the context in which claims are sent in one conversation."""
