"""The protocols that the shell is written against: what storage does, and what a kind of destination is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from router.domain.asks import Conversation, Result
from router.domain.decisions import Outcome
from router.domain.deliveries import (
    Backlog,
    Claim,
    DamagedLetter,
    DeadLetter,
    DeliveryState,
    NextDue,
    Pause,
    Pointer,
    Redrive,
    Settlement,
)
from router.domain.errors import HubError
from router.domain.groups import AdmissionState, AggregationState, GroupState
from router.domain.journal import Event, Extent, HubEpoch, InFlightMarker, Loss, Partition, Progress, Span, Taken
from router.domain.keeping import Purged, QuarantineEntry, Retention
from router.domain.ledger import LedgerRow, Version
from router.domain.notices import Attempt, Delivery, RecordEntry
from router.domain.rulebook import Lane


class Deduplication(StrEnum):
    """How a destination tells that it has a delivery already."""

    SERVER = "server"
    LOOKUP = "lookup"
    NONE = "none"


class DestinationKind(Protocol):
    """A kind of destination: one file in `destinations/`, pure.

    `Config` is the pydantic model of its entry in policy.yaml. `batch` is how many deliveries one conversation may have.
    `address` names what it writes to, so that two streams cannot share one by accident.
    """

    name: ClassVar[str]
    lane: ClassVar[Lane]
    deduplicates: ClassVar[Deduplication]
    batch: ClassVar[int]
    Config: ClassVar[type[Any]]

    def __init__(self, config: Any) -> None: ...

    def address(self) -> str:
        """What this destination writes to, without a secret: equal addresses are the same place."""
        ...

    def conversation_for(self, attempts: Sequence[Attempt]) -> Conversation:
        """The conversation that delivers attempts: it yields asks, and returns one result for each attempt, in their order."""
        ...


class Ledger(Protocol):
    """Keeps the latest state of each signal."""

    async def find_rows(self, keys: Collection[str]) -> Mapping[str, LedgerRow]:
        """The rows of those signals that are known.

        One that cannot be decoded is set aside, and what is known of its signal comes in its place.
        """
        ...

    async def write_rows(self, rows: Sequence[LedgerRow]) -> Mapping[str, Version]:
        """Writes rows, each only if its stored version is still `version`; returns the new versions of those written.

        A key that is missing in the answer lost such a race: somebody else wrote its row meanwhile.
        """
        ...

    async def clear_pending(self, versions: Mapping[str, Version]) -> None:
        """Clears the pending turns of rows that are still at those versions: those turns are published."""
        ...

    def held_in_doubt(self, stream: str, rulebook: str, active: Collection[str]) -> AsyncIterator[LedgerRow]:
        """The rows of a stream held by a rule that is not among the active ones, or under another rulebook.

        They may be written while they are read. Those that were let go and still carry a pending turn are among them.
        """
        ...

    async def find_pending_rows(self, stream: str) -> Sequence[LedgerRow]:
        """The rows of a stream that carry a pending turn."""
        ...


class Outbox(Protocol):
    """The deliveries: owed, claimed, sent, skipped, dead."""

    async def put_in_outbox(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        """Owes deliveries, create-if-absent by their id."""
        ...

    async def claim(self, pointer: Pointer, due: datetime, until: datetime, limit: int) -> Sequence[Claim]:
        """Claims up to `limit` deliveries that lie where a pointer says and are due at an instant.

        Each is the first of its signal there in turn order, and this worker's alone until the other instant. Nothing where
        none is due, waits for its turn or is done. What was lost `SUSPECT` times comes alone; what was lost once more is
        dead. An opening that was never attempted and its resolution are skipped together where the destination's lane is
        page or ticket.
        """
        ...

    async def requeue(self, pointer: Pointer, until: datetime) -> None:
        """Brings a pointer that came from a queue once more at an instant; what came from none is found by itself."""
        ...

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Writes down what became of claims, all or none of them."""
        ...

    async def repair_times(self, now: datetime) -> int:
        """Owes at once what only a wrong clock can have put off or given up on; returns how many deliveries.

        Those are as old as if they were owed from now on.
        """
        ...

    async def abandon(self, stream: str, named: Collection[str], born_before: datetime, now: datetime) -> int:
        """Gives up on deliveries that old of a stream to destinations that the policy does not name; returns how many.

        What such a destination was paused for is forgotten.
        """
        ...

    async def give_up(self, stream: str, destination: str, born_until: datetime, error: str, now: datetime) -> int:
        """Gives up on what was owed until an instant at a destination that nobody can ask; returns how many deliveries.

        What need not be said any more is skipped, as it is before a claim.
        """
        ...

    async def has_delivered(self, stream: str, destination: str) -> bool:
        """Whether a destination ever took a delivery, whatever is kept of it."""
        ...

    async def counts(self, stream: str) -> Mapping[tuple[str, DeliveryState], int]:
        """How many deliveries there are by destination and state."""
        ...

    async def next_due(self, stream: str) -> Mapping[str, NextDue]:
        """When each destination that is owed something is next due; what waits for an earlier turn does not count."""
        ...

    async def backlog(self, stream: str) -> Mapping[str, Backlog]:
        """What is open and what is dead by destination, for every destination that was ever owed anything."""
        ...

    async def pause(self, pause: Pause) -> None:
        """Remembers that a destination refuses our credentials."""
        ...

    async def probe(self, pause: Pause, next: datetime) -> bool:
        """Takes the one probe that a paused destination is due, deferring the next one; False if another took it."""
        ...

    async def resume(self, stream: str, destination: str) -> None:
        """Forgets a pause."""
        ...

    async def pauses(self, stream: str) -> Mapping[str, Pause]:
        """The pauses of a stream by destination."""
        ...

    async def dead(self) -> Sequence[DeadLetter | DamagedLetter]:
        """The dead letters, oldest first; of those that cannot be decoded what is left of them."""
        ...

    async def redrive(self, id: str, now: datetime) -> Redrive:
        """Owes a dead letter again, and the resolution that came after it; one that a later notice overtook is let go.

        One that cannot be decoded stays.
        """
        ...

    async def discard(self, id: str, now: datetime) -> bool:
        """Takes a dead letter off the list for good; False if there is none."""
        ...


