"""The journal: which sequence numbers of a hub have been taken in, and which are being tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from router.domain.damage import progress_after_damage
from router.domain.errors import Undecodable
from router.domain.journal import HubEpoch, InFlightMarker, Loss, Partition, Progress, Span, Taken
from router.store.codec import attempt, readable
from router.store.engine import Engine
from router.store.instants import Clock, micros
from router.store.quarantine import read_sound, set_aside
from router.store.row_reader import MOST_STEPS, Columns

_INSERT_PROGRESS = """
INSERT INTO progress (epoch, settled, top, top_enqueued, created, version, hub, partition) VALUES (?,?,?,?,?,?,?,?)
ON CONFLICT (hub, partition) DO NOTHING
"""
_UPDATE_PROGRESS = """
UPDATE progress SET epoch=?, settled=?, top=?, top_enqueued=?, created=?, version=? WHERE hub=? AND partition=? AND version=?
"""
_MARK = """
INSERT INTO marks (origin, last, first, process, alone) VALUES (?,?,?,?,?)
ON CONFLICT (origin, last, first, process) DO UPDATE SET alone=excluded.alone
"""
_MARKS = "SELECT * FROM marks WHERE origin=? AND last>=? ORDER BY last, first, process"
_UNMARK = "DELETE FROM marks WHERE origin=? AND last=? AND first=? AND process=?"
_TAKE = """
INSERT INTO taken (origin, last, first, enqueued, at) VALUES (?,?,?,?,?)
ON CONFLICT (origin, last, first) DO UPDATE SET enqueued=excluded.enqueued, at=excluded.at
"""
_TAKEN = "SELECT * FROM taken WHERE origin=? AND last>? ORDER BY last, first"
_LOSE = """
INSERT INTO losses (hub, partition, epoch, first, last, at, why) VALUES (?,?,?,?,?,?,?)
ON CONFLICT (hub, partition, epoch, first) DO NOTHING
"""
_LOSSES = "SELECT * FROM losses WHERE hub=? ORDER BY at, partition, epoch, first"
_SWEEP = "INSERT INTO sweeps (hub, at) VALUES (?,?) ON CONFLICT (hub) DO UPDATE SET at=excluded.at"


class SqlJournal:
    """Which sequence numbers are settled, taken, tried and lost, in `progress`, `taken`, `marks` and `losses`."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def read_progress(self, partition: Partition) -> Progress:
        """Return how far a partition has come; its first epoch where nothing is known."""
        async with self._engine.session() as tx:
            row = await tx.find("SELECT * FROM progress WHERE hub=? AND partition=?", *partition)
        if row is None:
            return Progress(epoch=HubEpoch(partition, 1))
        progress = attempt(_progress, partition, row)
        if not isinstance(progress, Undecodable):
            return progress
        # All that the hub still has is looked at again, under an epoch that says of none that it was taken in.
        epoch = readable(None, row.whole, "epoch", 1, MOST_STEPS)
        begun = replace(progress_after_damage(partition, epoch, self._clock()), version=1)
        async with self._engine.transaction() as tx:
            await set_aside(tx, "progress", [(row, progress)])
            await tx.execute(_INSERT_PROGRESS, *_columns(begun))
        return begun

    async def write_progress(self, progress: Progress) -> Progress | None:
        """Write progress if its stored version is still `version`; return it as stored, None if another was faster."""
        written = replace(progress, version=int(progress.version or 0) + 1)
        async with self._engine.transaction() as tx:
            if progress.version is None:
                changed = await tx.execute(_INSERT_PROGRESS, *_columns(written))
            else:
                changed = await tx.execute(_UPDATE_PROGRESS, *_columns(written), progress.version)
        return written if changed else None

    async def place_markers(self, markers: Sequence[InFlightMarker]) -> Sequence[InFlightMarker]:
        """Place markers on numbers of one epoch; return all markers of that epoch that overlap them, these among them."""
        if not markers:
            return []
        epoch = markers[0].epoch
        async with self._engine.transaction() as tx:
            await tx.execute_many(_MARK, sorted((*_marker_key(one), one.alone) for one in markers))
            first = min(marker.span.first for marker in markers)
            stored = await self._sound("marks", _MARKS, partial(_marker, epoch), epoch.origin, first)
        return [one for one in stored if any(one.span.overlaps(marker.span) for marker in markers)]

    async def finish_markers(self, markers: Sequence[InFlightMarker], taken: Sequence[Taken]) -> None:
        """Write down what was taken in of one epoch, and take those markers of it away, at once."""
        if not markers:
            return
        origin = markers[0].epoch.origin
        async with self._engine.transaction() as tx:
            await tx.execute_many(
                _TAKE,
                sorted((origin, one.span.last, one.span.first, micros(one.enqueued), micros(one.at)) for one in taken),
            )
            await tx.execute_many(_UNMARK, sorted(map(_marker_key, markers)))

    async def read_taken(self, epoch: HubEpoch, after: int) -> Sequence[Taken]:
        """Return what was taken in of an epoch and ends after a number, in order."""
        return await self._sound("taken", _TAKEN, _taken, epoch.origin, after)

    async def forget_settled(self, epoch: HubEpoch, until: int) -> None:
        """Take away what was taken in and the markers that end at a number or before: progress has passed them."""
        async with self._engine.transaction() as tx:
            await tx.execute("DELETE FROM taken WHERE origin=? AND last<=?", epoch.origin, until)
            await tx.execute("DELETE FROM marks WHERE origin=? AND last<=?", epoch.origin, until)

    async def write_losses(self, losses: Sequence[Loss]) -> None:
        """Write losses down, create-if-absent by epoch and first number."""
        rows = [(*one.epoch.partition, one.epoch.number, *one.span, micros(one.at), one.why) for one in losses]
        if rows:
            async with self._engine.transaction() as tx:
                await tx.execute_many(_LOSE, sorted(rows))

    async def read_losses(self, hub: str) -> Sequence[Loss]:
        """Return the losses of a hub, oldest first."""
        return await self._sound("losses", _LOSSES, _loss, hub)

    async def find_last_sweep(self, hub: str) -> datetime | None:
        """Return when the last sweep of a hub ended."""
        found = await self._sound("sweeps", "SELECT * FROM sweeps WHERE hub=?", lambda row: row.time("at"), hub)
        return next(iter(found), None)

    async def write_sweep_end(self, hub: str, at: datetime) -> None:
        """Write down that a sweep of a hub ended."""
        async with self._engine.transaction() as tx:
            await tx.execute(_SWEEP, hub, micros(at))

    async def _sound[T](self, table: str, sql: str, read: Callable[[Columns], T], *values: object) -> list[T]:
        async with self._engine.session() as tx:
            return await read_sound(tx, table, sql, values, read)


