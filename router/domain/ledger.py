"""The latest state known of each signal, and how messages about it fold into turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from router.domain.decisions import Change, Decision, Outcome
from router.domain.notices import Delivery, Notice, RecordEntry
from router.domain.rulebook import Lane


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where, and for Event Hubs when, a message came in; it orders states that their own times cannot.

    `origin` is a hub's epoch and partition, or the digest of a file's body; `place` counts inside it.
    """

    origin: str
    place: int
    enqueued: datetime | None = None

    @property
    def key(self) -> str:
        """The identity of a message, under which its outcome is on record."""
        return f"{self.origin}:{self.place}"

    def is_before(self, other: Arrival) -> bool:
        """Whether this message certainly came in before the other; a different file is taken to be a later one."""
        if self.origin == other.origin:
            return self.place < other.place
        if self.enqueued is not None and other.enqueued is not None:
            return self.enqueued < other.enqueued
        return False


class State(NamedTuple):
    """What a signal was last seen to be; New and Active are one status."""

    resolved: bool
    status: str | None
    severity: str | None
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


class Target(NamedTuple):
    """One destination that a turn tells, what it is told, and the turn that opened the signal there."""

    destination: str
    lane: Lane
    change: Change
    opened: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A suppressed signal's body, kept until its rule ends and a while more, to be decided again when it does."""

    rule: str
    until: datetime
    rulebook: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One step of one signal: the decision, what is on record of it, and who is told what.

    While a ledger row carries it, it is the row's *intent*: whoever meets it completes it as it stands.
    """

    number: int
    decision: Decision
    entry: RecordEntry
    notice: Notice | None = None
    targets: tuple[Target, ...] = ()

    def deliveries(self) -> tuple[Delivery, ...]:
        """The deliveries that this turn owes."""
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
            )
            for target in self.targets
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The ledger's row of one signal.

    `open` maps each destination where the signal is open to the turn that opened it there. `version` is 0 for a row that
    is not stored yet, and changes at each write. `closed_at` is when it was last seen to be resolved, for retention.
    """

    key: str
    stream: str
    state: State
    seen: Seen
    turn: int
    outcome: Outcome
    open: Mapping[str, int] = field(default_factory=dict)
    held: Held | None = None
    intent: Turn | None = None
    closed_at: datetime | None = None
    version: int = 0
