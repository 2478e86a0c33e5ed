"""The journal in SQLite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from router.domain.damage import progress_after_damage
from router.domain.errors import Undecodable
from router.domain.journal import HubEpoch, InFlightMarker, Loss, Partition, Progress, Span, Taken
from router.store.codec import attempt, readable
from router.store.row_reader import MOST_STEPS, Columns
from router.store.sqlite.connection import Clock, Connection
from router.store.sqlite.damaged_rows import set_aside, sound
from router.store.sqlite.schema import micros
from router.store.sqlite.selecting import columns_of

_PROGRESS = "epoch, settled, top, top_enqueued, created, version"


class SqliteJournal:
    """Which sequence numbers have been taken in and which are being tried, in `progress`, `taken`, `marks` and `losses`."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def read_progress(self, partition: Partition) -> Progress:
        """How far a partition has come; its first epoch where nothing is known."""
        with self._connection.reading() as db:
            found = columns_of(
                db.execute(f"SELECT hub, partition, {_PROGRESS} FROM progress WHERE hub=? AND partition=?", partition)
            )
        if not found:
            return Progress(epoch=HubEpoch(partition, 1))
        progress = attempt(_progress, partition, found[0])
        return self._mend(partition, found[0], progress) if isinstance(progress, Undecodable) else progress

    def _mend(self, partition: Partition, row: Columns, why: Undecodable) -> Progress:
        """Puts progress in the place of what cannot be decoded: all that the hub still has is looked at again."""
        mended = replace(
            progress_after_damage(partition, readable(None, row.whole, "epoch", 1, MOST_STEPS), self._clock()),
            version=1,
        )
        with self._connection.writing() as db:
            set_aside(db, self._clock, "progress", row, why)
            db.execute(
                f"INSERT OR REPLACE INTO progress ({_PROGRESS}, hub, partition) VALUES (?,?,?,?,?,?,?,?)",
                (*_columns(mended), *partition),
            )
        return mended

    async def write_progress(self, progress: Progress) -> Progress | None:
        """Writes progress if its stored version is still `version`; returns it as stored, None if another was faster."""
        written = replace(progress, version=int(progress.version or 0) + 1)
        with self._connection.writing() as db:
            if progress.version is None:
                sql = f"INSERT INTO progress ({_PROGRESS}, hub, partition) VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"
                changed = db.execute(sql, (*_columns(written), *progress.epoch.partition))
            else:
                sql = (
                    "UPDATE progress SET epoch=?, settled=?, top=?, top_enqueued=?, created=?, version=? "
                    "WHERE hub=? AND partition=? AND version=?"
                )
                changed = db.execute(sql, (*_columns(written), *progress.epoch.partition, progress.version))
            return written if changed.rowcount else None

    async def place_markers(self, markers: Sequence[InFlightMarker]) -> Sequence[InFlightMarker]:
        """Places markers on numbers of one epoch; returns all markers of that epoch that overlap them, these among them."""
        if not markers:
            return []
        epoch = markers[0].epoch
        with self._connection.writing() as db:
            db.executemany(
                "INSERT OR REPLACE INTO marks (origin, last, first, process, alone) VALUES (?,?,?,?,?)",
                [(*_marker_key(marker), marker.alone) for marker in markers],
            )
        where = "origin=? AND last>=? ORDER BY last, first, process"
        stored = self._sound(
            "marks", where, (epoch.origin, min(marker.span.first for marker in markers)), partial(_marker, epoch)
        )
        return [one for one in stored if any(one.span.overlaps(marker.span) for marker in markers)]

    async def finish_markers(self, markers: Sequence[InFlightMarker], taken: Sequence[Taken]) -> None:
        """Writes down what was taken in of one epoch, and takes those markers of it away, at once."""
        if not markers:
            return
        origin = markers[0].epoch.origin
        with self._connection.writing() as db:
            db.executemany(
                "INSERT OR REPLACE INTO taken (origin, last, first, enqueued, at) VALUES (?,?,?,?,?)",
                [(origin, one.span.last, one.span.first, micros(one.enqueued), micros(one.at)) for one in taken],
            )
            db.executemany(
                "DELETE FROM marks WHERE origin=? AND last=? AND first=? AND process=?",
                [_marker_key(marker) for marker in markers],
            )

    async def read_taken(self, epoch: HubEpoch, after: int) -> Sequence[Taken]:
        """What was taken in of an epoch and ends after a number, in order."""
        return self._sound("taken", "origin=? AND last>? ORDER BY last, first", (epoch.origin, after), _taken)

    async def forget_settled(self, epoch: HubEpoch, until: int) -> None:
        """Takes away what was taken in and the markers that end at a number or before: progress has passed them."""
        with self._connection.writing() as db:
            db.execute("DELETE FROM taken WHERE origin=? AND last<=?", (epoch.origin, until))
            db.execute("DELETE FROM marks WHERE origin=? AND last<=?", (epoch.origin, until))

    async def write_losses(self, losses: Sequence[Loss]) -> None:
        """Writes losses down, create-if-absent by epoch and first number."""
        with self._connection.writing() as db:
            db.executemany(
                "INSERT OR IGNORE INTO losses (hub, partition, epoch, first, last, at, why) VALUES (?,?,?,?,?,?,?)",
                [(*loss.epoch.partition, loss.epoch.number, *loss.span, micros(loss.at), loss.why) for loss in losses],
            )

    async def read_losses(self, hub: str) -> Sequence[Loss]:
        """The losses of a hub, oldest first."""
        return self._sound("losses", "hub=? ORDER BY at, partition, epoch, first", (hub,), _loss)

    async def find_last_sweep(self, hub: str) -> datetime | None:
        """When the last sweep of a hub ended."""
        return next(iter(self._sound("sweeps", "hub=?", (hub,), lambda row: row.time("at"))), None)

    async def write_sweep_end(self, hub: str, at: datetime) -> None:
        """Writes down that a sweep of a hub ended."""
        with self._connection.writing() as db:
            db.execute("INSERT OR REPLACE INTO sweeps (hub, at) VALUES (?,?)", (hub, micros(at)))

    def _sound[T](self, table: str, where: str, values: Sequence[object], read: Callable[[Columns], T]) -> list[T]:
        return sound(self._connection, self._clock, table, where, values, read)


def _marker_key(marker: InFlightMarker) -> tuple[str, int, int, str]:
    return marker.epoch.origin, marker.span.last, marker.span.first, marker.process


def _columns(progress: Progress) -> tuple[Any, ...]:
    number, enqueued = progress.top if progress.top is not None else (None, None)
    return (
        progress.epoch.number,
        progress.settled,
        number,
        micros(enqueued),
        micros(progress.created),
        progress.version,
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