def _marker_key(marker: InFlightMarker) -> tuple[str, int, int, str]:
    return marker.epoch.origin, marker.span.last, marker.span.first, marker.process


def _columns(progress: Progress) -> tuple[object, ...]:
    number, enqueued = progress.top if progress.top is not None else (None, None)
    return (
        progress.epoch.number,
        progress.settled,
        number,
        micros(enqueued),
        micros(progress.created),
        progress.version,
        *progress.epoch.partition,
    )


def _progress(partition: Partition, row: Columns) -> Progress:
    top = row.raw("top")
    return Progress(
        epoch=HubEpoch(partition, row.whole("epoch", 1, MOST_STEPS)),
        settled=row.whole("settled", -1) if row.raw("settled") is not None else None,
        top=(row.whole("top"), row.time("top_enqueued")) if top is not None else None,
        created=row.find_time("created"),
        version=row.whole("version", 1, MOST_STEPS),
    )


def _marker(epoch: HubEpoch, row: Columns) -> InFlightMarker:
    return InFlightMarker(epoch, _span(row), row.text("process"), row.flag("alone"))


def _taken(row: Columns) -> Taken:
    return Taken(_span(row), row.time("enqueued"), row.time("at"))


def _loss(row: Columns) -> Loss:
    epoch = HubEpoch(Partition(row.text("hub"), row.text("partition")), row.whole("epoch", 1, MOST_STEPS))
    return Loss(epoch, _span(row), row.time("at"), row.text("why"))


def _span(row: Columns) -> Span:
    first = row.whole("first")
    return Span(first, row.whole("last", first))
