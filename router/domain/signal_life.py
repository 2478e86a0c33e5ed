"""The life of a signal as the state has it: what was decided, what was owed to whom, and what became of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from router.domain.deliveries import DeliveryStatus, Pause
from router.domain.delivery_lifecycle import OPEN
from router.domain.holds import HeldBy
from router.domain.ledger import LedgerRow
from router.domain.notices import RecordEntry
from router.domain.rulebook import Lane
from router.domain.silences import Silence


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLife:
    """The group that a signal joined last at one destination.

    Attributes:
        key: the key of the group.
        by: what its members have in common, as pairs of name and value.
        total: how many signals ever joined; None where the group is not kept.
        standing: how many of them are still open; None where the group is not kept.
        is_summary: whether it is a summary of what the destination's limit held back.
        is_open: whether its destination knows of it now.
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
    is_open: bool
    waits_for_room: bool
    stands: bool
    changed: datetime
    deliveries: tuple[DeliveryStatus, ...] = ()
    joined: int | None = None
    is_named: bool = False


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
    def latest(self) -> RecordEntry | None:
        """The latest decision; None where none is kept."""
        return self.decisions[-1] if self.decisions else None
