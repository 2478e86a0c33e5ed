"""Applies turns of signals to the groups of their destinations, and owes the notices of the groups."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import batched

from router.domain.groups import AdmissionState, AggregationState
from router.domain.ledger import Turn
from router.domain.rulebook import DestinationSpec, Rulebook
from router.domain.signals import Stream
from router.grouping.aggregation import MOST_ADMITTED, Aggregation, AggregationChange
from router.grouping.clock_survey import Survey
from router.grouping.group_notices import NAMED
from router.grouping.grouping_keys import MemberTurn, member_keys_for, member_turns_of, window_keys_for
from router.grouping.held_groups import APART, earliest, has_work, summaries_due
from router.grouping.in_flight_notices import deliveries_decided_before, notes_decided_before, openings_admitted_before
from router.grouping.lasting_groups import LastingAggregation
from router.store.store import Store

TOGETHER = 90
"""States that are written at once."""

AT_A_TIME = 40
"""Turns that are applied at once, as long as their states are no more than `TOGETHER`."""


class Aggregator:
    """Applies turns to groups, over the states that a store has of them; raises StoreError.

    A turn may be given more than once: whoever meets a pending turn publishes it.
    """

    def __init__(self, store: Store, rulebooks: Mapping[Stream, Rulebook]) -> None:
        self._store = store
        self._rulebooks = rulebooks

    async def aggregate_turns(self, turns: Sequence[Turn], now: datetime) -> None:
        """Lets the signals of turns join, change in or leave the groups of their destinations, and owes the notices."""
        for destination, member_turns in _by_destination(turns).items():
            for start in range(0, len(member_turns), AT_A_TIME):
                await self._apply(destination, member_turns[start : start + AT_A_TIME], now)

    async def admit_waiting(self, stream: Stream, now: datetime) -> int:
        """Opens the groups of a stream that waited and for which limits have room by now, and tells what is due on the clock.

        Where the policy names their destination no longer, they open at once: the dead letter says so. Returns of how many
        groups it told.
        """
        grouped = await self._store.groups.find_grouped_destinations(stream.value)
        destinations = dict.fromkeys((*self._rulebooks[stream].destinations, *sorted(grouped)))
        return sum([await self._admit_at((stream.value, destination), now) for destination in destinations])

    async def _admit_at(self, at: tuple[str, str], now: datetime) -> int:
        count = 0
        while told := await self._admit_some(at, now):
            count += told
        return count + await self._tell_deferred(at, await self._store.groups.read_admission(*at), now)

    async def _admit_some(self, at: tuple[str, str], now: datetime) -> int:
        """Opens some of the groups that waited for room; returns how many."""
        async with self._store.atomically():
            admission = await self._store.groups.read_admission(*at)
            if not admission.waiting and not admission.admitted:
                return 0
            await self._owe_last_change(at, admission, now)
            change = await self._change_for(at, (), admission, now)
            if not change.deliveries and not admission.admitted:
                return 0
            if await self._store.groups.write_aggregation(*at, change.admission, change.states):
                await self._store.outbox.put_in_outbox(change.deliveries, now)
            return len(change.deliveries)

    async def _tell_deferred(self, at: tuple[str, str], admission: AdmissionState, now: datetime) -> int:
        """Tells a destination what is due on the clock; returns of how many groups."""
        count = 0
        while has_work(admission, self._find_spec(*at), now):
            told = await self._tell_round(at, admission, now)
            if not told:
                break
            count += told
            admission = await self._store.groups.read_admission(*at)
        return count

    async def _tell_round(self, at: tuple[str, str], admission: AdmissionState, now: datetime) -> int:
        """Walks the groups of a destination once, and tells what is due; returns of how many groups."""
        spec = self._find_spec(*at)
        survey = Survey(admission, spec, now)
        async for key, state in self._store.groups.standing_groups(*at):
            survey.add(key, state)
        recounted = survey.recounted()
        is_whole = recounted == admission or await self._store.groups.write_aggregation(
            *at, recounted, AggregationState()
        )
        if not is_whole and admission.deferred is None:
            return 0  # Somebody took a turn in meanwhile: the next sweep counts again.
        count, to_open = 0, survey.to_open()
        for some in batched(to_open, MOST_ADMITTED, strict=False):
            count += await self._change_on_clock(at, some, partial(LastingAggregation.open_held, keys=some), now)
        for some in batched(survey.notes, MOST_ADMITTED, strict=False):
            count += await self._change_on_clock(at, some, partial(LastingAggregation.tell_notes, keys=some), now)
        opened = set(to_open)
        for sample in summaries_due(await self._store.groups.read_admission(*at), spec, now):
            named = [key for key in survey.gravest(sample) if key not in opened][:NAMED]
            tell = partial(LastingAggregation.tell_summary, sample=sample, keys=named)
            count += await self._change_on_clock(at, named, tell, now)
        if survey.notes or not is_whole:
            # What changed since the walk began is due an hour after that, or later.
            wait = partial(LastingAggregation.defer_until, due=earliest(survey.next_due, now + APART))
            await self._change_on_clock(at, (), wait, now)
        return count

    async def _change_on_clock(
        self, at: tuple[str, str], keys: Collection[str], act: Callable[[LastingAggregation], None], now: datetime
    ) -> int:
        """Changes some groups without a turn, and the summaries; returns of how many it told."""
        while True:
            async with self._store.atomically():
                admission = await self._store.groups.read_admission(*at)
                await self._owe_last_change(at, admission, now)
                held = admission.deferred.held if admission.deferred is not None else ()
                wanted = {*keys, *(one.summary for one in held if one.summary is not None)}
                states = await self._store.groups.read_aggregation(*at, groups=wanted)
                changed = LastingAggregation(at[1], admission, states, self._find_spec(*at), now)
                act(changed)
                change = changed.result()
                if not change.deliveries and change.admission.deferred == admission.deferred:
                    return 0
                if await self._store.groups.write_aggregation(*at, change.admission, change.states):
                    await self._store.outbox.put_in_outbox(change.deliveries, now)
                    return len(change.deliveries)

    async def _apply(self, at: tuple[str, str], member_turns: Sequence[MemberTurn], now: datetime) -> None:
        while True:
            admission = await self._store.groups.read_admission(*at)
            await self._owe_last_change(at, admission, now)
            change = await self._change_for(at, member_turns, admission, now)
            if len(change.states) > TOGETHER and len(member_turns) > 1:
                half = len(member_turns) // 2
                await self._apply(at, member_turns[:half], now)
                member_turns = member_turns[half:]
            elif await self._store.groups.write_aggregation(*at, change.admission, change.states):
                await self._store.outbox.put_in_outbox(change.deliveries, now)
                return

    async def _change_for(
        self, at: tuple[str, str], member_turns: Sequence[MemberTurn], admission: AdmissionState, now: datetime
    ) -> AggregationChange:
        spec = self._find_spec(*at)
        states = await self._states_for(at, member_turns, admission, spec)
        kind = LastingAggregation if spec is not None and spec.is_lasting else Aggregation
        return kind(at[1], admission, states, spec, now).apply_all(member_turns)

    async def _states_for(
        self,
        at: tuple[str, str],
        member_turns: Sequence[MemberTurn],
        admission: AdmissionState,
        spec: DestinationSpec | None,
    ) -> AggregationState:
        """The members and windows that turns need, the groups that these name, and the groups that wait or were admitted."""
        found = await self._store.groups.read_aggregation(
            *at,
            members={key for one in member_turns for key in member_keys_for(one)},
            windows={key for one in member_turns for key in window_keys_for(one, spec)},
        )
        named = {state.group for state in found.members.values()} | {state.group for state in found.windows.values()}
        noted = admission.deferred.noted if admission.deferred is not None else ()
        keys = named.union(admission.waiting, admission.admitted, noted)
        groups = (await self._store.groups.read_aggregation(*at, groups=keys)).groups
        return AggregationState(found.members, groups, found.windows)

    async def _owe_last_change(self, at: tuple[str, str], admission: AdmissionState, now: datetime) -> None:
        """Owes the notices of the last change again, since its worker may not have owed them yet, or has died.

        A group's notices are owed in the order of its turns. So this is done before the admission state changes again,
        which then no longer names the signals of the last change.
        """
        rows = await self._store.ledger.find_rows(admission.in_flight)
        pending = [row.pending for row in rows.values() if row.pending is not None]
        member_turns = _by_destination(pending).get(at, [])
        noted = admission.deferred.noted if admission.deferred is not None else ()
        if member_turns or admission.admitted or noted:
            spec = self._find_spec(*at)
            states = await self._states_for(at, member_turns, admission, spec)
            openings = openings_admitted_before(at[1], admission, states, spec)
            notes = notes_decided_before(at[1], admission, states, spec)
            decided = deliveries_decided_before(member_turns, states)
            await self._store.outbox.put_in_outbox([*openings, *notes, *decided], now)

    def _find_spec(self, stream: str, destination: str) -> DestinationSpec | None:
        book = next((book for known, book in self._rulebooks.items() if known.value == stream), None)
        return book.destinations.get(destination) if book is not None else None


def _by_destination(turns: Sequence[Turn]) -> dict[tuple[str, str], list[MemberTurn]]:
    found: dict[tuple[str, str], list[MemberTurn]] = {}
    for one in (one for turn in turns for one in member_turns_of(turn)):
        found.setdefault((one.notice.stream, one.target.destination), []).append(one)
    return found
