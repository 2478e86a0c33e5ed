"""Ends the findings that two whole snapshots of their subscription came without, on a clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import batched

from router.domain.clocks import AHEAD
from router.domain.ledger import LedgerRow, Turn
from router.domain.notices import Notice, RecordEntry
from router.domain.rulebook import Lane, Rulebook
from router.domain.signals import Stream
from router.domain.snapshots import (
    AbsenceWindow,
    Appearances,
    SnapshotHistory,
    SnapshotTally,
    find_absence_window,
    instant_of,
    judged_after,
    next_closing,
    second_of,
)
from router.ingest.absences import end_signal, finding_of
from router.ingest.intake import Intake
from router.ingest.snapshot_due import SnapshotDue
from router.ingest.snapshot_histories import SnapshotHistories
from router.store import signals
from router.store.decisions import find_decisions
from router.store.delivery_status import find_last_notice
from router.store.engine import Transaction
from router.store.partitions import read_losses
from router.store.store import Store

AT_A_TIME = 100
"""Findings that end together."""

type Windows = Mapping[str, AbsenceWindow]
"""By subscription, the two snapshots by which its findings end."""


class SnapshotEnds:
    """Ends findings of the posture stream; raises StoreError. Safe to repeat, to break off anywhere, and to do at two workers.

    `is_stopped` tells whether the process is to end.
    """

    def __init__(
        self, intake: Intake, store: Store, rulebook: Rulebook, is_stopped: Callable[[], bool] = lambda: False
    ) -> None:
        self._intake = intake
        self._store = store
        self._rulebook = rulebook
        self._stream = rulebook.stream.value
        self._histories = SnapshotHistories(store)
        self._due = SnapshotDue(store, rulebook.stream)
        self._is_stopped = is_stopped

    async def end_unseen(self, until: datetime, now: datetime) -> list[RecordEntry]:
        """Judges the snapshots that are over, and ends what the last two that count came without; returns the entries.

        `until` is the hub's time up to which all was taken in. Nothing is done while no snapshot can have ended.
        """
        if self._rulebook.stream is not Stream.CSPM or not await self._due.is_due(until):
            return []
        windows, next = await self._judge(until, now)
        entries = await self._end_all(windows, until, now) if windows else []
        if not self._is_stopped():
            await self._due.note_look(until, instant_of(next) if next is not None else None)
        return entries

    async def _judge(self, until: datetime, now: datetime) -> tuple[Windows, int | None]:
        """By which snapshots findings end now, and when the next snapshot may be over."""
        histories = await self._histories.read_all()
        async with self._store.session() as tx:
            lost_at = [second_of(loss.at) for loss in await read_losses(tx, self._stream)]
        windows: dict[str, AbsenceWindow] = {}
        closings: list[int] = []
        for subscription, tally in (await self._tally(histories, until)).items():
            counts = tally.counts()
            history = await self._histories.write(
                subscription,
                lambda known, counts=counts: judged_after(known, counts, second_of(until), lost_at),  # type: ignore[misc]
            )
            if (window := find_absence_window(subscription, history, counts)) is not None:
                windows[subscription] = window
            if (closing := next_closing(counts, second_of(until))) is not None:
                closings.append(closing)
        return windows, min(closings, default=None)

    async def _tally(self, histories: Mapping[str, SnapshotHistory], until: datetime) -> Mapping[str, SnapshotTally]:
        tallies = {subscription: SnapshotTally(history.judged) for subscription, history in histories.items()}
        latest = second_of(until + AHEAD)
        async with self._store.session() as tx:
            async for some in signals.walk_appearances(tx, self._stream):
                for one in some:
                    subscription = one.appearances.subscription
                    tally = tallies.get(subscription) or tallies.setdefault(subscription, SnapshotTally())
                    tally.count(one.appearances.possible_until(latest))
                # Whatever else the process does goes on meanwhile.
                await asyncio.sleep(0)
        return tallies

    async def _end_all(self, windows: Windows, until: datetime, now: datetime) -> list[RecordEntry]:
        entries: list[RecordEntry] = []
        latest = second_of(until + AHEAD)
        async with self._store.session() as tx:
            async for some in signals.walk_appearances(tx, self._stream):
                unseen = [
                    one.key
                    for one in some
                    if not one.resolved and find_window(windows, one.appearances, latest) is not None
                ]
                for keys in batched(unseen, AT_A_TIME, strict=False):
                    if self._is_stopped():
                        return entries
                    entries += await self._store.run(partial(self._end_some, keys, windows, until, now))
                await asyncio.sleep(0)
        for subscription, window in windows.items():
            await self._histories.write(subscription, lambda known, end=window.later.last: replace(known, ended=end))  # type: ignore[misc]
        return entries

    async def _end_some(
        self, keys: Sequence[str], windows: Windows, until: datetime, now: datetime, tx: Transaction
    ) -> list[RecordEntry]:
        """Ends those of some findings that are still unseen, and returns their entries."""
        latest = second_of(until + AHEAD)
        rows = await signals.lock_signals(tx, keys)
        fields = await signals.read_fields(tx, keys)
        rulebook = await self._intake.tags.rulebook(self._rulebook.stream, now)
        ended: list[tuple[LedgerRow, Turn]] = []
        for key, row in rows.items():
            window = find_window(windows, row.appearances, latest)
            if row.state.resolved or window is None:
                continue
            known = fields.get(key)
            last = None if known is not None else await self._find_last_decision(key)
            notice = await self._find_last_notice(row)
            ended.append(end_signal(row, finding_of(row, known, last), window, notice, rulebook, until, now))
        return await self._intake.write(tx, ended, now)

    async def _find_last_decision(self, key: str) -> RecordEntry | None:
        async with self._store.session() as tx:
            return next(iter(await find_decisions(tx, key, 1)), None)

    async def _find_last_notice(self, row: LedgerRow) -> Notice | None:
        """What a destination where a finding is open was last told of it alone; a ticket is asked before a row."""
        specs = self._rulebook.destinations
        names = sorted(
            row.open.keys() - row.grouped, key=lambda name: (name in specs and specs[name].lane is Lane.ROWS, name)
        )
        for name in names:
            async with self._store.session() as tx:
                notice = await find_last_notice(tx, row.stream, name, row.key)
            if notice is not None:
                return notice
        return None


def find_window(windows: Windows, appearances: Appearances | None, latest: int) -> AbsenceWindow | None:
    """The snapshots by which a finding has ended; None where it has not. An instant after the latest counts for nothing."""
    if appearances is None:
        return None
    window = windows.get(appearances.subscription)
    return window if window is not None and window.is_unseen(appearances.possible_until(latest)) else None
