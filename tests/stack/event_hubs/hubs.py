"""Event hubs as tests have them, to run, look into and make trouble with; what each partition retains, and who reads it."""

from __future__ import annotations

import asyncio
import itertools
import re
import ssl
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple, Self

from tests.stack.event_hubs.amqp import Refused, Section, described, no_entity, sections, text, timestamp
from tests.stack.event_hubs.connections import Connection, Reader
from tests.stack.event_hubs.threads import Home, at_home, in_thread

HOST = "127.0.0.1"
HUBS = {"cwpp": 2, "cspm": 2}
GROUPS = ("$Default", "take", "sweep", "serve")
KEY_NAME, KEY = "RootManageSharedAccessKey", "SAS_KEY_VALUE"
"""What Microsoft's own emulator goes by, as is public.

https://learn.microsoft.com/en-us/azure/event-hubs/test-locally-with-event-hub-emulator
"""

_SELECTOR = re.compile(r"amqp\.annotation\.x-opt-(offset|sequence-number) *(>=?) *'(-?\d+)'")


class Published(NamedTuple):
    """An event that a partition retains; `wire` is how a reader gets it: the hub's own annotations, and the rest as it came."""

    sequence: int
    offset: int
    enqueued: datetime
    body: bytes
    properties: Mapping[str, Any]
    wire: bytes


