"""Sweeps one stream every minute: does what no trigger would ever do again."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Sequence
from datetime import datetime, timedelta

from router.domain.clocks import is_recent
from router.domain.errors import StoreError
from router.domain.keeping import Retention
from router.domain.notices import RecordEntry
from router.domain.ports import QueuedOutbox, Store
from router.domain.readiness import Unready, given_up_until
from router.domain.rulebook import Rulebook
from router.domain.sweeps import Swept
from router.ingest.gaps import GapFiller, GapReport
from router.ingest.held import release_held
from router.ingest.intake import Intake
from router.ingest.waiting_groups import admit_waiting_groups

PURGED = "purge"
"""The name under which the journal keeps when the state was last purged."""

PURGE = timedelta(days=1)
"""How often the state is purged; that walks everything."""


ROLLOUT = timedelta(minutes=15)
"""How long instances with older rules may run, which do not know a destination that newer ones deliver to."""


class Sweeper:
    """Sweeps one stream; raises StoreError. Safe to repeat, and to break off anywhere.

    `named` are the destinations that the policy names, and `unready` those of them that cannot be asked.
    """

    def __init__(
        self,
        store: Store,
        outbox: QueuedOutbox,
        rulebook: Rulebook,
        intake: Intake,
        gap_filler: GapFiller,
        *,
        named: Collection[str],
        unready: Sequence[Unready] = (),
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._rulebook = rulebook
        self._intake = intake
        self._gap_filler = gap_filler
        self._named = named
        self._unready = unready
        self._stream = rulebook.stream.value

    async def sweep(self, now: datetime) -> tuple[Swept, list[RecordEntry]]:
        """Fills gaps, releases what rules and limits held, points again at what is owed, and purges; returns what it did.

        Every step is done, also after one that failed; the first error is raised in the end.
        """
        steps = _Steps()
        report = await steps.do(self._gap_filler.fill_gaps(now), GapReport())
        await steps.do(admit_waiting_groups(self._intake, self._store.journal, self._rulebook.stream, now), 0)
        repointed = await steps.do(self._repoint(now), 0)
        released = await steps.do(release_held(self._intake, self._store.ledger, self._rulebook, now), [])
        await steps.do(self._purge_daily(now), None)
        steps.raise_fault()
        await self._store.journal.write_sweep_end(self._stream, now)
        swept = Swept(
            stream=self._stream,
            at=now,
            taken=len(report.entries),
            lost=tuple(report.losses),
            lag=report.lag,
            repointed=repointed,
            released=len(released),
            backlog=await self._outbox.backlog(self._stream),
            paused=await self._outbox.pauses(self._stream),
            holding={rule.name: rule.expires for rule in self._rulebook.suppressions.active(now)},
            set_aside=await self._store.quarantine.count_damaged_rows(self._stream),
            warnings=tuple(report.warnings),
        )
        return swept, [*released, *report.entries]

    async def _repoint(self, now: datetime) -> int:
        """Gives up on what has nowhere left to go, and points at what is due; returns how many pointers."""
        steps = _Steps()
        await steps.do(self._outbox.repair_times(now), 0)
        await steps.do(self._outbox.abandon(self._stream, self._named, now - ROLLOUT, now), 0)
        for one in self._unready:
            giving_up = self._outbox.give_up(one.stream, one.destination, given_up_until(one, now), one.error, now)
            await steps.do(giving_up, 0)
        repointed = await self._outbox.repoint(self._stream, now, [one.destination for one in self._unready])
        steps.raise_fault()
        return repointed

    async def _purge_daily(self, now: datetime) -> None:
        """Once a day publishes pending turns that nobody found, and purges what need not be kept."""
        journal = self._store.journal
        name = f"{PURGED}.{self._stream}"
        last = await journal.find_last_sweep(name)
        if last is not None and is_recent(last, now, PURGE):
            return
        await self._intake.publish_pending(await self._store.ledger.find_pending_rows(self._stream), now)
        await self._store.purge(now, Retention())
        await journal.write_sweep_end(name, now)


class _Steps:
    """Steps of which each is done, also after one that failed."""

    def __init__(self) -> None:
        self._fault: StoreError | None = None

    async def do[T](self, step: Awaitable[T], otherwise: T) -> T:
        """What a step returns, or something else where storage fails."""
        try:
            return await step
        except StoreError as fault:
            self._fault = self._fault or fault
            return otherwise

    def raise_fault(self) -> None:
        """Raises the error of the first step that failed."""
        if self._fault is not None:
            raise self._fault
