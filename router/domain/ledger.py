"""The latest state known of each signal, and how messages about it become turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from router.domain.clocks import SKEW, is_plausible
from router.domain.decisions import Change, Outcome
from router.domain.notices import Delivery, Notice, RecordEntry
from router.domain.rulebook import Lane

MOST_AT_ONCE = 10_000_000
"""Events that a partition of a hub does not take within `SKEW`: 1 MB a second is what one bears.

https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
"""

MOST_DOCUMENTS = 1_000_000_000
"""Documents that no file has."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where, and for Event Hubs when, a message came in; it orders states that their own times cannot.

    `origin` is a hub's epoch and partition, the digest of a file's body, or that of a line of standard input; `place` counts
    inside it, where of equal lines those that came before. `part` counts the
    signals of one message that holds several, from 1. `again` is set where a message that is on
    record is decided once more: because the rule that held it ended, or because it is read again.
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
            return (self.place, self.part) < (other.place, other.part) and not self._gainsays(other)
        if self.enqueued is not None and other.enqueued is not None:
            return self.enqueued < other.enqueued
        return False

    def _gainsays(self, other: Arrival) -> bool:
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
    return key.partition("@")[0]


class State(NamedTuple):
    """What a signal was last seen to be; New and Active are one status.

    `measure` is what a score measures, and for an incident the marks of the alerts that it named so far, in order; of very
    many a part of them, and how many.
    """

    resolved: bool
    status: str
    severity: int | None
    measure: str | None = None


class Seen(NamedTuple):
    """When a state held: by the message's own time, and by its arrival. A Delete's own time tells nothing."""

    changed: datetime | None
    arrival: Arrival
    deleted: bool = False

    def is_older_than(self, other: Seen) -> bool:
        """Whether this state is older: by own times where they differ and neither is a Delete, else by arrival."""
        if (
            self.changed is not None
            and other.changed is not None
            and self.changed != other.changed
            and not (self.deleted or other.deleted)
        ):
            return self.changed < other.changed
        return self.arrival.is_before(other.arrival)

    def without_impossible(self, now: datetime) -> Seen:
        """The same without times that run ahead of a clock: nothing that is told later could ever be later than those."""
        enqueued, arrival = self.arrival.enqueued, self.arrival
        if enqueued is not None and not is_plausible(enqueued, now):
            arrival = replace(arrival, enqueued=None)
        changed = self.changed if self.changed is not None and is_plausible(self.changed, now) else None
        return self._replace(changed=changed, arrival=arrival)


@dataclass(frozen=True, slots=True)
class Target:
    """One destination that a turn tells, what it is told, and the turn that opened the signal there.

    Where it is `grouped`, the signal is told as a member of a group, which has turns of its own.
    """

    destination: str
    lane: Lane
    change: Change
    opened: int
    grouped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A suppressed signal's body, kept until its rule ends and a while more, to be decided again when it does."""

    rule: str
    until: datetime
    rulebook: str
    source: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One step of one signal: what is on record of it, and who is told what.

    While a ledger row carries it, it is the row's *intent*: whoever meets it completes it as it stands.
    """

    number: int
    entry: RecordEntry
    notice: Notice | None = None
    targets: tuple[Target, ...] = ()
    trace: str | None = None

    def deliveries(self) -> tuple[Delivery, ...]:
        """The notices that this turn owes to destinations, but for those that tell of groups."""
        if self.notice is None:
            return ()
        return tuple(
            Delivery(
                stream=self.notice.stream,
                destination=target.destination,
                lane=target.lane,
                key=self.notice.key,
                turn=self.number,
                change=target.change,
                opened=target.opened,
                content=self.notice,
                trace=self.trace,
            )
            for target in self.targets
            if not target.grouped
        )


type Version = int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The ledger's row of one signal.

    `open` maps each destination where the signal is open to the turn that opened it there, and `grouped` are those of them
    where it is open as a member of a group. `forwarded` says whether any
    destination was ever told of it. `version` is what the store calls this state of the row, None if it is not stored yet.
    `closed_at` is when it was last seen to be resolved, for retention.
    """

    key: str
    stream: str
    state: State
    seen: Seen
    turn: int
    outcome: Outcome
    open: Mapping[str, int] = field(default_factory=dict)
    grouped: frozenset[str] = frozenset()
    forwarded: bool = False
    held: Held | None = None
    intent: Turn | None = None
    closed_at: datetime | None = None
    version: Version | None = None


RECORD = "record"
"""The destination that is the record's optional second home; no destination of a policy may bear this name."""


def record_delivery(entry: RecordEntry, stream: str) -> Delivery:
    """What the record's second home is owed for one decision."""
    return Delivery(
        stream=stream,
        destination=RECORD,
        lane=Lane.ROWS,
        key=f"{entry.key}/{stream}",
        turn=1,
        change=Change.OPENED,
        opened=1,
        content=entry,
    )
