"""What a walk over the standing groups of a destination finds that is due on the clock. Pure.

It keeps keys, and never states: there may be tens of thousands of groups.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field, replace
from datetime import datetime

from router.domain.groups import AdmissionState, Deferred, GroupState, HeldGroups
from router.domain.rulebook import DestinationSpec
from router.domain.severity import gravity_of
from router.grouping.group_notices import NAMED
from router.grouping.grouping_keys import held_key_for
from router.grouping.held_groups import APART, earliest, held_for, is_over, room_for
from router.grouping.limits import Audience

AT_ONCE = 1000
"""Waiting groups that one walk picks; where more may open, another walk picks them."""

_SAMPLES = (False, True)


@dataclass(slots=True)
class Survey:
    """What is due at a destination.

    `notes` are the keys of the groups that owe a note by now, and `next_due` is when the next one of the others does.
    """

    admission: AdmissionState
    spec: DestinationSpec | None
    now: datetime
    notes: list[str] = field(default_factory=list)
    next_due: datetime | None = None
    _held: dict[bool, HeldGroups] = field(default_factory=dict)
    _gravest: dict[bool, list[tuple[int, float, str]]] = field(default_factory=dict)
    _summaries: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._summaries = {held_key_for(Audience(None, sample)): sample for sample in _SAMPLES}
        self._held = {sample: HeldGroups(sample=sample) for sample in _SAMPLES}
        self._gravest = {sample: [] for sample in _SAMPLES}

    def add(self, key: str, state: GroupState) -> None:
        """Counts a standing group."""
        if state.is_held and state.waiting is not None:
            sample = state.waiting.sample
            held = self._held[sample]
            group = state.group
            self._held[sample] = replace(
                held, groups=held.groups + 1, standing=held.standing + group.standing, total=held.total + group.total
            )
            _keep_gravest(self._gravest[sample], (gravity_of(state.severity), -state.at.timestamp(), key))
        elif state.is_open and state.note_due is not None:
            if is_over(state.note_due, self.now):
                self.notes.append(key)
            else:
                self.next_due = earliest(self.next_due, state.note_due)
        elif state.is_open and (sample_of := self._summaries.get(state.audience_key or "")) is not None:
            self._held[sample_of] = replace(self._held[sample_of], summary=key)

    def gravest(self, sample: bool) -> list[str]:
        """The waiting groups that open next, the gravest first, and of those the one that waits longest."""
        return [key for _, _, key in sorted(self._gravest[sample], reverse=True)]

    def to_open(self) -> list[str]:
        """Those that may open now."""
        known = self.recounted()
        return [
            key for sample in _SAMPLES for key in self.gravest(sample)[: room_for(sample, known, self.spec, self.now)]
        ]

    def recounted(self) -> AdmissionState:
        """The admission state as the groups themselves say it: right where nobody wrote it during the walk."""
        deferred = self.admission.deferred or Deferred()
        held = [self._recounted(held_for(deferred, sample)) for sample in _SAMPLES]
        due = self.now if self.notes else self.next_due
        if self.notes and deferred.due is not None and is_over(deferred.due, self.now):
            due = deferred.due
        sound = tuple(one for one in held if one.groups or one.summary is not None)
        return replace(self.admission, deferred=replace(deferred, due=due, held=sound))

    def _recounted(self, before: HeldGroups) -> HeldGroups:
        found = self._held[before.sample]
        total, note_due = max(before.total, found.total), before.note_due
        if (before.groups, before.standing) != (found.groups, found.standing):
            note_due = note_due or self.now + APART
        return replace(found, total=total, note_due=note_due if found.summary is not None else None)


def _keep_gravest(some: list[tuple[int, float, str]], one: tuple[int, float, str]) -> None:
    if len(some) < AT_ONCE + NAMED:
        heapq.heappush(some, one)
    else:
        heapq.heappushpop(some, one)
