"""What turns of signals change in the groups of one destination, and which notices the destination is owed for it. Pure.

The first signal of a group opens it at once, under the group's key. Those of the same grouping key that come within the
window join it, and the group resolves with the last of them. An incident and the alerts that it names are one group whatever
they are like, as far as they are for the same audience. Where a destination has opened as many groups as its limit allows, the
next signals join one more group, the summary of what the limit holds back. A summary that may not open yet waits. It opens as
soon as there is room, whoever looks first: the next message, or a sweep.

At a pager a signal that joins calls nobody. So a signal that is graver than all before it opens a group instead of joining
one. An owner who has a pager of their own is called by it, with groups and a limit of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from router.domain.clocks import is_possible
from router.domain.decisions import Change
from router.domain.deliveries import Delivery
from router.domain.groups import (
    AdmissionState,
    AggregationState,
    GroupState,
    GroupTurn,
    MemberState,
    WindowState,
    empty_group,
)
from router.domain.keys import group_key
from router.domain.rulebook import DestinationSpec, Lane, Limit, written
from router.domain.severity import gravity_of
from router.grouping.group_notices import (
    change_of,
    delivery_of,
    gravity_of_member,
    is_status_only,
    lane_of,
    members_to_name,
    named_member,
    notice_to_open_with,
    opening_of_waiting,
    with_gravest,
)
from router.grouping.grouping_keys import (
    MemberTurn,
    audience_for,
    audience_key_for,
    claim_key_for,
    common_values_of,
    grouping_key_for,
    grouping_of,
    is_for_same_audience,
    member_keys_for,
    summary_key_for,
)
from router.grouping.held_groups import recounted
from router.grouping.limits import Audience, audience_of, has_room, has_room_beyond, opening_of, recent

MOST_ADMITTED = 40
"""Groups of which one change of an admission state tells without a turn."""


@dataclass(frozen=True, slots=True)
class AggregationChange:
    """A change of the groups of one destination, which a store writes all or none of.

    `admission` is the admission state as it is to be written.
    `states` are the states that changed.
    `deliveries` are the notices that the destination is owed once both are written.
    """

    admission: AdmissionState
    states: AggregationState
    deliveries: tuple[Delivery, ...]


@dataclass(slots=True)
class Aggregation:
    """The states of a destination while turns are applied to them.

    `known` are the states as the store has them; `members`, `groups` and `windows` are those that changed, and hide them.
    `touched` are the turns that were applied, by the key of their group; `admitted` the waiting groups that opened.
    """

    destination: str
    admission: AdmissionState
    known: AggregationState
    spec: DestinationSpec | None
    now: datetime
    members: dict[str, MemberState] = field(default_factory=dict)
    groups: dict[str, GroupState] = field(default_factory=dict)
    windows: dict[str, WindowState] = field(default_factory=dict)
    touched: dict[str, list[MemberTurn]] = field(default_factory=dict)
    admitted: list[str] = field(default_factory=list)
    owed: list[Delivery] = field(default_factory=list)

    def apply_all(self, member_turns: Sequence[MemberTurn]) -> AggregationChange:
        """Applies turns, at most one of each signal.

        Groups that wait open first, so that no later signal takes their room; without turns, only they do.
        """
        self.admit_waiting()
        # The gravest first: they open, and notices are in their words. Resolutions last: no group ends that another joins.
        for one in sorted(
            member_turns, key=lambda one: (one.target.change is Change.RESOLVED, -gravity_of_member(one))
        ):
            self.apply(one)
        return self.result()

    def admit_waiting(self) -> None:
        """Opens waiting groups as far as there is room, those that have waited longest first."""
        for key in self.admission.waiting:
            state = self._find_group(key)
            if state is None or state.waiting is None or not _is_waiting(state):
                continue
            if len(self.admitted) == MOST_ADMITTED:
                return
            audience = audience_of(state.waiting, lane_of(self.spec))
            if self._reserve_opening(audience, state.severity, beyond=True) or self._reserve_opening(
                audience, state.severity
            ):
                self.open_waiting(key, state)

    def open_waiting(self, key: str, state: GroupState) -> None:
        """Opens a group that waited, with the notice that waited."""
        turn = state.turn + 1
        self.groups[key] = opened = replace(state, turn=turn, opened=turn, is_open=True, at=self.now)
        self.admitted.append(key)
        if (opening := opening_of_waiting(self.destination, lane_of(self.spec), key, opened)) is not None:
            self.owed.append(opening)

    def apply(self, member_turn: MemberTurn) -> None:
        """Lets the signal of a turn join a group, change in it, or leave it."""
        member = self._find_member(member_turn.notice.key)
        if member is not None and member.stands:
            self._claim_named_alerts(member_turn, member.group)
            self._apply_to_group(member_turn, member.group)
        elif member_turn.target.change is not Change.RESOLVED:
            self._apply_to_group(member_turn, self._group_for(member_turn))

    def _group_for(self, member_turn: MemberTurn) -> str:
        """The group that a signal joins: one that stands, else one that it opens."""
        candidates = list(self._candidates_for(member_turn))
        key = next((key for key in candidates if self._can_join(member_turn, key)), None)
        key = key or self._group_to_open(member_turn, candidates)
        self._claim_named_alerts(member_turn, key)
        return key

    def _claim_named_alerts(self, member_turn: MemberTurn, key: str) -> None:
        """Lets the alerts that an incident names join its group when they come, if they are for the same audience."""
        audience_key = audience_key_for(member_turn, grouping_of(self.spec))
        claim = WindowState(group=key, until=self.now + self._length)
        self.windows |= {claim_key_for(id, audience_key): claim for id in member_turn.notice.alerts}

    @property
    def _length(self) -> timedelta:
        """How long its windows are; that of a group that lasts has no length."""
        return grouping_of(self.spec).window or timedelta()

    def _can_join(self, member_turn: MemberTurn, key: str) -> bool:
        """Whether a signal joins a group: somebody stands in it, and the signal need not call people anew as graver."""
        state = self._group(key)
        is_paged = member_turn.target.lane is Lane.PAGE and state.is_open
        calls = is_paged and gravity_of_member(member_turn) > gravity_of(state.severity)
        return state.group.standing > 0 and not calls

    def _candidates_for(self, member_turn: MemberTurn) -> Iterator[str]:
        """The groups that a signal may join: its incident's, those of the alerts that it names, that of its grouping key."""
        grouping = grouping_of(self.spec)
        audience_key = audience_key_for(member_turn, grouping)
        yield from self._groups_in_window(claim_key_for(member_turn.notice.id, audience_key), self._length)
        for alert in member_keys_for(member_turn)[1:]:
            member = self._find_member(alert)
            audiences = (audience_key, summary_key_for(member_turn))
            if member is not None and member.stands and self._group(member.group).audience_key in audiences:
                yield member.group
        yield from self._groups_in_window(grouping_key_for(member_turn, grouping), self._length)

    def _groups_in_window(self, key: str, length: timedelta) -> Iterator[str]:
        """The group of a window, unless the window has ended, or a clock that was wrong wrote down when it ends."""
        window = self.windows.get(key) or self.known.windows.get(key)
        if window is None or self._find_group(window.group) is None:
            return
        if self.now < window.until and is_possible(window.until, self.now, length):
            yield window.group

    def _group_to_open(self, member_turn: MemberTurn, candidates: Sequence[str]) -> str:
        """The group that a signal opens: one that resolved before its window ended, a new one, or the summary."""
        limit = self.spec.limit if self.spec is not None else None
        if limit is not None and not self._reserve_opening(audience_for(member_turn), member_turn.notice.severity):
            by = (("limit", f"{limit.most} openings in {written(limit.window)}"),)
            summary_key = summary_key_for(member_turn)
            summary = next(self._summaries_for(member_turn, limit), None)
            return summary or self._create_group(member_turn, summary_key, summary_key, self.now + limit.window, by)
        grouping = grouping_of(self.spec)
        over = (key for key in candidates if self._is_over(key) and not self._group(key).group.limited)
        return next(over, None) or self._create_group(
            member_turn,
            grouping_key_for(member_turn, grouping),
            audience_key_for(member_turn, grouping),
            self.now + self._length,
            common_values_of(member_turn.notice, grouping),
        )

    def _summaries_for(self, member_turn: MemberTurn, limit: Limit) -> Iterator[str]:
        """The summaries that take a signal beyond the limit: the one of the running window, else one that waits for room."""
        summary_key = summary_key_for(member_turn)
        for key in self._groups_in_window(summary_key, limit.window):
            if self._can_join(member_turn, key) or self._is_over(key):
                yield key
        known = {**self.known.groups, **self.groups}
        yield from (key for key, state in known.items() if state.audience_key == summary_key and _is_waiting(state))

    def _reserve_opening(self, audience: Audience, severity: str | None, *, beyond: bool = False) -> bool:
        """Whether the limit has room for one more opening; if so, the opening is counted."""
        limit = self.spec.limit if self.spec is not None else None
        if limit is None:
            return True
        openings = recent(self.admission.openings, limit, self.now)
        if beyond:
            is_free = has_room_beyond(openings, audience, limit, lane_of(self.spec), severity)
        else:
            is_free = has_room(openings, audience, limit)
        if is_free:
            one = opening_of(audience, severity, self.now, beyond=beyond)
            self.admission = replace(self.admission, openings=(*openings, one))
        return is_free

    def _is_over(self, key: str) -> bool:
        return not self._group(key).group.standing

    def _create_group(
        self,
        member_turn: MemberTurn,
        window_key: str,
        audience_key: str,
        until: datetime,
        by: tuple[tuple[str, str], ...],
    ) -> str:
        """Creates a group with its window; nobody stands in it yet. Returns its key."""
        notice, number = member_turn.notice, member_turn.turn.number
        key = group_key(notice.stream, self.destination, window_key, notice.key, number, self.now.isoformat())
        is_summary = window_key == summary_key_for(member_turn)
        self.groups[key] = empty_group(by, audience_key, self.now, limited=is_summary)
        self.windows[window_key] = WindowState(group=key, until=until)
        return key

    def _apply_to_group(self, member_turn: MemberTurn, key: str) -> None:
        """Counts and names a member as its turn leaves it: it joins the group, changes in it, or is over."""
        notice = member_turn.notice
        state, member = self._group(key), self._find_member(notice.key)
        stands, stood = member_turn.target.change is not Change.RESOLVED, member is not None and member.stands
        is_new = member is None or member.group != key
        others = tuple(one for one in state.group.named if one.key != notice.key)
        group = replace(
            state.group,
            total=state.group.total + (stands and is_new),
            standing=state.group.standing + stands - stood,
            named=members_to_name((named_member(notice), *others)) if stands else others,
        )
        self.groups[key] = replace(
            with_gravest(state, notice) if stands else state,
            group=group,
            waiting=state.waiting if self._keeps_words(key, replace(state, group=group)) else None,
            at=self.now,
        )
        self.members[notice.key] = MemberState(
            group=key, turn=member_turn.turn.number, stands=stands, group_turn=None, at=self.now
        )
        self.touched.setdefault(key, []).append(member_turn)

    def _keeps_words(self, key: str, state: GroupState) -> bool:
        """Whether the notice that waited is still of use: until the group's opening is certainly owed."""
        return key in self.admitted or (state.group.standing > 0 and not state.is_open)

    def result(self) -> AggregationChange:
        """Gives each group that has something to say its next turn, and its members the notice that says theirs."""
        for key, touched in self.touched.items():
            state = self.groups[key]
            # In the words of one of its audience: a member that has moved to another audience leaves the others behind.
            theirs = [one for one in touched if is_for_same_audience(state, one)]
            self._settle(key, theirs + [one for one in touched if one not in theirs])
        waiting = dict.fromkeys((*self.admission.waiting, *self.touched))
        admission = replace(
            self.admission,
            waiting=tuple(
                key for key in waiting if (found := self._find_group(key)) is not None and _is_waiting(found)
            ),
        )
        if (deferred := admission.deferred) is not None:
            admission = replace(admission, deferred=recounted(deferred, self.known.groups, self.groups, self.now))
        return AggregationChange(admission, AggregationState(self.members, self.groups, self.windows), tuple(self.owed))

    def _settle(self, key: str, member_turns: Sequence[MemberTurn]) -> None:
        """Notifies of a group that turns touched, or lets it wait."""
        state = self.groups[key]
        change = change_of(state, member_turns)
        if change is Change.OPENED and not self._may_open(state, member_turns):
            self.groups[key] = replace(state, waiting=notice_to_open_with(state, member_turns))
        elif change is not None:
            self._notify(key, change, member_turns)

    def _may_open(self, state: GroupState, member_turns: Sequence[MemberTurn]) -> bool:
        """Whether turns open a group: room for one of its own is reserved, unless it waits since it was to last."""
        if state.group.limited:
            return self._may_open_summary(state, member_turns)
        return not state.is_held or self._reserve_opening(audience_for(member_turns[0]), state.severity)

    def _may_open_summary(self, state: GroupState, member_turns: Sequence[MemberTurn]) -> bool:
        """Whether turns in a summary open it, as far as the limit has room; the end of one of its members opens nothing."""
        standing = (one for one in member_turns if one.target.change is not Change.RESOLVED)
        first = next((one for one in standing if is_for_same_audience(state, one)), None)
        return first is not None and self._reserve_opening(audience_for(first), state.severity, beyond=True)

    def _notify(self, key: str, change: Change, member_turns: Sequence[MemberTurn]) -> None:
        """Gives a group its next turn, and owes the notice of it."""
        state = self.groups[key]
        turn = state.turn + 1
        group_turn = GroupTurn(
            number=turn,
            change=change,
            opened=turn if change is Change.OPENED else state.opened,
            status_only=is_status_only(change, member_turns),
        )
        is_open = change is not Change.RESOLVED
        self.groups[key] = replace(state, turn=turn, opened=group_turn.opened, is_open=is_open, note_due=None)
        keys = [one.notice.key for one in member_turns]
        self.members |= {key: replace(self.members[key], group_turn=group_turn) for key in keys}
        self.owed.append(delivery_of(member_turns[0], key, state, group_turn))

    def _find_member(self, key: str) -> MemberState | None:
        """The state of a member, if that of its group is there as well."""
        found = self.members.get(key) or self.known.members.get(key)
        return found if found is not None and self._find_group(found.group) is not None else None

    def _find_group(self, key: str) -> GroupState | None:
        return self.groups.get(key) or self.known.groups.get(key)

    def _group(self, key: str) -> GroupState:
        return self.groups[key] if key in self.groups else self.known.groups[key]


def _is_waiting(state: GroupState) -> bool:
    return state.waiting is not None and state.group.standing > 0 and not state.is_open and state.window_key is None
