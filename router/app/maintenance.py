"""Sweeps one stream every minute: does what no trigger would ever do again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from router.app.destination_readiness import Unready, given_up_until
from router.app.rule_watch import RuleWatch
from router.deliver.destination_holds import HoldReader
from router.domain.clocks import is_recent
from router.domain.destination_holds import DestinationHold
from router.domain.errors import StoreError
from router.domain.notices import RecordEntry
from router.domain.rulebook import Rulebook
from router.ingest.gaps import GapFiller, GapReport
from router.ingest.intake import Intake, fault_of, release_held
from router.ingest.silent_sources import SilentSources, SourceReport
from router.ingest.snapshot_ends import SnapshotEnds
from router.store.dead_letters import abandon_deliveries, give_up_deliveries
from router.store.delivery_status import list_backlogs
from router.store.destinations import list_pauses, pauses_among
from router.store.forgetting import forget
from router.store.partitions import find_last_sweep, write_sweep_end
from router.store.quarantine import count_damaged_rows
from router.store.retention import ClockWitness, Retention, forgets_by, witness_after
from router.store.sources import count_silent
from router.store.store import Store, Transaction
from router.telemetry.metrics import Swept

FORGETTING = 50
"""Steps of forgetting that one sweep takes, each of a hundred rows: that keeps up with millions a day."""

REST = timedelta(hours=1)
"""How long nothing is forgotten after nothing more was old enough."""

ROLLOUT = timedelta(minutes=15)
"""How long instances with older rules may run, which do not know a destination that newer ones deliver to."""


@dataclass
class Sweeper:
    """Sweeps one stream; raises StoreError. Safe to repeat, and to break off anywhere.

    `named` are the destinations that the policy names, and `unready` those of them that cannot be asked. `holds` are those that
    the workers of this process know, and `sources` watches what coverage.yaml expects to be heard of in this stream.
    """

    store: Store
    rulebook: Rulebook
    intake: Intake
    gap_filler: GapFiller
    named: Collection[str]
    retention: Retention
    unready: Sequence[Unready] = ()
    holds: HoldReader | None = None
    sources: SilentSources | None = None
    _forgot_all: datetime | None = None

    def __post_init__(self) -> None:
        self._ends = SnapshotEnds(self.intake, self.store, self.rulebook)
        self._watch = RuleWatch(self.store, self.rulebook)
        self._stream = self.rulebook.stream.value
        self._holds = self.holds or HoldReader(self.store)

    async def sweep(self, now: datetime) -> tuple[Swept, list[RecordEntry]]:
        """Fill gaps, notify owners, release what was held, end findings, look for silence, forget; return what that did.

        Every step is done, also after one that failed; the first error is raised in the end.
        """
        steps = _Steps()
        await steps.do(self.store.notice_restore(), None)
        report = await steps.do(self.gap_filler.fill_gaps(now), GapReport())
        await steps.do(self.intake.admit_waiting(self.rulebook.stream, now), 0)
        await steps.do(self._give_up(now), None)
        # What a rule held is told with its end, so that comes before it is released.
        await steps.do(self._watch.notify(now), 0)
        released = await steps.do(release_held(self.intake, self.store, self.rulebook, now), [])
        # Only as far as the hub is known to be taken in.
        until, silence, ended = report.find_taken_until(), SourceReport(), list[RecordEntry]()
        if until is not None:
            ended = await steps.do(self._ends.end_unseen(until, now), ended)
        if self.sources is not None:
            silence = await steps.do(self.sources.look(until, now), silence)
        await steps.do(self._forget(now), None)
        steps.raise_fault()
        await self.store.run(lambda tx: write_sweep_end(tx, self._stream, now))
        async with self.store.session() as tx:
            backlogs, pauses = await list_backlogs(tx, self._stream), await list_pauses(tx, self._stream)
            damaged = await count_damaged_rows(tx, self._stream)
            watches = self.sources is not None and self.sources.is_expected
            silent = await count_silent(tx) if watches else None
        silences = await self.intake.silences.silences(self._stream, now)
        swept = Swept(
            stream=self._stream,
            at=now,
            taken=len(report.entries),
            lost=tuple(report.losses),
            lag=report.lag,
            released=len(released),
            ended=len(ended),
            backlog=backlogs,
            paused=pauses_among(pauses),
            held=await self._holds.held_in(self._stream, now),
            holding={rule.name: rule.expires for rule in self.rulebook.suppressions.active(now)},
            silences=[one.end for one in silences.active(now)],
            silent=silent,
            set_aside=damaged,
            warnings=(*report.warnings, *silence.warnings),
        )
        return swept, [*released, *ended, *silence.entries, *report.entries]

    async def _give_up(self, now: datetime) -> None:
        """Gives up on what has nowhere left to go."""
        held = await self._holds.held_in(self._stream, now)
        named, since = {self._stream: self.named}, now - ROLLOUT
        await give_up_undeliverable(self.store, named, self.unready, {self._stream: held}, now, since)

    async def _forget(self, now: datetime) -> None:
        """Takes away some of what is old enough; what is left is taken by the next sweeps."""
        if self._forgot_all is not None and is_recent(self._forgot_all, now, REST):
            return
        by = await find_instant_to_forget_by(self.store, now)
        if by is None:
            return
        forgotten = await forget(self.store, by, self.retention, FORGETTING)
        self._forgot_all = now if forgotten.is_done else None


async def give_up_undeliverable(
    store: Store,
    named: Mapping[str, Collection[str]],
    unready: Sequence[Unready],
    held: Mapping[str, Mapping[str, DestinationHold]],
    now: datetime,
    unnamed_since: datetime,
) -> None:
    """Gives up on what has nowhere left to go.

    `named` gives for each stream the destinations that its policy names: what was owed to any other one until `unnamed_since`
    is dead. So is what the `unready` ones were owed for as long as their lane lets anything live. Nothing dies where a person
    holds a destination: `held` gives those of each stream. A step that fails keeps no other from being done; what the first of
    them raised, a StoreError, is raised in the end.
    """
    steps = _Steps()
    for stream, destinations in named.items():
        known = {*destinations, *held.get(stream, {})}
        abandon = partial(abandon_deliveries, stream=stream, named=known, born_before=unnamed_since, now=now)
        await steps.do(_all_of(store, abandon), None)
    for one in unready:
        if one.destination not in held.get(one.stream, {}):
            stream, name, until = one.stream, one.destination, given_up_until(one, now)
            give_up = partial(
                give_up_deliveries, stream=stream, destination=name, born_until=until, error=one.error, now=now
            )
            await steps.do(_all_of(store, give_up), None)
    steps.raise_fault()


async def _all_of(store: Store, give_up: Callable[[Transaction], Awaitable[int]]) -> None:
    """Gives up on all that a step gives up on some of."""
    while await store.run(give_up):
        pass


class _Steps:
    """Steps of which each is done, also after one that failed."""

    def __init__(self) -> None:
        self._fault: StoreError | None = None

    async def do[T](self, step: Awaitable[T], otherwise: T) -> T:
        """What a step returns, or something else where the state fails, or where the step has a fault of ours."""
        try:
            found = await fault_of(step)
            if not isinstance(found, Exception):
                return found
            raise StoreError(f"sweep: a step failed with {type(found).__name__}") from found
        except StoreError as fault:
            self._fault = self._fault or fault
            return otherwise

    def raise_fault(self) -> None:
        """Raises the error of the first step that failed."""
        if self._fault is not None:
            raise self._fault


TRUSTED, SEEN = "forgetting", "forgetting.seen"
"""The names under which the state keeps what is known of the clocks."""


async def find_instant_to_forget_by(store: Store, now: datetime) -> datetime | None:
    """Return the instant by which the state may be forgotten; None while no clock is confirmed. Raises StoreError."""

    async def find(tx: Transaction) -> datetime | None:
        before = ClockWitness(*[await find_last_sweep(tx, name) for name in (TRUSTED, SEEN)])
        witness = witness_after(before, now)
        for name, known, is_known in zip((TRUSTED, SEEN), witness, before, strict=True):
            if known is not None and known != is_known:
                await write_sweep_end(tx, name, known)
        return forgets_by(witness, now)

    return await store.run(find)
