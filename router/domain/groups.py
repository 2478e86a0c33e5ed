"""What a store holds of the groups of one destination: its admission state, and states of members, groups and windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from router.domain.decisions import Change
from router.domain.notices import Group, Notice

NO_END = datetime(9999, 12, 31, tzinfo=UTC)
"""When the window ends of a group that lasts as long as one of its members stands.

So no retention reaches it. Programs that know no such window take the instant for one that a wrong clock set, and open a
group of their own.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTurn:
    """A turn of a group, which one notice tells the destination.

    `number` counts the turns of the group.
    `change` is what the notice says: opened, updated or resolved.
    `opened` is the number of the turn that opened the group.
    `status_only` is whether nothing changed in the group but the status of members.
    """

    number: int
    change: Change
    opened: int
    status_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberState:
    """The membership of a signal in the group that it joined last.

    `group` is the key of the group.
    `turn` is the number of the latest turn of the signal that was applied to the group.
    `stands` is whether the signal was not over at that turn.
    `group_turn` is the turn of the group that it led to; None where it led to no notice, since others still stand.
    `at` is when this state changed.
    """

    group: str
    turn: int
    stands: bool
    group_turn: GroupTurn | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupState:
    """A group of signals, of which a destination is notified under one key.

    `group` is the group as its notices have it.
    `turn` is the number of its latest turn, and `opened` that of the turn that opened it.
    `is_open` is whether people know of it now: it was opened, and not resolved since.
    `severity` and `severity_written` are those of the gravest member since it opened.
    `respond_by` is the soonest time to answer of any member since it opened.
    `paged` is whether the rules sent any member since it opened to a pager as well.
    `at` is when this state changed.
    `waiting` is the notice with which it will open, where its opening waits until the limit has room. A group that lasts
    always has one: it is told on a clock, in the words of that.
    `audience_key` is the key of whom it is for: an incident's claim lets signals of no other audience join.
    `window_key` is the key of its window, where the group lasts as long as one of its members stands; else None.
    `note_due` is when its destination is told of what changed in it since its last notice; None where nothing did.
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
    audience_key: str | None = None
    window_key: str | None = None
    note_due: datetime | None = None
    paged: bool = False

    @property
    def is_held(self) -> bool:
        """Whether it lasts and waits for its turn to open; its destination's summary counts it meanwhile."""
        return self.window_key is not None and self.group.standing > 0 and not self.is_open and self.waiting is not None


def empty_group(by: tuple[tuple[str, str], ...], audience_key: str, at: datetime, *, limited: bool) -> GroupState:
    """The state of a group that nobody has joined yet, and that nobody was notified of."""
    return GroupState(
        group=Group(by=by, total=0, standing=0, named=(), limited=limited),
        turn=0,
        opened=0,
        is_open=False,
        severity=None,
        severity_written=None,
        respond_by=None,
        at=at,
        audience_key=audience_key,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowState:
    """An aggregation window: the time in which signals of one grouping key join one group.

    `group` is the key of the group.
    `until` is when the window ends; `NO_END` while its group lasts.
    """

    group: str
    until: datetime


@dataclass(frozen=True, slots=True)
class AggregationState:
    """States of members, groups and windows of one destination: some of them, or those that a change writes.

    `members` has them by signal key.
    `groups` has them by group key.
    `windows` has them by the key that the signals of a window share.
    """

    members: Mapping[str, MemberState] = field(default_factory=dict)
    groups: Mapping[str, GroupState] = field(default_factory=dict)
    windows: Mapping[str, WindowState] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.members) + len(self.groups) + len(self.windows)


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening of a group, as a limit counts it.

    `at` is when the group opened.
    `pager` is the name of an owner's pager key, if that was called; None for the destination's own.
    `beyond` is whether it opened beyond the limit, as a summary; these have a count of their own.
    `sample` is whether it was one of Defender's samples; these have a count of their own, too.
    `gravity` is how grave the group was.
    """

    at: datetime
    pager: str | None
    beyond: bool = False
    sample: bool = False
    gravity: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldGroups:
    """What a limit holds back of the groups that last, each of which opens when it is its turn.

    `sample` is whether they are of Defender's samples, which have a summary of their own.
    `groups` is how many wait.
    `standing` is how many signals stand in them.
    `total` is how many signals joined groups that waited, since none last did.
    `summary` is the key of the group by which their destination knows of them; None before it does.
    `note_due` is when it is told of what changed in them since the summary's last notice; None where nothing did.
    """

    sample: bool
    groups: int = 0
    standing: int = 0
    total: int = 0
    summary: str | None = None
    note_due: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """What a destination is told on a clock, since its groups last as long as one of their members stands.

    `due` is the earliest instant at which a group owes it a note; None where none does.
    `held` are the groups that a limit holds back, as far as there are any.
    """

    due: datetime | None = None
    held: tuple[HeldGroups, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionState:
    """How many groups a destination opened lately, and which groups wait to open.

    Its row is the lock of the destination's members, groups and windows: who changes one of them has locked it before.

    `openings` are the latest openings, for the limit.
    `waiting` are the keys of the groups that stand and that nobody was notified of, since the limit had no room.
    `deferred` is what is told on a clock where groups last. It is None where that is not known: the state was damaged. Then
    the states of the groups say it.
    """

    openings: tuple[Opening, ...] = ()
    waiting: tuple[str, ...] = ()
    deferred: Deferred | None = Deferred()

    @property
    def waiting_groups(self) -> int:
        """How many groups wait until the limit has room, summaries too."""
        held = self.deferred.held if self.deferred is not None else ()
        return len(self.waiting) + sum(one.groups for one in held)
