"""The notices that the last change of an admission state decided: its worker may not have owed them yet. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from router.domain.deliveries import Delivery
from router.domain.groups import AdmissionState, AggregationState
from router.domain.rulebook import DestinationSpec
from router.grouping.group_notices import delivery_of, lane_of, note_on_clock, opening_of_waiting
from router.grouping.grouping_keys import MemberTurn


def deliveries_decided_before(member_turns: Sequence[MemberTurn], states: AggregationState) -> list[Delivery]:
    """The notices of groups that were decided when some turns were applied, as the states of their members have them."""
    known = [(one, states.members.get(one.notice.key)) for one in member_turns]
    return [
        delivery_of(one, member.group, states.groups[member.group], member.group_turn)
        for one, member in known
        if member is not None and member.turn == one.turn.number and member.group_turn is not None
        if member.group in states.groups
    ]


def openings_admitted_before(
    destination: str, admission: AdmissionState, states: AggregationState, spec: DestinationSpec | None
) -> list[Delivery]:
    """The opening notices of the waiting groups that the last change of an admission state opened."""
    known = ((key, states.groups.get(key)) for key in admission.admitted)
    openings = (opening_of_waiting(destination, lane_of(spec), key, state) for key, state in known if state is not None)
    return [opening for opening in openings if opening is not None]


def notes_decided_before(
    destination: str, admission: AdmissionState, states: AggregationState, spec: DestinationSpec | None
) -> list[Delivery]:
    """What the last change of an admission state told on the clock of groups that were open."""
    noted = admission.deferred.noted if admission.deferred is not None else ()
    known = ((key, states.groups.get(key)) for key in noted)
    notes = (note_on_clock(destination, lane_of(spec), key, state) for key, state in known if state is not None)
    return [note for note in notes if note is not None]
