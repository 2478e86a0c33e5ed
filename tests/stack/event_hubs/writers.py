"""Publishers: what they send becomes events of the partition they name, else of one that the hub picks."""

from __future__ import annotations

from tests.stack.event_hubs.amqp.incoming import Attach
from tests.stack.event_hubs.events import published
from tests.stack.event_hubs.hub import Hub
from tests.stack.event_hubs.links import Inbound, LinkSession
from tests.stack.event_hubs.log import Partition
from tests.stack.event_hubs.namespace import Namespace


class Writer(Inbound):
    """Publishes into a hub."""

    def __init__(
        self, session: LinkSession, attach: Attach, hub: Hub, partition: Partition | None, namespace: Namespace
    ) -> None:
        super().__init__(session, attach)
        self._namespace, self._hub, self._partition = namespace, hub, partition

    def join(self) -> None:
        """Becomes known to the hub."""
        self._hub.links.append(self)

    def over(self) -> None:
        """Leaves the hub."""
        self._hub.links.remove(self)

    def wake(self) -> None:
        """Does nothing: a publisher waits for no events."""

    def take(self, message: bytes, format: int) -> None:
        """Publishes a message, or all messages of a batch; raises the refusal that was ordered, if any."""
        if self._namespace.refusals_ordered:
            raise self._namespace.refusals_ordered.popleft()
        messages = published(message, format)
        key = messages[0].key if messages else None
        partition = self._partition or self._hub.partition_for(key)
        self._namespace.publish(self._hub, partition, messages, self._namespace.clock.now())
