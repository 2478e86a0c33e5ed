"""The life of a signal as the state has it: what was decided, what was owed to whom, and what became of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from router.domain.decisions import Change, Outcome
from router.domain.deliveries import OPEN, DeliveryState, DeliveryStatus, Pause
from router.domain.ledger import RECORD, HeldBy, LedgerRow
from router.domain.notices import RecordEntry
from router.domain.rulebook import Lane
from router.domain.silences import Silence


class Presence(StrEnum):
    """What a destination has of a signal, by what was delivered there; what is only decided or owed is not there yet."""

    OPEN = "open at"
    OWED = "owed to"
    DEAD = "given up on at"
    NOT_KEPT = "opened, of which no delivery is kept, at"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLife:
    """The group that a signal joined last at one destination.

    Attributes:
        key: the key of the group.
        by: what its members have in common, as pairs of name and value.
        total: how many signals ever joined; None where the group is not kept.
        standing: how many of them are not over; None where the group is not kept.
        is_summary: whether it is a summary of what the destination's limit held back.
        waits_for_room: whether it waits to open until the limit of its destination has room.
        stands: whether the signal was not over when it last changed the group.
        changed: when the signal last changed the group.
        deliveries: its deliveries, by turn.
        joined: the turn of the group to which the signal's latest turn led; None where it led to no notice.
        is_named: whether the group's notices name the signal: they name only the gravest and the latest of many.
    """

    key: str
    by: tuple[tuple[str, str], ...]
    total: int | None
    standing: int | None
    is_summary: bool
    waits_for_room: bool
    stands: bool
    changed: datetime
    deliveries: tuple[DeliveryStatus, ...] = ()
    joined: int | None = None
    is_named: bool = False

    @property
    def is_open(self) -> bool:
        """Whether its destination took it, and not its end."""
        return _presence_by(self.deliveries) is Presence.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationLife:
    """What a signal has to do with one destination.

    Attributes:
        name: the destination's name.
        lane: its lane; None where neither a delivery nor the rules say it.
        deliveries: the signal's own deliveries there, by turn; those of the record's second home by decision.
        group: the group of which it is told there instead, or beside.
        pause: its pause, where it refuses our credentials now.
        held: by whom, until when and why it is held, in words that begin so; None where nobody holds it.
        unready: what it lacks to be asked, in words; None where it lacks nothing, or nobody looked.
        limit: how many openings it gets, in words; None where it has no limit, or the rules are not at hand.
    """

    name: str
    lane: Lane | None
    deliveries: tuple[DeliveryStatus, ...] = ()
    group: GroupLife | None = None
    pause: Pause | None = None
    held: str | None = None
    unready: str | None = None
    limit: str | None = None

    @property
    def all_deliveries(self) -> tuple[DeliveryStatus, ...]:
        """The signal's own deliveries there, and those of its group."""
        return (*self.deliveries, *(self.group.deliveries if self.group is not None else ()))

    @property
    def is_waited_for(self) -> bool:
        """Whether anything is still to happen there."""
        is_open = any(one.state in OPEN for one in self.all_deliveries)
        return is_open or (self.group is not None and self.group.waits_for_room)

    def presence_since(self, came: datetime | None) -> Presence | None:
        """What it has of a signal that came then, alone or in a group; None where it has nothing and is owed nothing."""
        own, group = _presence_by(self.deliveries), self.group
        if own is not None or group is None or not group.stands:
            return own
        # What the group told before the signal came did not tell of the signal, unless nothing more was to be said.
        told = [
            one
            for one in group.deliveries
            if came is None or one.born >= came or group.joined is None or one.turn >= group.joined
        ]
        return _presence_by(told) or (Presence.OWED if group.waits_for_room else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalLife:
    """All that the state has of one signal.

    Attributes:
        key: its key.
        stream: its stream.
        decisions: the decisions on it, the earliest first.
        has_earlier: whether there are earlier ones, which were not read.
        row: its row of the ledger; None where none is kept.
        silences: those silences that held it ever and are still kept, by their names on record.
        destinations: the destinations that it has to do with, by name.
    """

    key: str
    stream: str
    decisions: tuple[RecordEntry, ...] = ()
    has_earlier: bool = False
    row: LedgerRow | None = None
    silences: Mapping[str, Silence] = field(default_factory=dict)
    destinations: tuple[DestinationLife, ...] = ()

    @property
    def holder(self) -> HeldBy | None:
        """What holds it now; None where nothing does."""
        return self.row.held_by if self.row is not None else None

    @property
    def came(self) -> datetime | None:
        """When it was first routed since it was last over, as far as the decisions that are known say."""
        came: str | None = None
        is_over = False
        for entry in self.decisions:
            if entry.outcome == Outcome.ROUTED and (came is None or is_over):
                came = entry.at
            is_over = entry.outcome == Outcome.RESOLVED or (is_over and entry.outcome != Outcome.ROUTED)
        return datetime.fromisoformat(came) if came is not None and not self.has_earlier else None

    @property
    def presences(self) -> Mapping[str, Presence]:
        """What each destination has of it, by name; without those that have nothing and are owed nothing."""
        found: dict[str, Presence] = {}
        for one in self.destinations:
            presence = None if one.name == RECORD else one.presence_since(self.came)
            if presence is None and not one.all_deliveries and self.row is not None and one.name in self.row.open:
                presence = Presence.NOT_KEPT
            if presence is not None:
                found[one.name] = presence
        return found

    @property
    def latest(self) -> RecordEntry | None:
        """The latest decision; None where none is kept."""
        return self.decisions[-1] if self.decisions else None


def _presence_by(deliveries: Sequence[DeliveryStatus]) -> Presence | None:
    """What the deliveries of one key come to: the last that was sent says it, else what is still to be told, or never was."""
    sent = [one for one in deliveries if one.state is DeliveryState.SENT]
    if sent and max(sent, key=lambda one: one.turn).change is not Change.RESOLVED:
        return Presence.OPEN
    opened = max((one.opened for one in deliveries), default=0)
    states = {one.state for one in deliveries if one.opened == opened and one.change is not Change.RESOLVED}
    if states & OPEN:
        return Presence.OWED
    return Presence.DEAD if DeliveryState.DEAD in states else None
