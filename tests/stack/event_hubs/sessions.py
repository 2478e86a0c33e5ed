"""A session: the links that a client has begun on one channel, and how much the client can take."""

from __future__ import annotations

import struct
from typing import Protocol

from tests.stack.event_hubs.amqp import outgoing
from tests.stack.event_hubs.amqp.incoming import Attach, Begin, Detach, Flow, Said, Transfer
from tests.stack.event_hubs.amqp.refused import Refused
from tests.stack.event_hubs.attaching import link_for
from tests.stack.event_hubs.claims import Claims
from tests.stack.event_hubs.links import LARGEST_MESSAGE, Inbound, Link, Outbound, Replies
from tests.stack.event_hubs.namespace import Namespace
from tests.stack.event_hubs.refusals import RefusedLink

_OVERHEAD = 128  # bytes that a transfer takes of a frame beside its payload, generously


class Wire(Protocol):
    """What a session needs of its connection."""

    namespace: Namespace
    claims: Claims
    largest_frame: int
    is_paused: bool

    def say(self, performative: bytes, payload: bytes = b"", channel: int = 0) -> None:
        """Sends a frame."""
        ...

    def hang_up(self) -> None:
        """Ends the connection once everything is said."""
        ...


class Session:
    """The service's end of a session."""

    def __init__(self, wire: Wire, channel: int, begin: Begin) -> None:
        self._wire, self._channel = wire, channel
        self._links: dict[int, Link] = {}
        self._next_incoming, self._next_outgoing = begin.next_outgoing_id, 0
        self._window = begin.incoming_window
        self.say(outgoing.begin(channel))

    def hear(self, said: Said, payload: bytes) -> None:
        """Does what the client says; what it says to a link that is gone, or was refused, is passed over."""
        match said:
            case Attach():
                self._attach(said)
            case Flow():
                self._flow(said)
            case Transfer():
                self._next_incoming += 1
                link = self._links.get(said.handle)
                if isinstance(link, Inbound):
                    link.receive(said, payload)
            case Detach():
                self._detach(said)

    def over(self) -> None:
        """Lets go of every link."""
        while self._links:
            self._links.popitem()[1].over()

    def pump(self) -> None:
        """Sends what waits, as far as the client can take it."""
        for link in list(self._links.values()):
            if isinstance(link, Outbound):
                link.pump()

    def _attach(self, attach: Attach) -> None:
        if attach.handle in self._links:
            raise Refused("amqp:session:handle-in-use", f"The handle {attach.handle} belongs to another link.")
        try:
            link = link_for(self, attach, self._wire.namespace, self._wire.claims)
        except Refused as refusal:
            self._refuse(attach, refusal)
            return
        self._links[attach.handle] = link
        self.say(outgoing.attach(attach, LARGEST_MESSAGE))
        if isinstance(link, Inbound):
            link.replenish()

    def _refuse(self, attach: Attach, refusal: Refused) -> None:
        """Attaches and detaches at once, as the service does.

        azure-eventhub 5.15.1 does not tell a consumer's `on_error` of it, unless the link was stolen, and tries again each
        second: https://github.com/MicrosoftDocs/azure-docs/issues/104276
        """
        self._wire.namespace.refused_links.append(RefusedLink(attach.node, refusal.condition, refusal.description))
        self.say(outgoing.attach_nowhere(attach, LARGEST_MESSAGE))
        self.say(outgoing.detach(attach.handle, refusal))

    def _flow(self, flow: Flow) -> None:
        self._window = (flow.next_incoming_id or 0) + flow.incoming_window - self._next_outgoing
        link = self._links.get(flow.handle) if flow.handle is not None else None
        if isinstance(link, Outbound):
            link.allow(flow)
        self.pump()

    def _detach(self, detach: Detach) -> None:
        link = self._links.pop(detach.handle, None)
        if link is not None:
            link.over()
            self.say(outgoing.detach(detach.handle, closed=bool(detach.closed)))

    # What links need.

    @property
    def has_room(self) -> bool:
        """Whether a message may be sent now."""
        return self._window > 0 and not self._wire.is_paused

    def say(self, performative: bytes, payload: bytes = b"") -> None:
        """Sends a frame on this channel."""
        self._wire.say(performative, payload, self._channel)

    def grant(self, link: Inbound, credit: int) -> None:
        """Lets the client send more messages."""
        self.say(outgoing.flow(self._next_incoming, self._next_outgoing, link.handle, link.count, credit))

    def deliver(self, link: Outbound, message: bytes) -> None:
        """Sends a message in as many frames as it takes."""
        delivery, tag = self._next_outgoing, struct.pack(">I", link.count)
        room = self._wire.largest_frame - _OVERHEAD
        for at in range(0, len(message), room):
            more = at + room < len(message)
            self.say(outgoing.transfer(link.handle, delivery, tag, more=more), message[at : at + room])
            self._next_outgoing += 1
            self._window -= 1

    def dismiss(self, link: Link, refusal: Refused) -> None:
        """Ends a link, and says why."""
        del self._links[link.handle]
        link.over()
        self.say(outgoing.detach(link.handle, refusal))

    def hang_up(self) -> None:
        """Ends the connection once everything is said."""
        self._wire.hang_up()

    def find_replies(self, node: str) -> Replies | None:
        """The link on which a node's answers go to the client."""
        replies = (link for link in self._links.values() if isinstance(link, Replies) and link.node == node)
        return next(replies, None)
