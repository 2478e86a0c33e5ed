"""Event hubs: their partitions, events and sequence numbers, and the W3C traceparents that events bring.

Sequence numbers in a partition count up by one: https://learn.microsoft.com/azure/event-hubs/event-hubs-features
Traceparents: https://www.w3.org/TR/trace-context/#traceparent-header"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from router.domain.clocks import SKEW
from router.domain.values import Value, repr_without

MOST_AT_ONCE = 10_000_000
"""Events that a partition of a hub does not take within `SKEW`: 1 MB a second is what one bears.

https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
"""

MOST_DOCUMENTS = 1_000_000_000
"""Documents that no file has."""


class Arrival(Value):
    """Where, and for Event Hubs when, a message came in; it orders states that their own times cannot.

    Attributes:
        origin: the partition of a hub with its epoch, the digest of a file's body, or that of a line of standard input.
        place: the sequence number, the place in the file, or how many equal lines came before.
        enqueued: when the hub got it; None where it is from no hub.
        part: which of the signals of one message that holds several, counted from 1.
        again: not 0 where a message that is on record is decided once more.
    """

    origin: str
    place: int
    enqueued: datetime | None = None
    part: int = 0
    again: int = 0

    @property
    def key(self) -> str:
        """The identity of a message, under which its outcome is on record."""
        part = f".{self.part}" if self.part else ""
        again = f"@{self.again}" if self.again else ""
        return f"{self.origin}:{self.place}{part}{again}"

    def is_before(self, other: Arrival) -> bool:
        """Whether this message certainly came in before the other; a different file is taken to be a later one."""
        if self.origin == other.origin:
            return (self.place, self.part) < (other.place, other.part) and not self._contradicts(other)
        if self.enqueued is not None and other.enqueued is not None:
            return self.enqueued < other.enqueued
        return False

    def _contradicts(self, other: Arrival) -> bool:
        """Whether the other, which has the greater place, cannot have it: it would silence all that follow.

        A hub counts its events as it dates them, and no partition numbers so many while its clock stands still; no file has
        so many documents.
        """
        ahead = other.place - self.place
        if self.enqueued is None or other.enqueued is None:
            return ahead > MOST_DOCUMENTS
        return self.enqueued - other.enqueued > SKEW or (self.enqueued >= other.enqueued and ahead > MOST_AT_ONCE)


def message_of(key: str) -> str:
    """The key of the message that a key on record is about, also where it is that of a further decision on it."""
    origin, colon, place = key.rpartition(":")
    return f"{origin}{colon}{place.partition('@')[0]}"


class Partition(NamedTuple):
    """One partition of one hub."""

    hub: str
    id: str


class Span(NamedTuple):
    """Sequence numbers that follow one another."""

    first: int
    last: int

    def overlaps(self, other: Span) -> bool:
        """Whether a number is in both."""
        return self.first <= other.last and other.first <= self.last


class Event(Value):
    """One event of a partition as the hub holds it."""

    sequence: int
    enqueued: datetime
    body: bytes
    trace: str | None = None

    __repr__ = repr_without("body")


class HubEpoch(Value):
    """A partition from when its hub was created until the hub is created anew: a sequence number means one event in it."""

    partition: Partition
    number: int

    @property
    def origin(self) -> str:
        """The origin of the arrivals in it."""
        return f"{self.partition.hub}:{self.partition.id}:{self.number}"

    def arrival_of(self, event: Event) -> Arrival:
        """Where and when an event came in."""
        return Arrival(self.origin, event.sequence, event.enqueued)


class PartitionClaim(Value):
    """Which process reads a partition outside Functions.

    Attributes:
        claim: another one with each claim and each renewal; empty where the partition was never claimed.
        sequence: the number up to which all is taken in; None where nothing is.
    """

    partition: Partition
    owner: str = ""
    claim: str = ""
    sequence: int | None = None


class Loss(Value):
    """Events that were never taken in, and that the hub no longer holds."""

    epoch: HubEpoch
    span: Span
    at: datetime
    why: str


class Extent(Value):
    """What a hub holds of a partition.

    Attributes:
        last: the last one; below `first` where the partition is empty.
    """

    first: int
    last: int
    created: datetime


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


LONGEST_TRACEPARENT = 512
"""Characters of a traceparent that are looked at; a later version of the format may be longer than today's 55."""

_FORM = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


def find_ids(traceparent: str | None) -> tuple[int, int, int] | None:
    """The trace id, span id and flags in a traceparent; None for any text that is none. Total.

    A later version than 00 is read as far as 00 goes, as the format asks.
    """
    found = (
        _FORM.fullmatch(traceparent) if traceparent is not None and len(traceparent) <= LONGEST_TRACEPARENT else None
    )
    if found is None or (found[1] == "00" and found[5] is not None):
        return None
    trace, span = int(found[2], 16), int(found[3], 16)
    return (trace, span, int(found[4], 16)) if trace and span else None


def traceparent_of(trace: int, span: int, flags: int) -> str:
    """The traceparent of a trace, a span and flags."""
    return f"00-{trace:032x}-{span:016x}-{flags:02x}"
