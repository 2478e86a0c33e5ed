"""An Event Hubs namespace: hubs, keys, a clock, and the trouble that was ordered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from tests.stack.event_hubs.amqp.refused import Refused
from tests.stack.event_hubs.clock import Clock
from tests.stack.event_hubs.events import Event, Message
from tests.stack.event_hubs.hub import Hub
from tests.stack.event_hubs.log import Partition
from tests.stack.event_hubs.refusals import RefusedLink, no_entity

_MOST_KEPT = 10_000  # clients that are refused try again for ever


class Namespace:
    """What outlives every connection. Names are compared without regard to case, as the service does."""

    def __init__(self, hubs: Mapping[str, int], groups: Collection[str], keys: Mapping[str, str]) -> None:
        self.keys = keys
        self.clock = Clock()
        self.refusals_ordered: deque[Refused] = deque()
        self.refused_links: deque[RefusedLink] = deque(maxlen=_MOST_KEPT)
        self.is_reachable = True
        self.bytes_left: int | None = None
        """How many more are said before every connection is cut off, if that was ordered."""
        self.watchers: list[Callable[[], object]] = []
        self._groups = groups
        self._hubs: dict[str, Hub] = {}
        for name, partitions in hubs.items():
            self.create(name, partitions)

    def hub(self, name: str) -> Hub:
        """A hub by its name; raises Refused."""
        try:
            return self._hubs[name.lower()]
        except KeyError:
            raise no_entity(name) from None

    def publish(self, hub: Hub, partition: Partition, messages: Sequence[Message], now: datetime) -> list[Event]:
        """Keeps messages as events of one partition, and wakes all that read or watch."""
        events = hub.publish(partition, messages, now)
        self.tell()
        return events

    def tell(self) -> None:
        """Tells those that watch of something new."""
        for told in [*self.watchers]:
            told()

    def create(self, name: str, partitions: int) -> None:
        """Puts an empty hub under a name, in place of one that may be there, which was created earlier in any case."""
        former = self._hubs.get(name.lower())
        earliest = former.created + timedelta(milliseconds=1) if former else datetime.min.replace(tzinfo=UTC)
        created = max(self.clock.now(), earliest)
        self._hubs[name.lower()] = Hub(name, partitions, self._groups, created)
