"""Applies turns of signals to the groups of their destinations, and owes the notices of the groups."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import batched, zip_longest

from router.domain.deliveries import Delivery
from router.domain.groups import AdmissionState, AggregationState
from router.domain.ledger import Turn
from router.domain.rulebook import DestinationSpec, Rulebook
from router.domain.signals import Stream
from router.grouping.aggregation import MOST_ADMITTED, Aggregation
from router.grouping.clock_survey import Survey
from router.grouping.group_notices import NAMED
from router.grouping.grouping_keys import MemberTurn, member_keys_for, member_turns_of, window_keys_for
from router.grouping.held_groups import APART, earliest, has_work, summaries_due
from router.grouping.lasting_groups import LastingAggregation
from router.store.deliveries import add_deliveries
from router.store.engine import Transaction
from router.store.store import Store


class Aggregator:
    """Applies turns to groups, over the states that a store has of them; raises StoreError."""

    def __init__(self, store: Store, rulebooks: Mapping[Stream, Rulebook]) -> None:
        self._store = store
        self._rulebooks = rulebooks

    async def aggregate_turns(self, tx: Transaction, turns: Sequence[Turn], now: datetime) -> list[Delivery]:
        """Lets the signals of turns join, change in or leave the groups of their destinations; returns the notices owed.

        Each turn is applied once, in the transaction that makes it.
        """
        owed: list[Delivery] = []
        for at, member_turns in sorted(_by_destination(turns).items()):
            for wave in _waves(member_turns):
                admission = await self._store.groups.lock_admission(tx, *at)
                owed += await self._change(tx, at, wave, admission, now)
        return owed

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
        async with self._store.engine.transaction() as tx:
            admission = await self._store.groups.lock_admission(tx, *at)
            if not admission.waiting:
                return 0
            owed = await self._change(tx, at, (), admission, now)
            await self._store.run(lambda tx: add_deliveries(tx, owed, now))
            return len(owed)

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
        is_whole = recounted == admission or await self._write_recounted(at, admission, recounted)
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
        async with self._store.engine.transaction() as tx:
            admission = await self._store.groups.lock_admission(tx, *at)
            held = admission.deferred.held if admission.deferred is not None else ()
            wanted = {*keys, *(one.summary for one in held if one.summary is not None)}
            states = await self._store.groups.read_aggregation(*at, groups=wanted)
            changed = LastingAggregation(at[1], admission, states, self._find_spec(*at), now)
            act(changed)
            change = changed.result()
            if change.deliveries or change.admission.deferred != admission.deferred:
                await self._store.groups.write_aggregation(tx, *at, change.admission, change.states)
                await self._store.run(lambda tx: add_deliveries(tx, change.deliveries, now))
            return len(change.deliveries)

    async def _write_recounted(self, at: tuple[str, str], before: AdmissionState, recounted: AdmissionState) -> bool:
        """Writes an admission state as a walk says it; False where another worker changed it meanwhile."""
        async with self._store.engine.transaction() as tx:
            is_whole = await self._store.groups.lock_admission(tx, *at) == before
            if is_whole:
                await self._store.groups.write_aggregation(tx, *at, recounted, AggregationState())
        return is_whole

    async def _change(
        self,
        tx: Transaction,
        at: tuple[str, str],
        member_turns: Sequence[MemberTurn],
        admission: AdmissionState,
        now: datetime,
    ) -> Sequence[Delivery]:
        spec = self._find_spec(*at)
        states = await self._states_for(at, member_turns, admission, spec)
        kind = LastingAggregation if spec is not None and spec.is_lasting else Aggregation
        change = kind(at[1], admission, states, spec, now).apply_all(member_turns)
        if member_turns or change.deliveries:
            await self._store.groups.write_aggregation(tx, *at, change.admission, change.states)
        return change.deliveries

    async def _states_for(
        self,
        at: tuple[str, str],
        member_turns: Sequence[MemberTurn],
        admission: AdmissionState,
        spec: DestinationSpec | None,
    ) -> AggregationState:
        """The members and windows that turns need, the groups that these name, and the groups that wait."""
        found = await self._store.groups.read_aggregation(
            *at,
            members={key for one in member_turns for key in member_keys_for(one)},
            windows={key for one in member_turns for key in window_keys_for(one, spec)},
        )
        named = {state.group for state in found.members.values()} | {state.group for state in found.windows.values()}
        keys = named.union(admission.waiting)
        groups = (await self._store.groups.read_aggregation(*at, groups=keys)).groups
        return AggregationState(found.members, groups, found.windows)

    def _find_spec(self, stream: str, destination: str) -> DestinationSpec | None:
        book = next((book for known, book in self._rulebooks.items() if known.value == stream), None)
        return book.destinations.get(destination) if book is not None else None


def _by_destination(turns: Sequence[Turn]) -> dict[tuple[str, str], list[MemberTurn]]:
    found: dict[tuple[str, str], list[MemberTurn]] = {}
    for one in (one for turn in turns for one in member_turns_of(turn)):
        found.setdefault((one.notice.stream, one.target.destination), []).append(one)
    return found


def _waves(member_turns: Sequence[MemberTurn]) -> Iterator[list[MemberTurn]]:
    """Turns in waves, each with at most one of a signal, in the order of their numbers."""
    by_signal: dict[str, list[MemberTurn]] = {}
    for one in member_turns:
        by_signal.setdefault(one.notice.key, []).append(one)
    for wave in zip_longest(*by_signal.values()):
        yield [one for one in wave if one is not None]