class Partition:
    """Events with sequence numbers that count up; a position is the lowest sequence number still of interest.

    `sent` is how many events went out to readers, `asked` how often somebody asked how far it has come.
    """

    def __init__(self) -> None:
        self.sent = self.asked = 0
        self.events: list[Published] = []
        self.last: Published | None = None
        self._end = 0

    @property
    def begin(self) -> int:
        """The sequence number of the oldest event retained; where there is none, the one after the latest."""
        return self.events[0].sequence if self.events else self.last_sequence + 1

    @property
    def last_sequence(self) -> int:
        """The sequence number of the latest event, retained or not; -1 before there was any."""
        return self.last.sequence if self.last else -1

    def append(self, message: bytes, enqueued: datetime) -> None:
        """Keeps a message as the latest event."""
        sequence, parts = self.last_sequence + 1, list(sections(message))
        enqueued = enqueued.replace(microsecond=enqueued.microsecond // 1000 * 1000)  # As AMQP counts.
        annotations = {
            "x-opt-sequence-number": sequence,
            "x-opt-offset": str(self._end),
            "x-opt-enqueued-time": timestamp(enqueued),
        }
        own = (Section.DELIVERY_ANNOTATIONS, Section.ANNOTATIONS)
        rest = b"".join(whole for part, _, whole in parts if part not in own)
        body = b"".join(value for part, value, _ in parts if part == Section.DATA)
        theirs = [value for part, value, _ in parts if part == Section.APPLICATION_PROPERTIES]
        properties = {text(key): text(each) for values in theirs for key, each in values.items()}
        wire = described(Section.ANNOTATIONS, annotations) + rest
        self.last = Published(sequence, self._end, enqueued, body, properties, wire)
        self.events.append(self.last)
        self._end += len(rest)

    def trim(self, before: int) -> None:
        """Forgets the events with a lower sequence number, as retention does."""
        del self.events[: self._index_of(before)]

    def events_from(self, position: int, most: int = 1) -> list[Published]:
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


class EventHubs:
    """A namespace of event hubs on loopback. Its events outlive its runs, and its methods may be called from any thread."""

    def __init__(self, hubs: Mapping[str, int] = HUBS, *, groups: Collection[str] = GROUPS) -> None:
        self.home: Home | None = None
        self.port = 0
        self.key = KEY
        self.ahead = timedelta()
        """By how much the hubs' clock is ahead of the system's."""
        self.refusals_ordered: deque[Refused] = deque()
        self.is_reachable = True
        self.is_mute = False
        self.refuses_readers: str | None = None
        """The condition with which links that would read are refused, if that was ordered."""
        self.refused: list[float] = []
        """When a connection was cut as it was made, or a link refused that would read, by the monotonic clock."""
        self.bytes_left: int | None = None
        """How many more are said before every connection is cut off in the midst of it, if that was ordered."""
        self._watchers: list[Callable[[], object]] = []
        self._groups = groups
        self._hubs: dict[str, Hub] = {}
        self._connections: set[Connection] = set()
        for name, partitions in hubs.items():
            self._create(name, partitions)

    @asynccontextmanager
    async def running(self, port: int = 0, host: str = HOST, tls: ssl.SSLContext | None = None) -> AsyncIterator[Self]:
        """Serves in this event loop, on a free port if none is given."""
        connected = partial(Connection, self, self._connections)
        server = await asyncio.get_running_loop().create_server(connected, host, port, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        self.home = Home.here()
        try:
            yield self
        finally:
            self.home = None
            server.close()
            self._abort()
            server.abort_clients()  # who was about to come in
            await server.wait_closed()

    @property
    def connection_string(self) -> str:
        """What clients connect with; `eventhub_name` says to which hub."""
        return (
            f"Endpoint=sb://{HOST}:{self.port};SharedAccessKeyName={KEY_NAME};SharedAccessKey={KEY};"
            "UseDevelopmentEmulator=true"
        )

    # To connections. Names are compared without regard to case, as the service does.

    def hub(self, name: str) -> Hub:
        """A hub by its name; raises Refused."""
        if name.lower() not in self._hubs:
            raise no_entity(name)
        return self._hubs[name.lower()]

    def publish(self, hub: Hub, partition: Partition, messages: Iterable[bytes]) -> None:
        """Keeps messages as events of one partition, and wakes all that read or watch."""
        for message in messages:
            partition.append(message, self._now())
        for reader in list(hub.readers):
            reader.pump()
        self._tell()

    # To look into.

    @at_home
    def published(self, hub: str, partition: int | str) -> list[Published]:
        """The events that a partition retains, in order."""
        return list(self._partition(hub, partition).events)

    @at_home
    def last_sequences(self, hub: str) -> dict[str, int]:
        """The sequence number of each partition's latest event, retained or not; -1 before there was any."""
        return {str(id): one.last_sequence for id, one in enumerate(self.hub(hub).partitions)}

    @at_home
    def read(self, hub: str, after: Mapping[str, int], most: int) -> dict[str, list[Published]]:
        """The events of each partition that has some after a sequence number: all that is known of them, without a client."""
        if not self.is_reachable:
            return {}
        partitions = {str(id): one for id, one in enumerate(self.hub(hub).partitions)}
        found = {id: one.events_from(after.get(id, -1) + 1, most) for id, one in partitions.items()}
        return {id: events for id, events in found.items() if events}

    @contextmanager
    def watched(self, told: Callable[[], object]) -> Iterator[None]:
        """A context in which something is told, in the hubs' thread, of each time that events were published."""
        self._watchers.append(told)
        try:
            yield
        finally:
            self._watchers.remove(told)

    @at_home
    def readers(self, hub: str) -> list[tuple[int, str, int | None]]:
        """Who reads from a hub now, as partition, consumer group in lower case, and epoch."""
        return [(one.partition, one.group, one.epoch) for one in self.hub(hub).readers]

    @at_home
    def sent(self, hub: str, partition: int | str) -> int:
        """How many events of a partition went out to readers, each as often as it did."""
        return self._partition(hub, partition).sent

    @at_home
    def asked(self, hub: str, partition: int | str) -> int:
        """How often clients asked how far a partition has come."""
        return self._partition(hub, partition).asked

    # To publish without a client.

    @at_home
    def append(self, hub: str, partition: int | str, *bodies: bytes) -> None:
        """Publishes bodies in one batch."""
        messages = [described(Section.DATA, body) for body in bodies]
        self.publish(self.hub(hub), self._partition(hub, partition), messages)

    # What happens to hubs.

    @at_home
    def trim(self, hub: str, partition: int | str, before_sequence: int) -> None:
        """Forgets the events with lower sequence numbers, as retention does; readers go on with what is left."""
        self._partition(hub, partition).trim(before_sequence)

    @at_home
    def recreate(self, hub: str, partitions: int) -> None:
        """Puts an empty hub in a hub's place: clients are cut off, and sequence numbers begin with 0 again."""
        old = self.hub(hub)
        self._create(old.name, partitions)
        readers = list(old.readers)
        for reader in readers:
            reader.dismiss(no_entity(old.name))
        for reader in readers:
            reader.session.hang_up()

    @at_home
    def add_partitions(self, hub: str, count: int) -> None:
        """Gives a hub more partitions, empty ones."""
        self.hub(hub).partitions += [Partition() for _ in range(count)]

    # Trouble.

    @at_home
    def refuse_sends(self, condition: str, times: int = 1) -> None:
        """Rejects the next messages that are sent to any hub, with a condition such as `com.microsoft:server-busy`."""
        self.refusals_ordered.extend([Refused(condition, "This refusal was ordered by a test.")] * times)

    @at_home
    def drop_connections(self) -> None:
        """Cuts every connection off without a word."""
        self._abort()

    @at_home
    def stop_accepting(self) -> None:
        """Makes the service unreachable: connections are cut off, and new ones as soon as they are made."""
        self.is_reachable = False
        self._abort()

    @at_home
    def resume_accepting(self) -> None:
        """Makes the service reachable again."""
        self.is_reachable = True
        self._tell()

    @at_home
    def refuse_readers(self, condition: str | None) -> None:
        """Refuses to let anybody read, with a condition such as `amqp:not-found`, and dismisses who does; or no more."""
        self.refuses_readers = condition
        if condition is not None:
            for hub in self._hubs.values():
                for reader in list(hub.readers):
                    reader.dismiss(Refused(condition, "This refusal was ordered by a test."))

    @at_home
    def hang(self, *, is_mute: bool = True) -> None:
        """Lets the service take connections and what is said, and answer nothing; or no more, with every connection cut."""
        self.is_mute = is_mute
        if not is_mute:
            self._abort()

    def _partition(self, hub: str, partition: int | str) -> Partition:
        return self.hub(hub).partitions[int(partition)]

    def _create(self, name: str, partitions: int) -> None:
        """Puts an empty hub under a name, in place of one that may be there, which was created earlier in any case."""
        former = self._hubs.get(name.lower())
        created = max(self._now(), former.created + timedelta(milliseconds=1)) if former else self._now()
        self._hubs[name.lower()] = Hub(name, partitions, self._groups, created)

    def _now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def _tell(self) -> None:
        for told in [*self._watchers]:
            told()

    def _abort(self) -> None:
        for connection in list(self._connections):
            connection.abort()


@contextmanager
def event_hubs_in_thread(hubs: Mapping[str, int] = HUBS) -> Iterator[EventHubs]:
    """Serves event hubs from a thread of their own, for callers without an event loop."""
    with in_thread(EventHubs(hubs).running(), "event-hubs") as running:
        yield running
