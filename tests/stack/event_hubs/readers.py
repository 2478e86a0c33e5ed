"""Readers of a partition, and which of them may read at the same time.

https://learn.microsoft.com/en-us/azure/event-hubs/event-hubs-features#consumer-groups
"""

from __future__ import annotations

from typing import NamedTuple

from tests.stack.event_hubs.amqp.descriptors import Section
from tests.stack.event_hubs.amqp.encoding import described, long, mapping, string, symbol, timestamp
from tests.stack.event_hubs.amqp.incoming import Attach
from tests.stack.event_hubs.clock import NEVER, Clock, millis
from tests.stack.event_hubs.hub import Hub
from tests.stack.event_hubs.links import LinkSession, Outbound
from tests.stack.event_hubs.refusals import displaced, outranked, too_many_readers

MOST_READERS = 5
"""Readers without an epoch that a partition has at most in one consumer group.

https://learn.microsoft.com/en-us/azure/event-hubs/event-hubs-quotas
"""


class Seat(NamedTuple):
    """What a reader reads, and with which epoch, if any; the group is in lower case."""

    partition: int
    group: str
    epoch: int | None


class Reader(Outbound):
    """Reads one partition for one consumer group, from the position that its filter means."""

    def __init__(
        self, session: LinkSession, attach: Attach, hub: Hub, partition: str, group: str, clock: Clock
    ) -> None:
        super().__init__(session, attach)
        self._hub, self._partition, self._clock = hub, hub.partition(partition), clock
        self.seat = Seat(int(partition), group, attach.epoch)
        self._position = self._partition.seek(attach.selector)
        self._wants_metrics = attach.wants_metrics

    def join(self) -> None:
        """Takes its seat, from those it outranks if it has an epoch; raises Refused where it may not read."""
        partition, group, epoch = self.seat
        rivals = [reader for reader in readers_of(self._hub) if reader.seat[:2] == (partition, group)]
        highest = max((rival.seat.epoch for rival in rivals if rival.seat.epoch is not None), default=None)
        if highest is not None and (epoch is None or epoch < highest):
            raise outranked(epoch, highest)
        if epoch is not None:
            for rival in rivals:
                rival.dismiss(displaced(rival.seat.epoch, epoch))
        elif len(rivals) >= MOST_READERS:
            raise too_many_readers(MOST_READERS)
        self._hub.links.append(self)

    def over(self) -> None:
        """Leaves its seat."""
        self._hub.links.remove(self)

    def wake(self) -> None:
        """Sends on what was published."""
        self.pump()

    def next_message(self) -> bytes | None:
        """The first event at or after the position, which moves behind it."""
        event = self._partition.find_from(self._position)
        if event is None:
            return None
        self._position = event.sequence + 1
        self._partition.sent += 1
        return event.delivery(self._metrics() if self._wants_metrics else b"")

    def _metrics(self) -> bytes:
        """What the reader is told with each event of how far the partition has come."""
        partition = self._partition
        return described(
            Section.DELIVERY_ANNOTATIONS,
            mapping(
                symbol("last_enqueued_sequence_number"), long(partition.last_sequence),
                symbol("last_enqueued_offset"), string(str(partition.last_offset)),
                symbol("last_enqueued_time_utc"), timestamp(partition.last.enqueued if partition.last else NEVER),
                symbol("runtime_info_retrieval_time_utc"), timestamp(millis(self._clock.now())),
            ),
        )  # fmt: skip


def readers_of(hub: Hub) -> list[Reader]:
    """The readers that are attached to a hub."""
    return [link for link in hub.links if isinstance(link, Reader)]
