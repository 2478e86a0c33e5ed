"""How many groups a limit holds back where groups last, and when their destination is told of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from router.domain.clocks import is_possible
from router.domain.groups import AdmissionState, Deferred, GroupState, HeldGroups
from router.domain.rulebook import DestinationSpec, Lane
from router.grouping.limits import Audience, has_room, has_room_beyond, recent

APART = timedelta(hours=1)
"""How long after a change its destination is told of it, with all that changed until then: a ticket gets a note an hour."""


def is_over(instant: datetime, now: datetime) -> bool:
    """Whether an instant has come at which something is to be told; one that a wrong clock set has."""
    return instant <= now or not is_possible(instant, now, APART)


def earliest(*instants: datetime | None) -> datetime | None:
    """The earliest of some instants, if there is any."""
    return min((one for one in instants if one is not None), default=None)


def held_for(deferred: Deferred, sample: bool) -> HeldGroups:
    """What is held of samples, or of what is real."""
    return next((one for one in deferred.held if one.sample == sample), HeldGroups(sample=sample))


def with_held(deferred: Deferred, held: HeldGroups) -> Deferred:
    """The same with other counts for one audience; those that say nothing any more are left out."""
    others = tuple(one for one in deferred.held if one.sample != held.sample)
    return replace(deferred, held=(*others, held) if held.groups or held.summary is not None else others)


def recounted(
    deferred: Deferred, before: Mapping[str, GroupState], after: Mapping[str, GroupState], now: datetime
) -> Deferred:
    """What is deferred once some groups have changed, as far as they wait or waited for their turn."""
    for key, state in after.items():
        was = before.get(key)
        for one in _samples_in(was, state):
            deferred = with_held(deferred, _changed(held_for(deferred, one), was, state, now))
    return deferred


def _changed(held: HeldGroups, was: GroupState | None, state: GroupState, now: datetime) -> HeldGroups:
    groups_before, standing_before, total_before = _counts_of(was, held.sample)
    groups, standing, total = _counts_of(state, held.sample)
    if (groups_before, standing_before, total_before) == (groups, standing, total):
        return held
    return replace(
        held,
        groups=max(held.groups + groups - groups_before, 0),
        standing=max(held.standing + standing - standing_before, 0),
        total=held.total + max(total - total_before, 0),
        note_due=(held.note_due or now + APART) if held.summary is not None else None,
    )


def _samples_in(*states: GroupState | None) -> set[bool]:
    return {one.waiting.sample for one in states if one is not None and one.is_held and one.waiting is not None}


def _counts_of(state: GroupState | None, sample: bool) -> tuple[int, int, int]:
    """How much a group adds to what waits: groups, those who stand in it, and those who ever joined it."""
    if state is None or sample not in _samples_in(state):
        return 0, 0, 0
    return 1, state.group.standing, state.group.total


def has_work(admission: AdmissionState, spec: DestinationSpec | None, now: datetime) -> bool:
    """Whether anything may be due on the clock at a destination; whoever tells it walks the states of all its groups."""
    deferred = admission.deferred
    if deferred is None:
        return spec is None or spec.is_lasting
    if deferred.due is not None and is_over(deferred.due, now):
        return True
    return any(
        _is_summary_due(one, admission, spec, now) or room_for(one.sample, admission, spec, now)
        for one in deferred.held
    )


def room_for(sample: bool, admission: AdmissionState, spec: DestinationSpec | None, now: datetime) -> int:
    """How many of the groups that wait may open now."""
    held = held_for(admission.deferred or Deferred(), sample)
    limit = spec.limit if spec is not None else None
    if limit is None or not held.groups:
        return held.groups
    audience = Audience(None, sample)
    openings = recent(admission.openings, limit, now)
    if not has_room(openings, audience, limit):
        return 0
    opened = sum((one.pager, one.sample, one.beyond) == (None, sample, False) for one in openings)
    return min(held.groups, limit.most - opened)


def summaries_due(admission: AdmissionState, spec: DestinationSpec | None, now: datetime) -> Iterator[bool]:
    """Of which audiences a summary is to open, to be updated or to be resolved: of samples, or of what is real."""
    held = admission.deferred.held if admission.deferred is not None else ()
    yield from (one.sample for one in held if _is_summary_due(one, admission, spec, now))


def _is_summary_due(held: HeldGroups, admission: AdmissionState, spec: DestinationSpec | None, now: datetime) -> bool:
    if held.summary is not None:
        return not held.groups or (held.note_due is not None and is_over(held.note_due, now))
    limit = spec.limit if spec is not None else None
    if limit is None or not held.groups:
        return False
    openings = recent(admission.openings, limit, now)
    return has_room_beyond(openings, Audience(None, held.sample), limit, Lane.TICKET, None)
