"""Event hubs: what each partition retains, and who reads it."""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.stack.event_hubs.amqp import Refused, Section, described, sections, text, timestamp

if TYPE_CHECKING:
    from tests.stack.event_hubs.connections import Reader

_SELECTOR = re.compile(r"amqp\.annotation\.x-opt-(offset|sequence-number) *(>=?) *'(-?\d+)'")


class Published(NamedTuple):
    """An event that a partition retains."""

    sequence: int
    enqueued: datetime
    body: bytes
    properties: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Event:
    """A message in its place in a partition, as a reader gets it: the hub's own annotations, and the rest as it came."""

    sequence: int
    offset: int
    enqueued: datetime
    wire: bytes = field(repr=False)

    @property
    def published(self) -> Published:
        """What was published."""
        found = list(sections(self.wire))
        body = b"".join(value for part, value, _ in found if part == Section.DATA)
        theirs = (value for part, value, _ in found if part == Section.APPLICATION_PROPERTIES)
        properties: Mapping[Any, Any] = next(theirs, {})
        return Published(
            self.sequence, self.enqueued, body, {text(key): text(each) for key, each in properties.items()}
        )


class Partition:
    """Events with sequence numbers that count up; a position is the lowest sequence number still of interest.

    `sent` is how many events went out to readers, `asked` how often somebody asked how far it has come.
    """

    def __init__(self) -> None:
        self.sent = self.asked = 0
        self.events: list[Event] = []
        self.last: Event | None = None
        self._end = 0

    @property
    def begin(self) -> int:
        """The sequence number of the oldest event retained; where there is none, the one after the latest."""
        return self.events[0].sequence if self.events else self.last_sequence + 1

    @property
    def last_sequence(self) -> int:
        """The sequence number of the latest event, retained or not; -1 before there was any."""
        return self.last.sequence if self.last else -1

    def append(self, message: bytes, enqueued: datetime) -> Event:
        """Keeps a message as the latest event."""
        sequence, offset = self.last_sequence + 1, self._end
        enqueued = enqueued.replace(microsecond=enqueued.microsecond // 1000 * 1000)  # As AMQP counts.
        annotations = {
            "x-opt-sequence-number": sequence,
            "x-opt-offset": str(offset),
            "x-opt-enqueued-time": timestamp(enqueued),
        }
        own = (Section.DELIVERY_ANNOTATIONS, Section.ANNOTATIONS)
        rest = b"".join(whole for part, _, whole in sections(message) if part not in own)
        self.last = Event(sequence, offset, enqueued, described(Section.ANNOTATIONS, annotations) + rest)
        self.events.append(self.last)
        self._end += len(rest)
        return self.last

    def trim(self, before: int) -> None:
        """Forgets the events with a lower sequence number, as retention does."""
        del self.events[: self._index_of(before)]

    def events_from(self, position: int, most: int = 1) -> list[Event]:
        """The first events at or after a position."""
        place = self._index_of(position)
        return self.events[place : place + most]

    def seek(self, selector: str | None) -> int:
        """The position that a reader's filter means; raises Refused if it lies beyond the end.

        https://github.com/Azure/azure-sdk-for-python/issues/30931
        """
        asked = _SELECTOR.fullmatch(selector or "amqp.annotation.x-opt-offset > '-1'")
        assert asked is not None, f"{selector}: nobody here asked so before"
        kind, operator, value = asked[1], asked[2], int(asked[3])
        last = self.last_sequence if kind == "sequence-number" else self.last.offset if self.last else -1
        if value > last:
            raise Refused(
                "com.microsoft:argument-error", f"The supplied {kind} '{value}' is invalid; the last is '{last}'."
            )
        find = bisect_left if operator == ">=" else bisect_right
        place = find(self.events, value, key=lambda one: one.sequence if kind == "sequence-number" else one.offset)
        return self.events[place].sequence if place < len(self.events) else self.last_sequence + 1

    def _index_of(self, sequence: int) -> int:
        return bisect_left(self.events, sequence, key=lambda one: one.sequence)


class Hub:
    """Partitions, and who reads them."""

    def __init__(self, name: str, partitions: int, groups: Collection[str], created: datetime) -> None:
        self.name, self.groups, self.created = name, {group.lower() for group in groups}, created
        self.partitions = [Partition() for _ in range(partitions)]
        self.readers: list[Reader] = []
        self._turns = itertools.count()

    def next_partition(self) -> Partition:
        """Each partition in turn."""
        return self.partitions[next(self._turns) % len(self.partitions)]

    def seat(self, reader: Reader) -> None:
        """Lets one read, from whose place go those that it outranks if it has an epoch; raises Refused where it may not.

        https://github.com/Azure/azure-sdk-for-java/issues/12483, https://github.com/Azure/azure-sdk-for-java/issues/26583
        """
        if reader.group not in self.groups:
            raise no_entity(f"{self.name}/consumergroups/{reader.group}")
        rivals = [one for one in self.readers if (one.partition, one.group) == (reader.partition, reader.group)]
        if any(rival.rank > reader.rank for rival in rivals):
            raise Refused("amqp:link:stolen", "A receiver with a higher epoch exists.")
        for rival in rivals if reader.epoch is not None else ():
            rival.dismiss(Refused("amqp:link:stolen", "A receiver with a higher epoch was created."))
        self.readers.append(reader)


def no_entity(path: str) -> Refused:
    """No hub, or no consumer group, has this path."""
    return Refused("amqp:not-found", f"The messaging entity '{path}' could not be found.")


def messages_in(transfer: bytes | bytearray, format: int) -> Iterator[bytes]:
    """The messages that one transfer carries, which share a partition: azure-eventhub sends a batch as data of a message."""
    if format != 0x80013700:
        yield bytes(transfer)
        return
    yield from (value for part, value, _ in sections(transfer) if part == Section.DATA)
