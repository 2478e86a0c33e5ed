"""An event hub: its partitions, its consumer groups, and the links that are attached to it."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from tests.stack.event_hubs.amqp.refused import Refused
from tests.stack.event_hubs.clock import millis
from tests.stack.event_hubs.events import Event, Message
from tests.stack.event_hubs.log import Partition
from tests.stack.event_hubs.refusals import no_entity, no_partition


class Attached(Protocol):
    """A link as its hub sees it."""

    def wake(self) -> None:
        """Looks for what is new."""
        ...

    def dismiss(self, refusal: Refused) -> None:
        """Ends the link, and says why."""
        ...

    def hang_up(self) -> None:
        """Ends the connection that carried it."""
        ...


class Hub:
    """What a publisher and its readers share."""

    def __init__(self, name: str, partitions: int, groups: Collection[str], created: datetime) -> None:
        self.name, self.created = name, created
        self.partitions = [Partition() for _ in range(partitions)]
        self.links: list[Attached] = []
        self._groups = {group.lower() for group in groups}
        self._turns = itertools.count()

    def partition(self, id: int | str) -> Partition:
        """A partition by its id; raises Refused."""
        try:
            place = int(id)
        except ValueError:
            place = -1
        if not 0 <= place < len(self.partitions):
            raise no_partition(len(self.partitions))
        return self.partitions[place]

    def require_group(self, group: str) -> None:
        """Raises Refused for a consumer group that the hub does not have."""
        if group not in self._groups:
            raise no_entity(f"{self.name}/consumergroups/{group}")

    def partition_for(self, key: str | None) -> Partition:
        """The partition of a key, else each in turn; the hash is not the service's, which nobody should rely on."""
        number = next(self._turns) if key is None else zlib.crc32(key.encode())
        return self.partitions[number % len(self.partitions)]

    def publish(self, partition: Partition, messages: Sequence[Message], now: datetime) -> list[Event]:
        """Keeps messages as events of one partition, and wakes whoever reads."""
        enqueued = millis(now)
        events = [partition.append(message, enqueued) for message in messages]
        for link in self.links:
            link.wake()
        return events

    def grow(self, count: int) -> None:
        """Adds empty partitions."""
        self.partitions += [Partition() for _ in range(count)]

    def end(self, refusal: Refused) -> None:
        """Ends every link, and then the connections that carried them."""
        links = list(self.links)
        for link in links:
            link.dismiss(refusal)
        for link in links:
            link.hang_up()
