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
    """One partition of one hub; a hub is called as its stream is."""

    hub: str
    id: str


class Span(NamedTuple):
    """Sequence numbers that follow one another, both ends included."""

    first: int
    last: int

    def overlaps(self, other: Span) -> bool:
        """Whether a number is in both."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a partition as the hub holds it; `trace` is the W3C traceparent that came with it."""

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
    """A process is trying these numbers. `alone` marks one that it tries by itself, since it may be what kills."""

    epoch: HubEpoch
    span: Span
    process: str
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """These numbers were taken in at an instant; the last of them was enqueued at another."""

    span: Span
    enqueued: datetime
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one partition has come.

    Every number up to `settled` was taken in or reported lost; None before the first sweep. `top` is the highest number that
    `settled` ever passed over, with the time when it was enqueued. `created` is when its hub was created, as a sweep saw it.
    """

    epoch: HubEpoch
    settled: int | None = None
    top: tuple[int, datetime] | None = None
    created: datetime | None = None
    version: Version | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """Numbers that can be read no more and were never taken in, and why."""

    epoch: HubEpoch
    span: Span
    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Extent:
    """What a hub holds of a partition: its first and last number, `last` below `first` where it is empty."""

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


def gaps_in(taken: Sequence[Span], within: Span) -> list[Span]:
    """The spans inside another that none of those taken covers, in order."""
    holes, next = [], within.first
    for span in sorted(taken):
        if span.first > within.last:
            break
        if span.first > next:
            holes.append(Span(next, span.first - 1))
        next = max(next, span.last + 1)
    if next <= within.last:
        holes.append(Span(next, within.last))
    return holes
