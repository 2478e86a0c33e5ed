"""The stores that `ingest/` works on, and the hub that it reads again where messages are missing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from router.domain.counts import Cell, RuleHits
from router.domain.decisions import Outcome
from router.domain.errors import HubError
from router.domain.journal import Event, Extent, Partition, Span
from router.domain.lookback import DecisionPage
from router.domain.lookups import SignalAtResource, SignalLookup
from router.domain.notices import RecordEntry


class Hub(Protocol):
    """Reads events of a hub, beside its consumers.

    Attributes:
        name: the name of the hub.
    """

    name: str

    async def read_extents(self) -> Mapping[Partition, Extent | HubError]:
        """What the hub holds of each of its partitions, or why one did not say; raises HubError where the hub does not."""
        ...

    async def read_events(self, partition: Partition, span: Span, most: int) -> Sequence[Event]:
        """The first events that the hub still has of a span, at most so many; raises HubError."""
        ...


class Record(Protocol):
    """Keeps every decision, counts them, and finds them and their signals again.

    Each decision that is on record is counted once, whoever dies in between and however often it is put on record.
    """

    async def put_on_record(self, entries: Sequence[RecordEntry]) -> None:
        """Puts decisions on record, create-if-absent by their key: a message's first outcome is its outcome."""
        ...

    async def find_outcomes(self, keys: Collection[str]) -> Mapping[str, Outcome]:
        """The latest outcomes of those messages that are on record; the key of a further decision finds nothing."""
        ...

    async def decisions_of(self, signal: str, most: int) -> Sequence[RecordEntry]:
        """The latest decisions on a signal, by its key; the latest first."""
        ...

    async def decisions_between(
        self, since: datetime, until: datetime, most: int, outcomes: Collection[Outcome] = frozenset(Outcome)
    ) -> Sequence[RecordEntry]:
        """The latest decisions from one instant to before another, with one of some outcomes; the latest first."""
        ...

    def walk_decisions(
        self, stream: str, since: datetime, until: datetime, outcomes: Collection[Outcome]
    ) -> AsyncIterator[DecisionPage]:
        """The decisions of a stream from one instant to before another, with one of some outcomes, in pages, the latest first.

        At least one page, and the last says how far back it looked. None is missing and none comes twice, also of those that
        were made at the same instant, whatever is put on record meanwhile.
        """
        ...

    async def find_signals(self, id: str, most: int, stream: str | None = None) -> Sequence[SignalLookup]:
        """Signals of a stream, or of any, of that id, or whose id ends so, whatever its case; whole ids first."""
        ...

    async def find_signals_at(self, resource: str, most: int, stream: str | None = None) -> Sequence[SignalLookup]:
        """Signals of a stream, or of any, at that resource, or at one whose id ends so, whatever its case; whole ids first."""
        ...

    async def signals_at_each(
        self, stream: str, resources: Collection[str], most: int
    ) -> Mapping[str, Sequence[SignalAtResource]]:
        """Signals of a stream at exactly each of some resources, whatever their case, at most so many of each.

        Damaged ones are left out.
        """
        ...

    async def read_counts(self, since: datetime, until: datetime) -> Mapping[datetime, Mapping[Cell, int]]:
        """How many decisions are in each cell, for each hour that began from one instant to before another."""
        ...

    async def read_hits(self, stream: str) -> Mapping[str, RuleHits]:
        """How often each suppression rule of a stream ever held a signal, by its name."""
        ...
