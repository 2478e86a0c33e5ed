"""The two ways a link can go: what a client sends is counted, credited and answered; what it gets waits for credit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Protocol

from tests.stack.event_hubs.amqp import outgoing
from tests.stack.event_hubs.amqp.incoming import Attach, Flow, Transfer
from tests.stack.event_hubs.amqp.refused import Refused
from tests.stack.event_hubs.refusals import too_long

LARGEST_MESSAGE = 1024 * 1024
"""Bytes, as Event Hubs' standard tier announces on its links.

https://learn.microsoft.com/en-us/azure/event-hubs/event-hubs-quotas
"""

_CREDIT = 1000  # messages that a client may be ahead


class LinkSession(Protocol):
    """What a link needs of the session that carries it."""

    @property
    def has_room(self) -> bool:
        """Whether a message may be sent now; `Outbound.pump` is called when that changes."""
        ...

    def say(self, performative: bytes) -> None:
        """Sends a performative."""
        ...

    def grant(self, link: Inbound, credit: int) -> None:
        """Lets the client send more messages."""
        ...

    def deliver(self, link: Outbound, message: bytes) -> None:
        """Sends a message."""
        ...

    def dismiss(self, link: Link, refusal: Refused) -> None:
        """Ends a link, and says why."""
        ...

    def hang_up(self) -> None:
        """Ends the connection once everything is said."""
        ...

    def find_replies(self, node: str) -> Replies | None:
        """The link on which a node's answers go to the client."""
        ...


class Link:
    """One end of a link; `count` is how many messages have passed."""

    def __init__(self, session: LinkSession, attach: Attach) -> None:
        self.session = session
        self.handle = attach.handle
        self.count = attach.delivery_count

    def dismiss(self, refusal: Refused) -> None:
        """Ends the link, and says why."""
        self.session.dismiss(self, refusal)

    def hang_up(self) -> None:
        """Ends the connection that carried it."""
        self.session.hang_up()

    def over(self) -> None:
        """Lets go of what the link held; called once, however it ended."""


class Inbound(Link, ABC):
    """A link on which the client sends."""

    def __init__(self, session: LinkSession, attach: Attach) -> None:
        super().__init__(session, attach)
        self._credit = 0
        self._first: Transfer | None = None
        self._message = bytearray()

    @abstractmethod
    def take(self, message: bytes, format: int) -> None:
        """Does with a message what the link is for; Refused rejects it."""

    def replenish(self) -> None:
        """Lets the client send on before it runs out of credit."""
        if self._credit <= _CREDIT // 2:
            self._credit = _CREDIT
            self.session.grant(self, _CREDIT)

    def receive(self, transfer: Transfer, payload: bytes) -> None:
        """Takes a message when its last part is there, and says what became of it."""
        first = self._first = self._first or transfer
        if len(self._message) <= LARGEST_MESSAGE:
            self._message += payload
        if transfer.more:
            return
        message = bytes(self._message)
        self._first = None
        self._message.clear()
        self.count += 1
        self._credit -= 1
        outcome = self._outcome(message, first)
        if not first.settled:
            self.session.say(outcome)
        self.replenish()

    def _outcome(self, message: bytes, transfer: Transfer) -> bytes:
        delivery = transfer.delivery_id or 0
        try:
            if len(message) > LARGEST_MESSAGE:
                raise too_long(LARGEST_MESSAGE)
            self.take(message, transfer.message_format or 0)
        except Refused as refusal:
            return outgoing.rejected(delivery, refusal)
        return outgoing.accepted(delivery)


class Outbound(Link, ABC):
    """A link on which the client receives."""

    def __init__(self, session: LinkSession, attach: Attach) -> None:
        super().__init__(session, attach)
        self.count = 0
        self._credit = 0

    @abstractmethod
    def next_message(self) -> bytes | None:
        """The next message to send, if there is one; it counts as sent."""

    def allow(self, flow: Flow) -> None:
        """Takes the credit that the client gives."""
        if flow.link_credit is not None:
            self._credit = (flow.delivery_count or 0) + flow.link_credit - self.count

    def pump(self) -> None:
        """Sends what there is, as far as the client lets it."""
        while self._credit > 0 and self.session.has_room and (message := self.next_message()) is not None:
            self.session.deliver(self, message)
            self.count += 1
            self._credit -= 1


class Requests(Inbound):
    """The questions to a node that is asked by messages."""

    def __init__(self, session: LinkSession, attach: Attach, answer: Callable[[bytes], bytes]) -> None:
        super().__init__(session, attach)
        self._node, self._answer = attach.node, answer

    def take(self, message: bytes, format: int) -> None:
        """Answers a question on the session's link for that."""
        answer = self._answer(message)
        replies = self.session.find_replies(self._node)
        if replies is not None:
            replies.answer(answer)


class Replies(Outbound):
    """The answers of a node that is asked by messages."""

    def __init__(self, session: LinkSession, attach: Attach) -> None:
        super().__init__(session, attach)
        self.node = attach.node
        self._answers: deque[bytes] = deque()

    def answer(self, message: bytes) -> None:
        """Sends an answer."""
        self._answers.append(message)
        self.pump()

    def next_message(self) -> bytes | None:
        """The oldest answer that is not sent yet."""
        return self._answers.popleft() if self._answers else None
