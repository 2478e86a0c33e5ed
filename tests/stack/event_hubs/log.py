"""A partition: the events that are retained, and where a reader begins among them."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from operator import attrgetter

from tests.stack.event_hubs.events import Event, Message
from tests.stack.event_hubs.refusals import no_filter, no_position

_BEGINNING, _LATEST = "-1", "@latest"
_SELECTOR = re.compile(r"amqp\.annotation\.x-opt-(offset|sequence-number|enqueued-time) *(>=?) *'(@latest|-?\d+)'")

_sequence: Callable[[Event], int] = attrgetter("sequence")
_offset: Callable[[Event], int] = attrgetter("offset")


class Partition:
    """Events with sequence numbers that count up; a position is the lowest sequence number still of interest.

    `sent` is how many events went out to readers, `asked` how often somebody asked how far it has come.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.asked = 0
        self.events: list[Event] = []
        self.last: Event | None = None
        self._next_sequence = 0
        self._next_offset = 0

    @property
    def begin(self) -> int:
        """The sequence number of the oldest event retained; where there is none, the one after the latest."""
        return self.events[0].sequence if self.events else self.last_sequence + 1

    @property
    def last_sequence(self) -> int:
        """The sequence number of the latest event, retained or not; -1 before there was any."""
        return self.last.sequence if self.last else -1

    @property
    def last_offset(self) -> int:
        """The offset of the latest event, retained or not; -1 before there was any."""
        return self.last.offset if self.last else -1

    def append(self, message: Message, enqueued: int) -> Event:
        """Keeps a message as the latest event, enqueued at milliseconds since 1970."""
        event = Event.of(message, self._next_sequence, self._next_offset, enqueued)
        self._next_sequence += 1
        self._next_offset += event.size
        self.events.append(event)
        self.last = event
        return event

    def trim(self, before: int) -> None:
        """Forgets the events with a lower sequence number, as retention does."""
        del self.events[: bisect_left(self.events, before, key=_sequence)]

    def find_from(self, position: int) -> Event | None:
        """The first event at or after a position, if it is there yet."""
        place = bisect_left(self.events, position, key=_sequence)
        return self.events[place] if place < len(self.events) else None

    def events_from(self, position: int, most: int) -> list[Event]:
        """The first events at or after a position."""
        place = bisect_left(self.events, position, key=_sequence)
        return self.events[place : place + most]

    def seek(self, selector: str | None) -> int:
        """The position that a reader's filter means; raises Refused if it lies beyond the end, or is no filter."""
        if selector is None:
            return 0
        asked = _SELECTOR.fullmatch(selector)
        if asked is None:
            raise no_filter(selector)
        kind, operator, value = asked.groups()
        if value in (_BEGINNING, _LATEST):
            return 0 if value == _BEGINNING else self._next_sequence
        if kind == "enqueued-time":
            return self._since(int(value) + (operator == ">"))
        key, last = (_offset, self.last_offset) if kind == "offset" else (_sequence, self.last_sequence)
        if int(value) > last:
            raise no_position(kind.replace("-", " "), int(value), last)
        find = bisect_left if operator == ">=" else bisect_right
        return self._position_of(find(self.events, int(value), key=key))

    def _since(self, instant: int) -> int:
        """The position of the first event enqueued then or later; tests may enqueue out of order, so each is looked at."""
        places = (place for place, event in enumerate(self.events) if event.enqueued >= instant)
        return self._position_of(next(places, len(self.events)))

    def _position_of(self, place: int) -> int:
        return self.events[place].sequence if place < len(self.events) else self._next_sequence
