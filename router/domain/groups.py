"""What the state holds of the groups of one destination: the groups, their members, and the alerts that incidents name."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from router.domain.notices import Group, Notice


class Waits(StrEnum):
    """What a group waits for that its destination knows nothing of yet."""

    ROOM = "room"
    """A summary opens as soon as the limit has room for one."""

    TURN = "turn"
    """A group that lasts opens when the limit has room and it is the gravest that waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberState:
    """The membership of a signal in the group that it joined last.

    Attributes:
        group: the key of the group.
        turn: the number of the latest turn of the signal that was applied to the group.
        stands: whether the signal was not over at that turn.
        group_turn: the turn of the group whose notice told of it; None where it led to no notice.
        at: when this changed.
    """

    group: str
    turn: int
    stands: bool
    group_turn: int | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedAlert:
    """An alert that an incident names: it joins the incident's group when it comes.

    Attributes:
        group: the key of the group.
        until: when it has to come.
    """

    group: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupState:
    """A group of signals, of which a destination is notified under one key.

    Attributes:
        group: the group as its notices have it.
        audience_key: the key of whom it is for: an alert that an incident names joins only where it is for the same.
        at: when this changed.
        window_key: the key that signals share which join it; None once another group has it.
        until: when it takes no others in; None where it lasts as long as one of its members stands.
        turn: the number of its latest turn.
        opened: the number of the turn that opened it.
        is_open: whether people know of it now: it was opened, and not resolved since.
        severity, severity_written: those of the gravest member since it opened.
        respond_by: the soonest time to answer of any member since it opened.
        paged: whether the rules sent any member since it opened to a pager as well.
        words: the notice in whose words it opens, where it waits, or is told of on the clock, where it lasts.
        note_due: when its destination is told of what changed in it since its last notice; None where nothing did.
    """

    group: Group
    audience_key: str
    at: datetime
    window_key: str | None
    until: datetime | None
    turn: int = 0
    opened: int = 0
    is_open: bool = False
    severity: str | None = None
    severity_written: str | None = None
    respond_by: str | None = None
    paged: bool = False
    words: Notice | None = None
    note_due: datetime | None = None

    @property
    def is_sample(self) -> bool:
        """Whether its words are of one of Defender's samples."""
        return self.words is not None and self.words.sample

    @property
    def waits(self) -> Waits | None:
        """What it waits for; None where it is open, or nothing stands in it."""
        if self.is_open or self.words is None or not self.group.standing:
            return None
        return Waits.TURN if self.until is None else Waits.ROOM


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening of a group, as a limit counts it.

    Attributes:
        at: when the group opened.
        pager: the name of an owner's pager key, if that was called; None for the destination's own.
        sample: whether it was one of Defender's samples; these have a count of their own.
        beyond: whether it opened beyond the limit, as a summary; these have a count of their own, too.
        gravity: how grave the group was.
    """

    at: datetime
    pager: str | None
    sample: bool
    beyond: bool
    gravity: int


@dataclass(slots=True)
class States:
    """Members by the keys of their signals, named alerts and groups by their own keys, and openings of one destination."""

    members: dict[str, MemberState] = field(default_factory=dict)
    named_alerts: dict[str, NamedAlert] = field(default_factory=dict)
    groups: dict[str, GroupState] = field(default_factory=dict)
    openings: list[Opening] = field(default_factory=list)
