"""The work of `run` and of `demo`: messages in, decisions written, deliveries made, until nothing is due now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

from router.app.connections import open_state
from router.app.delivery import Dispatcher, open_dispatcher
from router.app.destination_readiness import Readiness, readiness_of, remarks_on
from router.app.destination_states import read_backlogs
from router.app.maintenance import find_instant_to_forget_by
from router.app.rule_watch import RuleWatch
from router.app.rules import Rules, new_intake
from router.app.settings import Clock, Settings
from router.cli.decisions import DecisionsFile, decisions_at
from router.cli.funnel import Counts, Standing, Tally, standings_in
from router.cli.incoming import WAIT, Source, Stdin, batches_of
from router.cli.screen import progress_over
from router.cli.stopping import Stop
from router.cli.streams import complain
from router.domain.deliveries import OPEN
from router.domain.errors import RouterError
from router.domain.notices import RecordEntry
from router.domain.signals import Stream
from router.domain.values import Value
from router.ingest.intake import release_held
from router.ingest.messages import Message
from router.ingest.snapshot_ends import SnapshotEnds
from router.store.claims import release_claims
from router.store.conninfo import PostgresqlAddress
from router.store.delivery_status import NEVER, count_deliveries
from router.store.forgetting import STEP, forget
from router.store.quarantine import count_damaged_rows
from router.store.retention import Retention
from router.store.store import Store

LOOK = 60.0
"""Seconds after which a run that waits for input looks again whether a rule has ended or a limit has room."""

_AGAIN = 1.0
"""Seconds after which a job that goes on looks again."""

LEAST_FORGOTTEN = 100_000
"""Decisions and signals that a job forgets at least, where so many are old enough: some seconds' worth."""

AT_ONCE = 20
"""Steps of forgetting between which Ctrl-C is heard."""


class Job(Value, kw_only=True):
    """What one run of the command line works with.

    Attributes:
        only: the one stream that is routed, where only one is.
        clock: tells the time; None for the state's own clock.
        patience: how long to wait for deliveries that are due again soon; zero ends them when nothing is due now.
    """

    rules: Rules
    only: Stream | None
    state: Path | PostgresqlAddress
    decisions: Path | None
    settings: Settings
    clock: Clock | None
    patience: timedelta = timedelta()


class Report(Value, kw_only=True):
    """The result of a job.

    Attributes:
        tally: counts of the messages that it took in.
        released: counts of the signals that a rule had held and no longer holds.
        ended: counts of the findings that ended because two snapshots came without them.
        set_aside: how many damaged rows of the state are in quarantine; `fresh` of them this job found.
        is_hindered: whether a setting is missing that was there before, or that nothing works without.
        authors: whose the silences are that are not long over, by their names on record.
    """

    tally: Tally
    released: Tally
    ended: Tally
    standings: Sequence[Standing]
    set_aside: int
    fresh: int
    made: datetime
    is_hindered: bool
    authors: Mapping[str, str]

    @property
    def died(self) -> bool:
        """Whether a delivery was given up on, or a row of the state set aside, which may have been one."""
        return self.fresh > 0 or any(one.died for one in self.standings)


