"""Which Event Hubs sequence numbers have been taken in, and which are being tried.

Sequence numbers in a partition count up by one: https://learn.microsoft.com/azure/event-hubs/event-hubs-features
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from router.domain.ledger import Arrival, Version


class Partition(NamedTuple):
    """One partition of one hub.

    Attributes:
        hub: the hub's name, which is its stream's.
        id: the partition's id.
    """

    hub: str
    id: str


class Span(NamedTuple):
    """Sequence numbers that follow one another.

    Attributes:
        first: the first of them.
        last: the last of them.
    """

    first: int
    last: int

    def overlaps(self, other: Span) -> bool:
        """Whether a number is in both."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a partition as the hub holds it.

    Attributes:
        sequence: its sequence number.
        enqueued: when the hub got it.
        body: its body.
        trace: the W3C traceparent that came with it.
    """

    sequence: int
    enqueued: datetime
    body: bytes = field(repr=False)
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class HubEpoch:
    """A partition from when its hub was created until the hub is created anew: a sequence number means one event in it.

    Attributes:
        partition: the partition.
        number: how often the hub was created, counted from 1.
    """

    partition: Partition
    number: int

    @property
    def origin(self) -> str:
        """The origin of the arrivals in it."""
        return f"{self.partition.hub}:{self.partition.id}:{self.number}"

    def arrival_of(self, event: Event) -> Arrival:
        """Where and when an event came in."""
        return Arrival(self.origin, event.sequence, event.enqueued)


@dataclass(frozen=True, slots=True)
class InFlightMarker:
    """Says that a process is ingesting events; it is removed when the process has finished with them.

    Attributes:
        epoch: the epoch of the events.
        span: their sequence numbers.
        process: the process.
        alone: whether the process ingests nothing else meanwhile, because the event may be poison.
    """

    epoch: HubEpoch
    span: Span
    process: str
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """Says that events were taken in.

    Attributes:
        span: their sequence numbers.
        enqueued: when the hub got the latest of them.
        at: when they were taken in.
    """

    span: Span
    enqueued: datetime
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one partition has come.

    Attributes:
        epoch: the epoch that the partition is in.
        settled: the number up to which every number was taken in or reported lost; None before the first sweep.
        top: the highest number that `settled` ever passed over, and when the hub got it.
        created: when the hub was created, as a sweep found it.
        version: what the store calls this state; None if it is not stored yet.
    """

    epoch: HubEpoch
    settled: int | None = None
    top: tuple[int, datetime] | None = None
    created: datetime | None = None
    version: Version | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """Events that were never taken in, and that the hub no longer holds.

    Attributes:
        epoch: the epoch of the events.
        span: their sequence numbers.
        at: when they were declared lost.
        why: why they are lost.
    """

    epoch: HubEpoch
    span: Span
    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Extent:
    """What a hub holds of a partition.

    Attributes:
        first: the first sequence number that it holds.
        last: the last one; below `first` where the partition is empty.
        created: when the hub was created.
    """

    first: int
    last: int
    created: datetime


def spans_of(numbers: Sequence[int]) -> list[Span]:
    """The spans that numbers make up, in order."""
    spans: list[Span] = []
    for number in sorted(set(numbers)):
        if spans and spans[-1].last == number - 1:
            spans[-1] = Span(spans[-1].first, number)
        else:
            spans.append(Span(number, number))
    return spans


def find_taken_until(
    progress: Progress, taken: Sequence[Taken], lost: Sequence[Span], extent: Extent, now: datetime
) -> datetime | None:
    """The hub's time up to which each event of a partition is taken in or lost; None where nobody knows.

    That is now where nothing is missing of what the hub held then. Else it is when the event before the first missing one came:
    a hub numbers events as they come.
    """
    settled = progress.settled if progress.settled is not None else -1
    missing = gaps_in([*(one.span for one in taken), *lost], Span(settled + 1, extent.last))
    if not missing:
        return now
    before = [one.enqueued for one in taken if one.span.last < missing[0].first]
    return max([*before, *([progress.top[1]] if progress.top is not None else [])], default=None)


def gaps_in(taken: Sequence[Span], within: Span) -> list[Span]:
    """The spans inside another that none of those taken covers, in order."""
    gaps, next = [], within.first
    for span in sorted(taken):
        if span.first > within.last:
            break
        if span.first > next:
            gaps.append(Span(next, span.first - 1))
        next = max(next, span.last + 1)
    if next <= within.last:
        gaps.append(Span(next, within.last))
    return gaps
