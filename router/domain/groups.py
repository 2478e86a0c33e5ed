"""What is kept of the groups of signals that one destination is told of: a board, and the cards on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from router.domain.decisions import Change
from router.domain.ledger import Version
from router.domain.notices import Group, Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The notice of a group that a member's turn went into."""

    turn: int
    change: Change
    opened: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberCard:
    """A signal: the group it was last told in, and the latest of its turns that went into it.

    `told` is None where that turn was nothing to tell, since others of the group still stand. `at` is when it changed.
    """

    group: str
    turn: int
    stands: bool
    told: Told | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCard:
    """Signals that are told as one: the group as its notices have it, its turn, and the turn that opened it.

    `severity` and `severity_written` are those of the gravest since it opened, `respond_by` the soonest. `is_open` says
    whether people know of it now, and `at` is when it changed. Where its opening waits until the limit has room, `waiting` is
    the notice of the member in whose words it will open. `whose` is for whom it is: signals of others never join by an
    incident's claim; None in a state of an older program, which did not keep it.
    """

    group: Group
    turn: int
    opened: int
    is_open: bool
    severity: str | None
    severity_written: str | None
    respond_by: str | None
    at: datetime
    waiting: Notice | None = None
    whose: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotCard:
    """The group that takes signals of some values until an instant."""

    group: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Cards:
    """Some cards of a board: members by signal key, groups by group key, slots by slot key."""

    members: Mapping[str, MemberCard] = field(default_factory=dict)
    groups: Mapping[str, GroupCard] = field(default_factory=dict)
    slots: Mapping[str, SlotCard] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.members) + len(self.groups) + len(self.slots)


@dataclass(frozen=True, slots=True)
class Opening:
    """When a group opened, and who was called: the name of an owner's pager key, None for the destination's own.

    What is `beyond` the limit opens by a count of its own, in which `gravity` is how grave it was; so do samples.
    """

    at: datetime
    pager: str | None
    beyond: bool = False
    sample: bool = False
    gravity: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What holds the cards of one destination together: whoever changes a card writes it anew.

    `openings` are the latest ones, for the limit. `waiting` are the groups that stand and that nobody was told of, since the
    limit had no room. `unsure` are the signals whose turns the last change applied, and `admitted` the groups that waited
    and that it opened: who makes the next change sees to it that their notices are owed before its own.
    """

    openings: tuple[Opening, ...] = ()
    unsure: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    admitted: tuple[str, ...] = ()
    version: Version | None = None
