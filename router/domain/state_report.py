"""What is in a state: how much, how old, and what of it is forgotten next. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState
from router.domain.destination_holds import DestinationHold
from router.domain.documents import DocumentKind

SOON = timedelta(days=7)
"""How far ahead a report looks at what is forgotten next."""


class Count(NamedTuple):
    """How many there are.

    Attributes:
        number: as many as were counted.
        is_whole: whether those are all; else there are at least so many.
    """

    number: int = 0
    is_whole: bool = True


NONE = Count()
"""That there are none."""


def sum_of(counts: Iterable[Count]) -> Count:
    """The sum of counts; whole where each of them is."""
    numbers = list(counts)
    return Count(sum(one.number for one in numbers), all(one.is_whole for one in numbers))


class DestinationCounts(NamedTuple):
    """The deliveries to one destination.

    Attributes:
        stream: its stream.
        destination: its name.
        states: how many there are in each state.
    """

    stream: str
    destination: str
    states: Mapping[DeliveryState, Count]


class TableSize(NamedTuple):
    """What a table takes.

    Attributes:
        name: its name.
        rows: how many rows it has; None where that is not known.
        bytes: what it takes with its indexes; None where that is not known.
    """

    name: str
    rows: Count | None
    bytes: Count | None


def due_after(first: datetime, age: timedelta) -> datetime:
    """When what counts from an instant falls due; of one that a wrong clock put near the end of time, the last there is."""
    return first + min(age, _LAST - first)


_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextForgotten:
    """What is forgotten next, of the decisions with one outcome or of the signals.

    Attributes:
        outcome: the outcome of the decisions that are meant; None for signals, which are looked at when they fall due.
        age: how long they stay; None for signals, which stay 14 days below the floor, else 90.
        next: when the next one falls due; None where there is none.
        overdue: how many are due, and wait for the next sweep.
        soon: how many more fall due within `SOON`.
    """

    outcome: Outcome | None
    age: timedelta | None
    next: datetime | None
    overdue: Count
    soon: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class StateReport:
    """What is in a state.

    Attributes:
        at: the instant that it tells of.
        version: the version of the state's form.
        next_version: the version that this program's next run gives it; None where it has that already.
        files: how many bytes each file of it takes, or the database.
        tables: what each table takes; empty where that is not known.
        decisions: how many decisions are on record, by outcome.
        oldest: when the oldest of them was made; None where there is none.
        newest: when the newest of them was made.
        signals: how many signals are known.
        standing: how many of them have not ended.
        held: how many of them a suppression rule holds.
        deliveries: the deliveries of each destination.
        owed_since: since when the oldest delivery is owed that is neither sent nor given up on; None where none is owed.
        quarantined: how many messages are in quarantine.
        damaged: how many damaged rows of the state are there, too.
        lost: how many events of hubs were lost.
        groups: how many groups there are.
        hours: how many hours are counted.
        rules: how many suppression rules ever held a signal.
        documents: how many documents there are, by kind.
        destination_holds: the destinations that persons hold then.
        forgotten_next: what is forgotten next; empty where the state's version does not say.
    """

    at: datetime
    version: int
    next_version: int | None
    files: Mapping[str, Count]
    tables: Sequence[TableSize] = ()
    decisions: Mapping[Outcome, Count] = field(default_factory=dict)
    oldest: datetime | None = None
    newest: datetime | None = None
    signals: Count = NONE
    standing: Count = NONE
    held: Count = NONE
    deliveries: Sequence[DestinationCounts] = ()
    owed_since: datetime | None = None
    quarantined: Count = NONE
    damaged: Count = NONE
    lost: Count = NONE
    groups: Count = NONE
    hours: Count = NONE
    rules: Count = NONE
    documents: Mapping[DocumentKind, Count] = field(default_factory=dict)
    destination_holds: Sequence[DestinationHold] = ()
    forgotten_next: Sequence[NextForgotten] = ()

    @property
    def bytes(self) -> Count:
        """How many bytes the files take, or the blobs."""
        return sum_of(self.files.values())

    @property
    def owed(self) -> Count:
        """How many deliveries are neither sent nor given up on."""
        return sum_of(
            one.states[state]
            for one in self.deliveries
            for state in (DeliveryState.OWED, DeliveryState.CLAIMED)
            if state in one.states
        )

    @property
    def dead(self) -> Count:
        """How many deliveries were given up on."""
        return sum_of(one.states.get(DeliveryState.DEAD, NONE) for one in self.deliveries)
