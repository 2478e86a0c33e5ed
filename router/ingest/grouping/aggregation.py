"""What turns of signals change in the groups of one destination, and which notices the destination is owed for it. Pure.

The first signal of a group opens it at once, under the group's key. Those of the same grouping key that come within the
window join it, and the group resolves with the last of them. An incident and the alerts that it names are one group whatever
they are like, as far as they are for the same audience. Where a destination has opened as many groups as its limit allows, the
next signals join one more group, the summary of what the limit holds back. A summary that may not open yet waits. It opens as
soon as there is room, with the next message or on the clock.

At a pager a signal that joins calls no one. So a signal that is graver than all before it opens a group instead of joining
one. An owner who has a pager of their own is called by it, with groups and a limit of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import replace
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from router.domain.clocks import is_possible
from router.domain.decisions import Change
from router.domain.deliveries import Delivery
from router.domain.keys import group_key
from router.domain.notices import Group
from router.domain.rulebook import DestinationSpec, Grouping, Lane, length_text
from router.domain.severity import gravity_of
from router.ingest.grouping.group_notices import (
    change_of,
    delivery_of,
    is_status_only,
    members_to_name,
    named_member,
    with_gravest,
    words_of,
)
from router.ingest.grouping.grouping_keys import (
    MemberTurn,
    audience_key_for,
    common_values_of,
    grouping_key_for,
    grouping_of,
    held_key_for,
    is_for_same_audience,
    member_keys_for,
    named_alert_key_for,
    summary_key_for,
)
from router.ingest.grouping.limits import Room, audience_of
from router.store.groups import GroupState, MemberState, NamedAlert, States, WaitingCount, Waits

APART = timedelta(hours=1)
"""How long after a change its destination is told of it, with all that changed until then: a ticket gets a note an hour."""


@dataclass(slots=True)
class Aggregation:
    """The groups of a destination while turns are applied to them.

    Attributes:
        states: the states as they are by now; those that were read, and those that are new.
        touched: the turns that were applied, by the key of their group.
        held: whether real groups, and samples, wait or waited for their turn.
    """

    destination: str
    spec: DestinationSpec | None
    room: Room
    states: States
    now: datetime
    changed: States = field(default_factory=States)
    touched: dict[str, list[MemberTurn]] = field(default_factory=dict)
    owed: list[Delivery] = field(default_factory=list)
    _before: dict[str, GroupState] = field(default_factory=dict)
    _windows: dict[str, str] = field(default_factory=dict)
    held: set[bool] = field(default_factory=set)

    def __post_init__(self) -> None:
        for key, state in self.states.groups.items():
            self._know(key, state)

    def apply_all(self, member_turns: Sequence[MemberTurn]) -> None:
        """Applies turns, at most one of each signal. Groups that wait for room open first: no later signal takes it."""
        self.open_waiting()
        # The gravest first: they open, and notices are in their words. Resolutions last: no group ends that another joins.
        for one in sorted(member_turns, key=lambda one: (not one.stands, -one.gravity)):
            self._apply(one)
        touched_before, self.touched = self.touched, {}
        for key, touched in touched_before.items():
            state = self.states.groups[key]
            # In the words of one of its audience: a member that has moved to another audience leaves the others behind.
            theirs = [one for one in touched if is_for_same_audience(state, one)]
            self._settle(key, theirs + [one for one in touched if one not in theirs])
        self.note_held()

    def waiting(self, what: Waits, *, sample: bool | None = None) -> list[str]:
        """The keys of groups that wait: the gravest first, and of those the one that changed longest ago."""
        groups = self.states.groups
        keys = [key for key, one in groups.items() if one.waits is what and sample in (None, one.is_sample)]
        return sorted(sorted(keys, reverse=True), key=lambda key: (-gravity_of(groups[key].severity), groups[key].at))

    def open_waiting(self) -> None:
        """Opens the summaries that wait for room, as far as there is any."""
        for key in self.waiting(Waits.ROOM):
            self.open_if_room(key, beyond=True) or self.open_if_room(key)

    def open_if_room(self, key: str, *, beyond: bool = False) -> bool:
        """Opens a group that waits, in the words that it has; returns whether there was room."""
        state = self.states.groups[key]
        if state.words is None:
            return False
        is_free = self.room.take(audience_of(state.words, self.room.lane), state.severity, beyond=beyond)
        if is_free:
            turn = state.turn + 1
            self.tell(key, replace(state, turn=turn, opened=turn, is_open=True, at=self.now), Change.OPENED)
        return is_free

    def tell(self, key: str, state: GroupState, change: Change) -> None:
        """Owes the notice of a group's latest turn, which no message led to, and keeps the state."""
        if state.words is not None:
            self.owed.append(delivery_of(state.words, self.destination, self.room.lane, key, state, change))
        self.put(key, state)

    def put(self, key: str, state: GroupState) -> None:
        """Keeps the state of a group: with words only as long as a notice may need them."""
        if (before := self.states.groups.get(key)) is not None:
            self._before.setdefault(key, before)
        lasts = state.until is None or (self.spec is not None and self.spec.is_lasting)
        if not lasts if state.is_open else not state.group.standing:
            state = replace(state, words=None)
        self.states.groups[key] = self.changed.groups[key] = state
        self._know(key, state)

    def _know(self, key: str, state: GroupState) -> None:
        if state.window_key is not None:
            self._windows[state.window_key] = key
        if state.waits is Waits.TURN:
            self.held.add(state.is_sample)

    def find_in_window(self, window_key: str) -> str | None:
        """The key of the group that has the key of a window."""
        return self._windows.get(window_key)

    def note_held(self) -> None:
        """Counts in the summaries of what waits how much that is by now; where it changed, they owe a note."""
        for key, state in list(self.changed.groups.items()):
            before = self._before.get(key)
            (count, sample), (count_before, sample_before) = _held_in(state), _held_in(before)
            if count == count_before:
                continue
            summary_key = self.find_in_window(held_key_for(sample or sample_before))
            if summary_key is not None:
                summary = self.states.groups[summary_key]
                group = replace(
                    summary.group,
                    groups=(summary.group.groups or 0) + count.groups - count_before.groups,
                    standing=summary.group.standing + count.standing - count_before.standing,
                    total=summary.group.total + max(count.total - count_before.total, 0),
                )
                self.put(summary_key, replace(summary, group=group, note_due=summary.note_due or self.now + APART))

    def _apply(self, member_turn: MemberTurn) -> None:
        """Lets the signal of a turn join a group, change in it, or leave it."""
        member = self._find_member(member_turn.notice.key)
        stood_in = member.group if member is not None and member.stands else None
        if stood_in is not None or member_turn.stands:
            key = stood_in or self._group_for(member_turn)
            self._keep_named_alerts(member_turn, key)
            self._apply_to_group(member_turn, key)

    def _group_for(self, member_turn: MemberTurn) -> str:
        """The key of the group that a signal joins: one that stands, else one that it opens."""
        candidates = list(self._candidates_for(member_turn))
        key = next((key for key in candidates if self._can_join(member_turn, key)), None)
        return key or self._group_to_open(member_turn, candidates)

    def _keep_named_alerts(self, member_turn: MemberTurn, key: str) -> None:
        """Lets the alerts that an incident names join its group when they come, if they are for the same audience."""
        audience_key = audience_key_for(member_turn, self.grouping)
        named = NamedAlert(group=key, until=self.now + self._length)
        alerts = {named_alert_key_for(id, audience_key): named for id in member_turn.notice.alerts}
        self.states.named_alerts |= alerts
        self.changed.named_alerts |= alerts

    @property
    def grouping(self) -> Grouping:
        """How the destination groups signals."""
        return grouping_of(self.spec)

    @property
    def _length(self) -> timedelta:
        """How long its windows are; that of a group that lasts has no length."""
        return self.grouping.window or timedelta()

    def _can_join(self, member_turn: MemberTurn, key: str) -> bool:
        """Whether a signal joins a group: one of its members stands, and the signal need not call people anew as graver."""
        state = self.states.groups[key]
        is_paged = member_turn.target.lane is Lane.PAGE and state.is_open
        calls = is_paged and member_turn.gravity > gravity_of(state.severity)
        return state.group.standing > 0 and not calls

    def _candidates_for(self, member_turn: MemberTurn) -> Iterator[str]:
        """The groups that a signal may join: its incident's, those of the alerts that it names, that of its grouping key."""
        audience_key = audience_key_for(member_turn, self.grouping)
        named = self.states.named_alerts.get(named_alert_key_for(member_turn.notice.id, audience_key))
        if named is not None and named.group in self.states.groups and self._runs(named.until, self._length):
            yield named.group
        for alert in member_keys_for(member_turn)[1:]:
            member = self._find_member(alert)
            audiences = (audience_key, summary_key_for(member_turn))
            if member is not None and member.stands and self.states.groups[member.group].audience_key in audiences:
                yield member.group
        if running := self._find_running(grouping_key_for(member_turn, self.grouping), self._length):
            yield running

    def _find_running(self, window_key: str, length: timedelta) -> str | None:
        """The group of a window, if it runs."""
        key = self.find_in_window(window_key)
        return key if key is not None and self._runs(self.states.groups[key].until, length) else None

    def _runs(self, until: datetime | None, length: timedelta) -> bool:
        """Whether a window has not ended yet, and no clock that was wrong wrote down when it ends."""
        return until is not None and self.now < until and is_possible(until, self.now, length)

    def _group_to_open(self, member_turn: MemberTurn, candidates: Sequence[str]) -> str:
        """The key of the group that a signal opens: one that is over while its window runs, a new one, or the summary."""
        groups, limit = self.states.groups, self.room.limit
        if limit is not None and not self.room.take(member_turn.audience, member_turn.notice.severity):
            summary_key = summary_key_for(member_turn)
            running = self._find_running(summary_key, limit.window)
            if running is not None and (self._can_join(member_turn, running) or not groups[running].group.standing):
                return running
            waiting = (key for key in self.waiting(Waits.ROOM) if groups[key].audience_key == summary_key)
            return next(waiting, None) or self._create_group(
                member_turn, summary_key, summary_key, self.now + limit.window, self.limited()
            )
        over = (key for key in candidates if not groups[key].group.standing and not groups[key].group.limited)
        return next(over, None) or self.create_group(member_turn, self.now + self._length)

    def limited(self) -> Group:
        """An empty summary of what the limit holds back."""
        limit = self.room.limit
        by = (("limit", f"{limit.most} openings in {length_text(limit.window)}"),) if limit is not None else ()
        return Group(by=by, total=0, standing=0, named=(), limited=True)

    def create_group(self, member_turn: MemberTurn, until: datetime | None) -> str:
        """Creates the group of the values of a signal; returns its key."""
        by = common_values_of(member_turn.notice, self.grouping)
        window_key, audience_key = (of(member_turn, self.grouping) for of in (grouping_key_for, audience_key_for))
        group = Group(by=by, total=0, standing=0, named=())
        return self._create_group(member_turn, window_key, audience_key, until, group)

    def _create_group(
        self, member_turn: MemberTurn, window_key: str, audience_key: str, until: datetime | None, group: Group
    ) -> str:
        """Creates a group, and gives it the window; nothing stands in it yet. Returns its key."""
        notice, turn = member_turn.notice, member_turn.turn
        key = group_key(notice.stream, self.destination, window_key, notice.key, turn.number, turn.entry.key)
        if (before := self._windows.pop(window_key, None)) is not None:
            self.put(before, replace(self.states.groups[before], window_key=None))
        state = GroupState(group=group, audience_key=audience_key, at=self.now, window_key=window_key, until=until)
        self.put(key, state)
        return key

    def _apply_to_group(self, member_turn: MemberTurn, key: str) -> None:
        """Counts and names a member as its turn leaves it: it joins the group, changes in it, or is over."""
        notice = member_turn.notice
        state, member = self.states.groups[key], self._find_member(notice.key)
        stands, stood = member_turn.stands, member is not None and member.stands
        is_new = member is None or member.group != key
        others = tuple(one for one in state.group.named if one.key != notice.key)
        group = replace(
            state.group,
            total=state.group.total + (stands and is_new),
            standing=state.group.standing + stands - stood,
            named=members_to_name((named_member(notice), *others)) if stands else others,
        )
        self.put(key, replace(with_gravest(state, notice) if stands else state, group=group, at=self.now))
        number = member_turn.turn.number
        kept = MemberState(group=key, turn=number, stands=stands, group_turn=None, at=self.now)
        self._keep_member(notice.key, kept)
        self.touched.setdefault(key, []).append(member_turn)

    def _keep_member(self, signal: str, member: MemberState) -> None:
        self.states.members[signal] = self.changed.members[signal] = member

    def _settle(self, key: str, member_turns: Sequence[MemberTurn]) -> None:
        """Notifies of a group that turns touched, or lets it wait."""
        state = self.states.groups[key]
        change = change_of(state, member_turns)
        if change is Change.OPENED and not self._may_open(state, member_turns):
            self.put(key, replace(state, words=words_of(state, member_turns)))
        elif change is not None:
            self.notify(key, change, member_turns)

    def _may_open(self, state: GroupState, member_turns: Sequence[MemberTurn]) -> bool:
        """Whether turns open a group: a new one has its room already, and what was to last waits for the clock.

        A summary opens as far as there is room beyond the limit; the end of one of its members opens nothing.
        """
        if not state.group.limited:
            return state.waits is None
        standing = (one for one in member_turns if one.stands)
        first = next((one for one in standing if is_for_same_audience(state, one)), None)
        return first is not None and self.room.take(first.audience, state.severity, beyond=True)

    def notify(self, key: str, change: Change, member_turns: Sequence[MemberTurn]) -> None:
        """Gives a group its next turn, and owes the notice of it."""
        state, first = self.states.groups[key], member_turns[0]
        turn = state.turn + 1
        opened = turn if change is Change.OPENED else state.opened
        is_open = change is not Change.RESOLVED
        state = replace(state, turn=turn, opened=opened, is_open=is_open, note_due=None)
        status_only = is_status_only(change, member_turns)
        told = delivery_of(first.notice, self.destination, first.target.lane, key, state, change, status_only)
        self.owed.append(replace(told, trace=first.turn.trace))
        self.put(key, state)
        for one in member_turns:
            self._keep_member(one.notice.key, replace(self.states.members[one.notice.key], group_turn=turn))

    def _find_member(self, signal: str) -> MemberState | None:
        """The state of a member, if that of its group is there as well."""
        found = self.states.members.get(signal)
        return found if found is not None and found.group in self.states.groups else None


def _held_in(state: GroupState | None) -> tuple[WaitingCount, bool]:
    """How much a group adds to what waits for its turn, and whether it is one of samples."""
    if state is None or state.waits is not Waits.TURN:
        return WaitingCount(0, 0, 0), False
    return WaitingCount(1, state.group.standing, state.group.total), state.is_sample
