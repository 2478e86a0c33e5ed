"""The stores that `ingest/` works on, and the hub that it reads again where messages are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from router.domain.errors import HubError
from router.domain.hubs import Event, Extent, Partition, Span


class Hub(Protocol):
    """Reads events of a hub, beside its consumers.

    Attributes:
        name: the name of the hub.
    """

    name: str

    async def read_extents(self) -> Mapping[Partition, Extent | HubError]:
        """What the hub holds of each of its partitions, or why one did not say; raises HubError where the hub does not."""
        ...

    async def read_events(self, partition: Partition, span: Span, most: int) -> Sequence[Event]:
        """The first events that the hub still has of a span, at most so many; raises HubError."""
        ...
