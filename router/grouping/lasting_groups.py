"""What changes where groups last as long as one of their members stands: tickets of findings. Pure.

A ticket is opened with the first of its members and resolved with the last of them, at once. Everything else is told on a
clock: what changed in a group is told an hour after the first of the changes, with all that changed until then, so that a
snapshot that comes in makes one note of it. What a limit has no room for waits: each group opens when it is its turn, the
gravest first, and one summary counts meanwhile what waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from router.domain.decisions import Change
from router.domain.groups import NO_END, Deferred, GroupState, HeldGroups, WindowState, empty_group
from router.domain.keys import group_key
from router.domain.rulebook import written
from router.grouping.aggregation import Aggregation
from router.grouping.group_notices import NAMED, lane_of, named_group, note_on_clock, notice_to_open_with
from router.grouping.grouping_keys import (
    MemberTurn,
    audience_for,
    audience_key_for,
    common_values_of,
    grouping_key_for,
    grouping_of,
    held_key_for,
)
from router.grouping.held_groups import APART, earliest, held_for, is_over, with_held
from router.grouping.limits import audience_of


@dataclass(slots=True)
class LastingAggregation(Aggregation):
    """The states of such a destination while turns are applied to them, or while it is told what is due on the clock.

    `opening` are the keys of the groups that were created, and for which an opening is reserved.
    """

    opening: set[str] = field(default_factory=set)

    def _group_for(self, member_turn: MemberTurn) -> str:
        """The group of its values that stands, else one that it opens, now or when it is its turn."""
        grouping = grouping_of(self.spec)
        window_key = grouping_key_for(member_turn, grouping)
        window = self.windows.get(window_key) or self.known.windows.get(window_key)
        state = self._find_group(window.group) if window is not None else None
        if window is None or state is None or not state.group.standing:
            audience_key, by = audience_key_for(member_turn, grouping), common_values_of(member_turn.notice, grouping)
            key = self._create_group(member_turn, window_key, audience_key, NO_END, by)
            self.groups[key] = replace(self.groups[key], window_key=window_key)
            if self._reserves(member_turn):
                self.opening.add(key)
            return key
        if window.until != NO_END or state.window_key is None:
            # The policy had windows that end before, or the state was damaged.
            self.windows[window_key] = WindowState(group=window.group, until=NO_END)
            self.groups[window.group] = replace(state, window_key=window_key)
        return window.group

    def _claim_named_alerts(self, member_turn: MemberTurn, key: str) -> None:
        """Findings name no alerts."""

    def _reserves(self, member_turn: MemberTurn) -> bool:
        """Whether a new group opens now: there is room, and none waits for that."""
        audience, deferred = audience_for(member_turn), self.admission.deferred
        waits = deferred is not None and held_for(deferred, audience.sample).groups > 0
        return not (self._has_limit and waits) and self._reserve_opening(audience, member_turn.notice.severity)

    @property
    def _has_limit(self) -> bool:
        return self.spec is not None and self.spec.limit is not None

    def _keeps_words(self, key: str, state: GroupState) -> bool:
        """As long as somebody stands: what is told of it on the clock is in these words."""
        return state.group.standing > 0

    def _settle(self, key: str, member_turns: Sequence[MemberTurn]) -> None:
        """Notifies of a group that opens or is over; what changed in it otherwise is told later."""
        state = self.groups[key]
        if not state.group.standing:
            self._end_window(key, state)
            self.groups[key] = replace(state, note_due=None)
            if state.is_open:
                self._notify(key, Change.RESOLVED, member_turns)
            return
        self.groups[key] = replace(state, waiting=notice_to_open_with(state, member_turns))
        if state.is_open:
            self._owe_note(key)
        elif key in self.opening:
            self._notify(key, Change.OPENED, member_turns)

    def _owe_note(self, key: str) -> None:
        state = self.groups[key]
        due = state.note_due or self.now + APART
        self.groups[key] = replace(state, note_due=due)
        if (deferred := self.admission.deferred) is not None:
            self.defer_until(earliest(deferred.due, due))

    def _end_window(self, key: str, state: GroupState) -> None:
        """Ends the window of a group that is over, so that what comes later opens a new one."""
        if state.window_key is None:
            return
        window = self.windows.get(state.window_key) or self.known.windows.get(state.window_key)
        if window is None or window.group == key:
            self.windows[state.window_key] = WindowState(group=key, until=self.now)

    def defer_until(self, due: datetime | None) -> None:
        """Writes down when a group owes the next note."""
        deferred = self.admission.deferred or Deferred()
        self.admission = replace(self.admission, deferred=replace(deferred, due=due))

    def open_held(self, keys: Iterable[str]) -> None:
        """Opens waiting groups in that order, as far as there is room."""
        for key in keys:
            state = self._find_group(key)
            if state is None or not state.is_held or state.waiting is None:
                continue
            if self._reserve_opening(audience_of(state.waiting, lane_of(self.spec)), state.severity):
                self.open_waiting(key, state)

    def tell_notes(self, keys: Iterable[str]) -> None:
        """Tells what changed in groups, as far as that is due."""
        for key in keys:
            state = self._find_group(key)
            is_due = state is not None and state.note_due is not None and is_over(state.note_due, self.now)
            if state is not None and state.is_open and is_due:
                self._note(key, replace(state, turn=state.turn + 1, note_due=None, at=self.now))

    def _note(self, key: str, state: GroupState) -> None:
        self.groups[key] = state
        note = note_on_clock(self.destination, lane_of(self.spec), key, state)
        if note is not None:
            self.owed.append(note)

    def tell_summary(self, sample: bool, keys: Iterable[str]) -> None:
        """Opens, updates or resolves the summary of what waits; `keys` are those of the groups that open next, in order."""
        if (deferred := self.admission.deferred) is None:
            return
        held = held_for(deferred, sample)
        waiting = ((key, self._find_group(key)) for key in keys)
        named = [(key, state) for key, state in waiting if state is not None and state.is_held][:NAMED]
        state = self._find_group(held.summary) if held.summary is not None else None
        summary = held.summary or ""
        if state is None:
            held = self._open_summary(replace(held, summary=None), named)
        elif not held.groups:
            self._note(summary, replace(_counting(state, held, named), is_open=False, turn=state.turn + 1, at=self.now))
            held = replace(held, summary=None, note_due=None)
        elif held.note_due is not None and is_over(held.note_due, self.now):
            self._note(summary, replace(_counting(state, held, named), turn=state.turn + 1, at=self.now))
            held = replace(held, note_due=None)
        self.admission = replace(self.admission, deferred=with_held(deferred, held))

    def _open_summary(self, held: HeldGroups, named: Sequence[tuple[str, GroupState]]) -> HeldGroups:
        """Opens a summary of what waits, if there is room for one; returns what is held, with its key."""
        limit = self.spec.limit if self.spec is not None else None
        words = named[0][1].waiting if named else None
        if limit is None or words is None:
            return held
        audience = audience_of(words, lane_of(self.spec))
        if not self._reserve_opening(audience, named[0][1].severity, beyond=True):
            return held
        by = (("limit", f"{limit.most} openings in {written(limit.window)}"),)
        state = empty_group(by, held_key_for(audience), self.now, limited=True)
        start = self.now.isoformat()
        key = group_key(words.stream, self.destination, held_key_for(audience), words.key, words.turn, start)
        self.open_waiting(key, _counting(state, held, named))
        return replace(held, summary=key, note_due=None)


def _counting(state: GroupState, held: HeldGroups, named: Sequence[tuple[str, GroupState]]) -> GroupState:
    """A summary that counts and names what waits by now, in the words of the gravest; none where nothing waits."""
    group = replace(
        state.group,
        total=held.total,
        standing=held.standing,
        named=tuple(named_group(key, one) for key, one in named),
        groups=held.groups,
    )
    if not named:
        return replace(state, group=group)
    (_, gravest) = named[0]
    return replace(
        state,
        group=group,
        severity=gravest.severity,
        severity_written=gravest.severity_written,
        respond_by=min(filter(None, (one.respond_by for _, one in named)), default=None),
        waiting=gravest.waiting,
    )