class Work:
    """A job at work: takes messages in, delivers, and reports. `at_work` makes it; `store` is the state."""

    def __init__(
        self,
        job: Job,
        store: Store,
        dispatcher: Dispatcher,
        decisions: DecisionsFile | None,
        stop: Stop,
        readiness: Readiness,
        retention: Retention,
        clock: Clock,
    ) -> None:
        self._job, self.store, self._dispatcher, self._decisions = job, store, dispatcher, decisions
        self._stop, self._readiness, self._retention = stop, readiness, retention
        self._clock, self._began = clock, clock()
        self._before: Mapping[Stream, Counts] = {}
        self._set_aside, self._is_hindered = 0, False
        self._intake = new_intake(store, job.rules, job.only)
        self._watches = {stream: RuleWatch(store, book) for stream, book in job.rules.books.items()}
        self._tally, self._released, self._ended = Tally(), Tally(), Tally()

    async def begin(self) -> None:
        """Say on stderr which destinations cannot be asked, and give back what an earlier job that was killed had claimed.

        What a rule held is told with its end, and messages that come in from now on may end it: owners hear of ends first.
        """
        async with self.store.session() as tx:
            self._before = {stream: await count_deliveries(tx, stream, self._began) for stream in Stream}
        self._set_aside = await self._count_set_aside()
        remarks = await remarks_on(self.store, self._readiness.unready)
        self._is_hindered = bool(self._readiness.problems) or any(one.is_problem for one in remarks)
        for line in [*self._readiness.problems, *(one.text for one in remarks)]:
            complain(line)
        if not self.store.is_shared:
            await self.store.run(release_claims)
        for watch in self._watches.values():
            await watch.notify(self._clock())

    async def take_in(self, sources: Sequence[Source]) -> None:
        """Take in what sources hold, up to the stop. Where a source comes bit by bit, deliver meanwhile. Raises BadFile."""
        is_awaited = any(isinstance(source, Stdin) for source in sources)
        with progress_over(None if is_awaited else sum(source.size for source in sources)) as advance:
            async with self._delivering() if is_awaited else nullcontext() as more:
                async for batch in batches_in(sources, self._stop):
                    await self.take(batch)
                    if more is not None:
                        more()
                    advance(sum(len(message.body) for message in batch))

    async def take(self, batch: Sequence[Message]) -> None:
        """Take one batch in; raises BadFile and StoreError."""
        self._count(self._tally, await self._intake.ingest(batch, self._clock()))

    def _count(self, tally: Tally, entries: Sequence[RecordEntry]) -> None:
        tally.add(entries)
        if self._decisions is not None:
            self._decisions.write(entries)

    @asynccontextmanager
    async def _delivering(self) -> AsyncIterator[Callable[[], None]]:
        """A context in which deliveries that are due are sent; it gives a function to call when more may be due."""
        more, is_over = asyncio.Event(), False

        async def deliver() -> None:
            while not (is_over or self._stop.is_asked):
                more.clear()
                # Rules end and limits have room while nothing comes in, too.
                await self.release()
                await self._dispatcher.deliver_due()
                due = min(await self._dues(), default=None)
                wait = max((due - self._clock()).total_seconds(), WAIT) if due is not None else LOOK
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(wait, LOOK)):
                        await more.wait()

        def notice() -> None:
            if delivering.done():
                delivering.result()
            more.set()

        delivering = asyncio.create_task(deliver())
        try:
            yield notice
            is_over = True
            more.set()
            await delivering
        except RouterError:
            # What is on its way is finished, else people are told again what they were told.
            self._dispatcher.end()
            is_over = True
            more.set()
            await asyncio.gather(delivering, return_exceptions=True)
            raise
        finally:
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)

    async def release(self) -> None:
        """Notify owners of what ended, decide again what that held, and open groups that waited for room under a limit."""
        now = self._clock
        for stream, book in self._job.rules.books.items():
            if not self._stop.is_asked:
                await self._watches[stream].notify(now())
                entries = await release_held(self._intake, self.store, book, now(), lambda: self._stop.is_asked)
                self._count(self._released, entries)
                await self._intake.admit_waiting(stream, now())

    async def end_unseen(self) -> None:
        """End findings that two snapshots came without, where a snapshot may be over."""
        if (book := self._job.rules.books.get(Stream.CSPM)) is not None:
            now = self._clock()
            ends = SnapshotEnds(self._intake, self.store, book, lambda: self._stop.is_asked)
            self._count(self._ended, await ends.end_unseen(now, now))

    async def deliver(self) -> None:
        """Deliver until nothing is due now, nor soon if the job has patience; after the stop only what is in flight."""
        if self._stop.is_asked:
            return
        await self._dispatcher.deliver_due()
        end = self._clock() + self._job.patience
        while not self._stop.is_asked and (now := self._clock()) < end:
            dues = [due for due in await self._dues() if due <= end]
            if not dues:
                return
            await self._stop.wait(max((min(dues) - now).total_seconds(), 0.05))
            if not self._stop.is_asked:
                await self._dispatcher.deliver_due()

    async def go_on(self) -> None:
        """Deliver what comes due, also by what others do to the state, until the work is to end; raises StoreError."""
        while not self._stop.is_asked:
            await self.release()
            await self.deliver()
            await self._stop.wait(_AGAIN)

    async def report(self) -> Report:
        """Return the result of the job. What is old enough is forgotten first."""
        standings: list[Standing] = []
        for stream in Stream:
            held = await self._dispatcher.held_in(stream)
            unready, before = self._readiness.unready, self._before[stream]
            standings += await standings_in(self.store, stream, before, self._began, unready, held)
        await self._forget()
        set_aside = await self._count_set_aside()
        silences = [await self._intake.silences.silences(stream, self._clock()) for stream in self._job.rules.books]
        return Report(
            tally=self._tally,
            released=self._released,
            ended=self._ended,
            standings=standings,
            set_aside=set_aside,
            fresh=set_aside - self._set_aside,
            made=self._clock(),
            is_hindered=self._is_hindered,
            authors={name: one.author for some in silences for name, one in some.by_name.items()},
        )

    async def _forget(self) -> None:
        """Take away what is old enough, twice as much as came in if that is more than the least; the next job goes on."""
        by, retention = await find_instant_to_forget_by(self.store, self._clock()), self._job.settings.retention
        if by is None:
            return
        for _ in range(0, max(LEAST_FORGOTTEN, 2 * self._tally.received) // STEP, AT_ONCE):
            forgotten = None if self._stop.is_asked else await forget(self.store, by, retention, AT_ONCE)
            if forgotten is None or forgotten.is_done:
                return
            # Ctrl-C is heard in between.
            await asyncio.sleep(0)

    async def end_if_asked(self) -> None:
        """Raise Interrupted, which says how many deliveries are owed, where the work was to end."""
        if self._stop.is_asked:
            async with self.store.session() as tx:
                counts = [await count_deliveries(tx, stream, NEVER) for stream in Stream]
            owed = sum(count for one in counts for (_, state), count in one.items() if state in OPEN)
            raise self._stop.interrupted(
                f"{self._tally.received} taken in, {owed} owed; the next run goes on with them"
            )

    async def _count_set_aside(self) -> int:
        async with self.store.session() as tx:
            return max([await count_damaged_rows(tx, stream) for stream in Stream])

    async def _dues(self) -> list[datetime]:
        unready, held_in = self._readiness.unready, self._dispatcher.held_in
        streams = self._job.rules.books
        dues = [await read_backlogs(self.store, stream, unready, await held_in(stream)) for stream in streams]
        return [next.due for some in dues for next in some.values() if next.due is not None]


@asynccontextmanager
async def at_work(job: Job) -> AsyncIterator[Work]:
    """A job at work, with the state to itself.

    What the settings lack is said on stderr. Raises BadSetting, StateInUse, BadFile and StoreError; and Interrupted where a
    signal asked for the end and the work ended in order.
    """
    # A setting that is wrong is told before anything is opened.
    readiness, retention = readiness_of(job.rules, job.settings), job.settings.retention
    async with AsyncExitStack() as stack:
        store = await open_state(job.state, job.settings)
        stack.push_async_callback(store.close)
        store.hold()
        clock = job.clock or store.now
        stop = stack.enter_context(Stop.heeded())
        dispatcher = await stack.enter_async_context(
            open_dispatcher(store, job.rules, readiness, job.settings, clock, lambda: stop.is_asked)
        )
        decisions = stack.enter_context(decisions_at(job.decisions)) if job.decisions is not None else None
        work = Work(job, store, dispatcher, decisions, stop, readiness, retention, clock)
        await work.begin()
        yield work
        await work.end_if_asked()


async def do(job: Job, sources: Sequence[Source]) -> Report:
    """Route what sources hold until nothing is due; raises as `at_work` does."""
    async with at_work(job) as work:
        await work.take_in(sources)
        await work.release()
        await work.end_unseen()
        await work.deliver()
        return await work.report()


def messages_in(sources: Iterable[Source]) -> Iterator[Message]:
    """Yield the messages of sources in their order."""
    return (message for source in sources for message in source.messages())


async def batches_in(sources: Iterable[Source], stop: Stop) -> AsyncIterator[list[Message]]:
    """Yield the messages of sources in their order, in batches, those of standard input as they come, up to the stop."""
    for is_awaited, some in groupby(sources, lambda source: isinstance(source, Stdin)):
        if not is_awaited:
            for batch in batches_of(messages_in(some)):
                if stop.is_asked:
                    return
                yield batch
        for source in some:
            if isinstance(source, Stdin):
                async for batch in source.batches(stop):
                    yield batch
