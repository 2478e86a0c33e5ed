"""Reads spans of a hub again, beside its consumers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from router.domain.errors import HubError
from router.domain.journal import Event, Extent, Partition, Span
from router.eventhubs.connection import Namespace, reaching
from router.eventhubs.extents import extent_of
from router.eventhubs.range_receiver import Receiver

GROUP = "sweep"
"""The consumer group of the sweep; nobody else reads through it."""

AT_A_TIME = 8
"""Partitions that are asked about at a time; each takes a connection of its own."""

NO_ANSWER = 20.0
"""Seconds without an answer, or an event where there should be one, after which it is a fault."""


class HubReader:
    """Reads one hub through a consumer group of the sweep's own, without an epoch, so that no other reader is disconnected.

    `patience` is how many seconds the hub may take to answer.

    Attributes:
        name: the name of the hub.
    """

    def __init__(self, namespace: Namespace, hub: str, patience: float = NO_ANSWER) -> None:
        self.name = hub
        self._namespace = namespace
        self._patience = patience

    async def read_extents(self) -> Mapping[Partition, Extent | HubError]:
        """What the hub holds of each of its partitions, or why one did not say; raises HubError where the hub does not."""
        async with self._namespace.consumer(self.name, GROUP) as client:
            with reaching(self.name):
                async with asyncio.timeout(self._patience):
                    about = await client.get_eventhub_properties()
            partitions = [Partition(self.name, id) for id in about["partition_ids"]]
            turns = asyncio.Semaphore(AT_A_TIME)

            async def held(partition: Partition) -> Span:
                async with turns:
                    return await extent_of(client, partition, self._patience)

            # All of them have ended before the client is closed, also where one fails.
            answers = await asyncio.gather(*map(held, partitions), return_exceptions=True)
        created = about["created_at"].astimezone(UTC)
        return dict(zip(partitions, (_extent(answer, created) for answer in answers), strict=True))

    async def read_events(self, partition: Partition, span: Span, most: int) -> Sequence[Event]:
        """The first events that the hub still has of a span, at most so many; raises HubError.

        Also where it says that it does not reach the end of the span: no answer of such a hub proves that anything is gone.
        """
        async with self._namespace.consumer(self.name, GROUP) as client:
            held = await extent_of(client, partition, self._patience)
            if held.last < span.last:
                raise HubError(f"hub {self.name}, partition {partition.id}: answers with less than it had")
            wanted = Span(max(span.first, held.first), min(span.last, held.last))
            if wanted.last < wanted.first or most < 1:
                return []
            return await Receiver(partition, wanted, most).receive(client, self._patience)


def _extent(answer: Span | BaseException, created: datetime) -> Extent | HubError:
    if isinstance(answer, HubError):
        return answer
    if isinstance(answer, BaseException):
        raise answer
    return Extent(answer.first, answer.last, created)