class QueuedOutbox(Outbox, Protocol):
    """An outbox whose deliveries are named by pointers in queues, one queue for each stream and lane.

    A pointer to every delivery that is owed comes when it falls due. Pointers may come late, twice, or to what is done.
    """

    def pointer(self, stream: str, lane: Lane, text: str) -> Pointer | None:
        """The pointer that a message of a queue holds; None where it is no pointer."""
        ...

    def queue(self, stream: str, lane: Lane) -> Queue:
        """The queue of a stream and lane."""
        ...

    async def repoint(self, stream: str, now: datetime, unready: Collection[str] = ()) -> int:
        """Points again at what is due and nobody claims, and at what poison queues hold; returns how many pointers.

        At what destinations are owed that are not ready it points when they are.
        """
        ...


class Queue(Protocol):
    """The pointers of one stream and lane, for who is not called by a trigger."""

    async def receive(self, most: int, hidden: timedelta) -> Sequence[tuple[str, object]]:
        """Some messages' texts and handles; each comes back after `hidden` unless it is deleted."""
        ...

    async def delete(self, handle: object) -> None:
        """Deletes a message that was seen to."""
        ...


class Journal(Protocol):
    """Keeps which sequence numbers have been taken in, and which are being ingested."""

    async def read_progress(self, partition: Partition) -> Progress:
        """How far a partition has come; its first epoch where nothing is known."""
        ...

    async def write_progress(self, progress: Progress) -> Progress | None:
        """Writes progress if its stored version is still `version`; returns it as stored, None if another was faster."""
        ...

    async def place_markers(self, markers: Sequence[InFlightMarker]) -> Sequence[InFlightMarker]:
        """Places markers on numbers of one epoch; returns all markers of that epoch that overlap them, these among them."""
        ...

    async def finish_markers(self, markers: Sequence[InFlightMarker], taken: Sequence[Taken]) -> None:
        """Writes down what was taken in of one epoch, and takes those markers of it away, at once."""
        ...

    async def read_taken(self, epoch: HubEpoch, after: int) -> Sequence[Taken]:
        """What was taken in of an epoch and ends after a number, in order."""
        ...

    async def forget_settled(self, epoch: HubEpoch, until: int) -> None:
        """Takes away what was taken in and the markers that end at a number or before: progress has passed them."""
        ...

    async def write_losses(self, losses: Sequence[Loss]) -> None:
        """Writes losses down, create-if-absent by epoch and first number."""
        ...

    async def read_losses(self, hub: str) -> Sequence[Loss]:
        """The losses of a hub, oldest first."""
        ...

    async def find_last_sweep(self, hub: str) -> datetime | None:
        """When the last sweep of a hub ended."""
        ...

    async def write_sweep_end(self, hub: str, at: datetime) -> None:
        """Writes down that a sweep of a hub ended."""
        ...


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


