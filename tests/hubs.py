"""A hub at the seam: what the `Hub` protocol says, kept in memory, with the troubles that hubs have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from router.domain.errors import HubError
from router.domain.hubs import Event, Extent, Partition, Span
from tests.builders import NOW, alert_body

LONG_AGO = NOW - timedelta(hours=1)


class Shelf:
    """A hub whose partitions are lists of events; `breaks_at` makes reads fail from the so manieth on, and
    `silent` are partitions that say nothing of themselves; while it `is_away` the hub says nothing of any."""

    def __init__(self, partitions: int = 1, created: datetime = LONG_AGO, name: str = "cwpp") -> None:
        self.name = name
        self.created = created
        self.events: dict[Partition, list[Event]] = {Partition(name, str(n)): [] for n in range(partitions)}
        self.reads: list[Span] = []
        self.breaks_at: int | None = None
        self.is_away = False
        self.silent: set[str] = set()

    def publish(self, count: int = 1, *, partition: int = 0, at: datetime = LONG_AGO, skip: int = 0) -> list[Event]:
        """Adds events, each an alert of its own; `skip` numbers are left out before them."""
        events = self.events[Partition(self.name, str(partition))]
        for _ in range(count):
            number = (events[-1].sequence + 1 if events else 0) + skip
            skip = 0
            events.append(Event(number, at, alert_body(f"{partition}-{self.created:%H%M}-{number}")))
        return events[-count:]

    def copy(self) -> Shelf:
        """The same hub with events of its own."""
        shelf = Shelf(len(self.events), self.created, self.name)
        shelf.events = {place: list(events) for place, events in self.events.items()}
        return shelf

    def trim(self, before: int, partition: int = 0) -> None:
        """Forgets what came before a number, as retention does."""
        place = Partition(self.name, str(partition))
        self.events[place] = [event for event in self.events[place] if event.sequence >= before]

    async def read_extents(self) -> Mapping[Partition, Extent | HubError]:
        if self.is_away:
            raise HubError(f"hub {self.name}: no answer")
        return {place: self._extent(place, events) for place, events in self.events.items()}

    def _extent(self, place: Partition, events: Sequence[Event]) -> Extent | HubError:
        if place.id in self.silent:
            return HubError(f"{place.hub}/{place.id}: no answer")
        first, last = (events[0].sequence, events[-1].sequence) if events else (0, -1)
        return Extent(first, last, self.created)

    async def read_events(self, partition: Partition, span: Span, most: int) -> Sequence[Event]:
        self.reads.append(span)
        if self.breaks_at is not None and len(self.reads) >= self.breaks_at:
            raise HubError(f"{partition.hub}/{partition.id}: no answer")
        within = [one for one in self.events[partition] if span.first <= one.sequence <= span.last]
        return within[:most]
