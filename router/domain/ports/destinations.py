"""What a kind of destination is, as the rulebook and `deliver/` use it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from router.domain.conversation import Conversation
from router.domain.deliveries import Attempt
from router.domain.rulebook import Lane


class Deduplication(StrEnum):
    """How a destination tells that it has a delivery already."""

    SERVER = "server"
    LOOKUP = "lookup"
    NONE = "none"


class DestinationKind(Protocol):
    """A kind of destination: one file in `destinations/`, pure.

    `Config` is the pydantic model of its entry in policy.yaml. `batch` is how many deliveries one conversation may have.
    `address` names what it writes to, so that two streams cannot share one by accident.
    """

    name: ClassVar[str]
    lane: ClassVar[Lane]
    deduplicates: ClassVar[Deduplication]
    batch: ClassVar[int]
    Config: ClassVar[type[Any]]

    def __init__(self, config: Any) -> None: ...

    def address(self) -> str:
        """What this destination writes to, without a secret: equal addresses are the same place."""
        ...

    def conversation_for(self, attempts: Sequence[Attempt]) -> Conversation:
        """The conversation that delivers attempts: it yields asks, and returns one result for each attempt, in their order."""
        ...


class ReadableKind(DestinationKind, Protocol):
    """A kind that can also say what people read of it."""

    def preview(self, attempt: Attempt) -> str:
        """What people read there of what an attempt delivers, as text of several lines."""
        ...
