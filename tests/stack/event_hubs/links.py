"""The two ways a link can go: what a client sends is counted, credited and answered; what it gets waits for credit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.stack.event_hubs.amqp import ACCEPTED, LARGEST_FRAME, REJECTED, Refused, Said
from tests.stack.event_hubs.hubs import Hub

if TYPE_CHECKING:
    from tests.stack.event_hubs.connections import Session

LARGEST_MESSAGE = 1024 * 1024
"""Bytes, as Event Hubs' standard tier announces on its links: https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas"""

WINDOW = 0x7FFFFFFF
"""Transfers: sessions are never held back, links are."""

_CREDIT = 1000  # messages that a client may be ahead
_OVERHEAD = 128  # bytes that a transfer takes of a frame beside its payload, generously


class Link:
    """One end of a link; `count` is how many messages have passed."""

    def __init__(self, session: Session, handle: int) -> None:
        self.session, self.handle, self.count = session, handle, 0

    def dismiss(self, refusal: Refused) -> None:
        """Ends the link, and says why."""
        self.session.leave(self)
        self.over()
        self.session.say(Said.DETACH, self.handle, True, refusal.error)

    def over(self) -> None:
        """Lets go of what the link held; called once, however it ended."""


class Inbound(Link):
    """A link on which the client sends, and something takes each message; Refused rejects it."""

    def __init__(self, session: Session, handle: int, take: Callable[[bytes, int], None]) -> None:
        super().__init__(session, handle)
        self._take = take
        self._credit = 0
        self._first: list[Any] = []
        self._message = bytearray()

    def replenish(self) -> None:
        """Lets the client send on before it runs out of credit."""
        if self._credit <= _CREDIT // 2:
            self._credit = _CREDIT
            windows = self.session.next_incoming, WINDOW, self.session.next_outgoing, WINDOW
            self.session.say(Said.FLOW, *windows, self.handle, self.count, _CREDIT, None, False, False, None)

    def receive(self, transfer: list[Any]) -> None:
        """Takes a message when its last part is there, and says what became of it."""
        self._first = self._first or transfer
        self._message += transfer[-1]
        if transfer[5]:
            return
        (_, id, _, format, settled, *_), message = self._first, bytes(self._message)
        self._first, self._message = [], bytearray()
        self.count += 1
        self._credit -= 1
        outcome: tuple[int, list[Any]] = (ACCEPTED, [])
        try:
            if len(message) > LARGEST_MESSAGE:
                raise Refused("amqp:link:message-size-exceeded", f"The message exceeds {LARGEST_MESSAGE} bytes.")
            self._take(message, format or 0)
        except Refused as refusal:
            outcome = (REJECTED, [refusal.error])
        if not settled:
            self.session.say(Said.DISPOSITION, True, id, id, True, outcome, None)
        self.replenish()


class Outbound(Link):
    """A link on which the client receives the messages that are there for it."""

    def __init__(self, session: Session, handle: int) -> None:
        super().__init__(session, handle)
        self.waiting: deque[bytes] = deque()
        self._credit = 0

    def allow(self, flow: list[Any]) -> None:
        """Takes the credit that the client gives."""
        self._credit = (flow[5] or 0) + flow[6] - self.count
        self.pump()

    def pump(self) -> None:
        """Sends what there is, as far as the client lets it, in as many frames as it takes."""
        room = LARGEST_FRAME - _OVERHEAD
        while self._credit > 0 and (message := self.next_message()) is not None:
            id, tag = self.session.next_outgoing, self.count.to_bytes(4)
            for at in range(0, len(message), room):
                fields = self.handle, id, tag, 0, True, at + room < len(message)
                self.session.say(Said.TRANSFER, *fields, *[None] * 5, payload=message[at : at + room])
                self.session.next_outgoing += 1
            self.count += 1
            self._credit -= 1

    def next_message(self) -> bytes | None:
        """The next message to send, if there is one; it counts as sent."""
        return self.waiting.popleft() if self.waiting else None


class Reader(Outbound):
    """Reads one partition for one consumer group, from the position that its filter means."""

    def __init__(
        self,
        session: Session,
        handle: int,
        hub: Hub,
        partition: int,
        group: str,
        epoch: int | None,
        selector: str | None,
    ) -> None:
        super().__init__(session, handle)
        self.partition, self.group, self.epoch = partition, group, epoch
        self._hub, self._log = hub, hub.partitions[partition]
        self._position = self._log.seek(selector)
        hub.seat(self)

    def over(self) -> None:
        """Leaves its seat."""
        self._hub.readers.remove(self)

    def next_message(self) -> bytes | None:
        """The first event at or after the position, which moves behind it."""
        found = self._log.events_from(self._position)
        if not found:
            return None
        self._position = found[0].sequence + 1
        self._log.sent += 1
        return found[0].wire