class Groups(Protocol):
    """The aggregation of each destination that is notified of groups: its admission state, and states that change with it.

    Whoever changes a state writes the destination's admission state anew, so that two workers never change one at once.
    """

    async def read_admission(self, stream: str, destination: str) -> AdmissionState:
        """The admission state of a destination; an empty one where nothing is stored yet."""
        ...

    async def read_aggregation(
        self,
        stream: str,
        destination: str,
        *,
        members: Collection[str] = (),
        groups: Collection[str] = (),
        windows: Collection[str] = (),
    ) -> AggregationState:
        """The states of some members, groups and windows of a destination, as far as there are any."""
        ...

    async def read_standing_groups(self, stream: str, destination: str) -> Mapping[str, GroupState]:
        """The groups of a destination in which somebody stands. Walks all states of the destination."""
        ...

    async def find_grouped_destinations(self, stream: str) -> Collection[str]:
        """The destinations of a stream where groups stand, whatever its policy names. Walks all states."""
        ...

    async def write_aggregation(
        self, stream: str, destination: str, admission: AdmissionState, states: AggregationState
    ) -> bool:
        """Writes an admission state and some states, all or none; False if somebody wrote the admission state meanwhile."""
        ...


class Record(Protocol):
    """Keeps every decision."""

    async def put_on_record(self, entries: Sequence[RecordEntry]) -> None:
        """Puts decisions on record, create-if-absent by their key: a message's first outcome is its outcome."""
        ...

    async def find_outcomes(self, keys: Collection[str]) -> Mapping[str, Outcome]:
        """The latest outcomes of those messages that are on record; the key of a further decision finds nothing."""
        ...


class Quarantine(Protocol):
    """What was not understood, stored whole until discarded: messages, and rows of the state that cannot be decoded.

    Every part of a store sets aside here what it cannot decode, and goes on without it.
    """

    async def put_in_quarantine(self, entries: Sequence[QuarantineEntry]) -> None:
        """Stores entries, create-if-absent by their id."""
        ...

    async def list_quarantined(self) -> Sequence[QuarantineEntry]:
        """All entries, oldest first."""
        ...

    async def find_quarantined(self, id: str) -> QuarantineEntry | None:
        """One entry."""
        ...

    async def discard_quarantined(self, id: str) -> bool:
        """Discards one; False if there is none."""
        ...

    async def count_damaged_rows(self, stream: str) -> int:
        """How many damaged rows there are, of a stream or of an unknown one."""
        ...


class Store(Protocol):
    """Everything that is kept, in one place."""

    def atomically(self) -> AbstractContextManager[object]:
        """A context whose writes are kept together or not at all where the storage can do that, and else one by one.

        Nobody may rely on it: each write is safe to repeat, and a pending turn says what is left to do. It saves commits.
        """
        ...

    @property
    def ledger(self) -> Ledger: ...
    @property
    def groups(self) -> Groups: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def record(self) -> Record: ...
    @property
    def quarantine(self) -> Quarantine: ...
    @property
    def journal(self) -> Journal: ...

    async def purge(self, now: datetime, retention: Retention) -> Purged:
        """Takes away what retention allows; dead letters and the quarantine stay until discarded."""
        ...

    async def close(self) -> None:
        """Lets go of the storage."""
        ...


class SendObserver(Protocol):
    """Follows one send."""

    def record_results(self, results: Sequence[Result]) -> None:
        """Is given the results of the send."""
        ...


type Tracing = Callable[[Sequence[Claim]], AbstractContextManager[SendObserver]]
"""Gives the context in which claims are sent in one conversation."""


class QueuedStore(Store, Protocol):
    """A store whose outbox is pointed at from queues."""

    @property
    def outbox(self) -> QueuedOutbox: ...
