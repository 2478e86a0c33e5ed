"""The outbox that `deliver/` works on, and who follows a conversation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from router.domain.background import Background
from router.domain.conversation import Result
from router.domain.damage import DamagedLetter
from router.domain.deliveries import (
    Backlog,
    Claim,
    DeadLetter,
    Delivery,
    DeliveryState,
    DeliveryStatus,
    NextDue,
    Pause,
    Recipient,
    Redrive,
    Settlement,
)
from router.domain.destination_holds import DestinationHold
from router.domain.groups import AggregationState
from router.domain.histories import History
from router.domain.lookups import SignalAtResource
from router.domain.notices import Notice


class Histories(Protocol):
    """What destinations were owed and told before, as far as who notifies people asks."""

    async def find_histories(self, stream: str, destination: str, opened: Mapping[str, int]) -> Mapping[str, History]:
        """What a destination was told of some signals or groups since the turns that opened them there, by their keys.

        Damage says nothing.
        """
        ...

    async def deliveries_at(self, stream: str, destination: str, key: str) -> Sequence[DeliveryStatus]:
        """The deliveries that are kept of a signal or group at one destination, by turn."""
        ...

    async def deliveries_at_each(
        self, stream: str, destinations: Collection[str], keys: Collection[str]
    ) -> Mapping[tuple[str, str], Sequence[DeliveryStatus]]:
        """The same of some signals or groups at some destinations, by destination and key."""
        ...


class Outbox(Histories, Protocol):
    """The deliveries: owed, claimed, sent, skipped, dead."""

    async def put_in_outbox(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        """Owes deliveries, create-if-absent by their id."""
        ...

    async def claim(self, recipient: Recipient, due: datetime, until: datetime, limit: int) -> Sequence[Claim]:
        """Claims up to `limit` deliveries to a recipient that are due at an instant.

        Each is the first of its signal there in turn order, and this worker's alone until the other instant. Nothing where
        none is due, waits for its turn or is done. What was lost `SUSPECT` times comes alone; what was lost once more is
        dead. An opening that was never attempted and its resolution are skipped together where the destination's lane is
        page or ticket.
        """
        ...

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Writes down what became of claims, all or none of them."""
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

    async def bring_forward(self, stream: str, destination: str, due: datetime, now: datetime) -> bool:
        """Makes one delivery due at an instant at the latest; False where none waits there."""
        ...

    async def has_delivered(self, stream: str, destination: str) -> bool:
        """Whether a destination ever took a delivery, whatever is kept of it."""
        ...

    async def deliveries_of(self, key: str) -> Sequence[DeliveryStatus]:
        """The deliveries that are kept of a signal or group, by destination and turn."""
        ...

    async def find_by_reference(self, reference: str) -> Sequence[DeliveryStatus]:
        """The deliveries whose receipt has that reference, such as a ticket's number, as the vendor writes it."""
        ...

    async def find_last_notice(self, stream: str, destination: str, key: str) -> Notice | None:
        """The notice of a signal or group that a destination last took; None where it took none, or none is kept."""
        ...

    async def counts(self, stream: str) -> Mapping[tuple[str, DeliveryState], int]:
        """How many deliveries there are by destination and state."""
        ...

    async def next_due(self, stream: str) -> Mapping[str, NextDue]:
        """When each destination that is owed something is next due; what waits for an earlier turn does not count."""
        ...

    async def first_due(self, stream: str, destinations: Collection[str]) -> Mapping[str, datetime]:
        """When each of some destinations that is owed something is next due, as `next_due` has it."""
        ...

    async def count_due(
        self, stream: str, destinations: Collection[str], now: datetime, most: int
    ) -> Mapping[str, int]:
        """How many deliveries are due at each of some destinations, counted up to so many."""
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


class DestinationHolds(Protocol):
    """The destinations that persons hold."""

    async def held_in(self, stream: str, now: datetime) -> Mapping[str, DestinationHold]:
        """The destinations of a stream that are held now, by name, as they were some seconds ago at most."""
        ...


class SignalMemory(Protocol):
    """What is on record of signals, as far as who notifies people asks."""

    async def signals_at_each(
        self, stream: str, resources: Collection[str], most: int
    ) -> Mapping[str, Sequence[SignalAtResource]]:
        """Signals of a stream at exactly each of some resources, whatever their case, at most so many of each.

        Damaged ones are left out.
        """
        ...


class Memberships(Protocol):
    """The groups that signals are members of, as far as who notifies people asks."""

    async def read_aggregation(self, stream: str, destination: str, *, members: Collection[str]) -> AggregationState:
        """The states of some members of a destination's groups, as far as there are any."""
        ...


class Backgrounds(Protocol):
    """Reads what the state knows beside claims that are about to be sent; raises nothing."""

    async def read_ahead(self, claims: Sequence[Claim]) -> None:
        """Reads it for some claims at once; those that are sent within moments are sent with that."""
        ...

    async def read(self, claim: Claim) -> Background:
        """What the state knows beside a claim that is sent now."""
        ...


class SendObserver(Protocol):
    """Follows one send."""

    def record_results(self, results: Sequence[Result]) -> None:
        """Is given the results of the send."""
        ...


type Tracing = Callable[[Sequence[Claim]], AbstractContextManager[SendObserver]]
"""Gives the context in which claims are sent in one conversation."""
