"""What changes where groups last as long as one of their members stands: tickets of findings. Pure.

A ticket is opened with the first of its members and resolved with the last of them, at once. Everything else is told on a
clock: what changed in a group is told an hour after the first of the changes, with all that changed until then, so that a
snapshot that comes in makes one note of it. What a limit has no room for waits: each group opens when it is its turn, the
gravest first, and one summary counts meanwhile what waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import replace
from dataclasses import dataclass, field

from router.domain.clocks import is_possible
from router.domain.decisions import Change
from router.domain.keys import group_key
from router.ingest.grouping.aggregation import APART, Aggregation
from router.ingest.grouping.group_notices import NAMED, named_group, words_of
from router.ingest.grouping.grouping_keys import (
    MemberTurn,
    grouping_key_for,
    held_key_for,
)
from router.ingest.grouping.limits import Audience
from router.store.groups import GroupState, WaitingCount, Waits


@dataclass(slots=True)
class LastingAggregation(Aggregation):
    """The groups of such a destination while turns are applied to them.

    Attributes:
        opening: the keys of the groups that were created and for which there is room.
    """

    opening: set[str] = field(default_factory=set)

    def _group_for(self, member_turn: MemberTurn) -> str:
        """The key of the group of its values that stands, else of one that it opens, now or when it is its turn."""
        key = self.find_in_window(grouping_key_for(member_turn, self.grouping))
        if key is not None and (state := self.states.groups[key]).group.standing:
            # The policy may have had windows that end.
            self.put(key, replace(state, until=None))
            return key
        key = self.create_group(member_turn, None)
        waits = self.room.limit is not None and member_turn.audience.sample in self.held
        if not waits and self.room.take(member_turn.audience, member_turn.notice.severity):
            self.opening.add(key)
        return key

    def _settle(self, key: str, member_turns: Sequence[MemberTurn]) -> None:
        """Notifies of a group that opens or is over; what changed in it otherwise is told later."""
        state = self.states.groups[key]
        if not state.group.standing:
            if state.is_open:
                self.notify(key, Change.RESOLVED, member_turns)
            return
        due = (state.note_due or self.now + APART) if state.is_open else None
        self.put(key, replace(state, words=words_of(state, member_turns), note_due=due))
        if key in self.opening:
            self.notify(key, Change.OPENED, member_turns)


def tell_due(groups: Aggregation) -> int:
    """Opens what waits as far as there is room, and tells the notes that are due; returns how many groups it opened."""
    groups.open_waiting()
    opened = 0
    for sample in (False, True):
        for key in groups.waiting(Waits.TURN, sample=sample):
            if not groups.open_if_room(key):
                break
            opened += 1
    summaries = {groups.find_in_window(held_key_for(sample)) for sample in (False, True)}
    for key, state in list(groups.states.groups.items()):
        if key not in summaries and state.is_open and _is_due(groups, state):
            groups.tell(key, replace(state, turn=state.turn + 1, note_due=None, at=groups.now), Change.UPDATED)
    groups.note_held()
    return opened


def is_summary_due(groups: Aggregation, sample: bool) -> bool:
    """Whether the summary of what waits is to open, to be updated or to be resolved."""
    key, waiting = groups.find_in_window(held_key_for(sample)), groups.waiting(Waits.TURN, sample=sample)
    if key is not None:
        return not waiting or _is_due(groups, groups.states.groups[key])
    if not waiting or groups.states.groups[waiting[0]].words is None:
        return False
    return groups.room.take(Audience(None, sample), groups.states.groups[waiting[0]].severity, beyond=True)


def tell_summary(groups: Aggregation, sample: bool, held: WaitingCount) -> None:
    """Opens the summary of what waits, which is `held`, or updates it, or resolves it where nothing waits."""
    window_key = held_key_for(sample)
    key, waiting = groups.find_in_window(window_key), groups.waiting(Waits.TURN, sample=sample)[:NAMED]
    if key is None and (words := groups.states.groups[waiting[0]].words) is not None:
        key = group_key(words.stream, groups.destination, window_key, words.key, words.turn)
        group = replace(groups.limited(), **held._asdict())
        opened = GroupState(group=group, audience_key=window_key, at=groups.now, window_key=window_key, until=None)
        groups.tell(key, _naming(groups, replace(opened, turn=1, opened=1, is_open=True), waiting), Change.OPENED)
    elif key is not None:
        state = groups.states.groups[key]
        state = replace(state, turn=state.turn + 1, note_due=None, at=groups.now)
        if waiting:
            groups.tell(key, _naming(groups, state, waiting), Change.UPDATED)
        else:
            over = replace(state.group, groups=0, standing=0, named=())
            groups.tell(key, replace(state, group=over, is_open=False, window_key=None), Change.RESOLVED)


def _is_due(groups: Aggregation, state: GroupState) -> bool:
    """Whether a note is due; one is that a wrong clock put off."""
    due = state.note_due
    return due is not None and (due <= groups.now or not is_possible(due, groups.now, APART))


def _naming(groups: Aggregation, state: GroupState, waiting: Sequence[str]) -> GroupState:
    """A summary that names what opens next, in the words of the gravest."""
    named = [(key, groups.states.groups[key]) for key in waiting]
    (_, gravest) = named[0]
    return replace(
        state,
        group=replace(state.group, named=tuple(named_group(key, one) for key, one in named)),
        severity=gravest.severity,
        severity_written=gravest.severity_written,
        respond_by=min(filter(None, (one.respond_by for _, one in named)), default=None),
        words=gravest.words,
    )
