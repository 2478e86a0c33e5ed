"""The journal in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from router.domain.journal import Era, Loss, Mark, Partition, Progress, Span, Taken
from router.store.sqlite.connection import Connection
from router.store.sqlite.schema import instant, micros

_PROGRESS = "epoch, settled, top, top_enqueued, created, version"


class SqliteJournal:
    """Which sequence numbers have been taken in and which are being tried, in `progress`, `taken`, `marks` and `losses`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, partition: Partition) -> Progress:
        """How far a partition has come; its first epoch where nothing is known."""
        with self._connection.reading() as db:
            found = db.execute(f"SELECT {_PROGRESS} FROM progress WHERE hub=? AND partition=?", partition).fetchone()  # noqa: S608
        return _progress(partition, found) if found is not None else Progress(era=Era(partition, 1))

    async def advance(self, progress: Progress) -> Progress | None:
        """Writes progress if its stored version is still `version`; returns it as stored, None if another was faster."""
        written = replace(progress, version=int(progress.version or 0) + 1)
        with self._connection.writing() as db:
            if progress.version is None:
                sql = f"INSERT INTO progress ({_PROGRESS}, hub, partition) VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"  # noqa: S608
                changed = db.execute(sql, (*_columns(written), *progress.era.partition))
            else:
                sql = (
                    "UPDATE progress SET epoch=?, settled=?, top=?, top_enqueued=?, created=?, version=? "
                    "WHERE hub=? AND partition=? AND version=?"
                )
                changed = db.execute(sql, (*_columns(written), *progress.era.partition, progress.version))
            return written if changed.rowcount else None

    async def begin(self, marks: Sequence[Mark]) -> Sequence[Mark]:
        """Marks numbers of one era as being tried; returns all marks in that era that overlap them, their own among them."""
        if not marks:
            return []
        era = marks[0].era
        with self._connection.writing() as db:
            db.executemany(
                "INSERT OR REPLACE INTO marks (origin, last, first, process, alone) VALUES (?,?,?,?,?)",
                [(*_place(mark), mark.alone) for mark in marks],
            )
            found = db.execute(
                "SELECT first, last, process, alone FROM marks WHERE origin=? AND last>=? ORDER BY last, first, process",
                (era.origin, min(mark.span.first for mark in marks)),
            ).fetchall()
        stored = [Mark(era, Span(first, last), process, bool(alone)) for first, last, process, alone in found]
        return [one for one in stored if any(one.span.overlaps(mark.span) for mark in marks)]

    async def finish(self, marks: Sequence[Mark], taken: Sequence[Taken]) -> None:
        """Writes down what was taken in of one era, and takes those marks of it away, at once."""
        if not marks:
            return
        origin = marks[0].era.origin
        with self._connection.writing() as db:
            db.executemany(
                "INSERT OR REPLACE INTO taken (origin, last, first, enqueued, at) VALUES (?,?,?,?,?)",
                [(origin, one.span.last, one.span.first, micros(one.enqueued), micros(one.at)) for one in taken],
            )
            db.executemany(
                "DELETE FROM marks WHERE origin=? AND last=? AND first=? AND process=?",
                [_place(mark) for mark in marks],
            )

    async def taken(self, era: Era, after: int) -> Sequence[Taken]:
        """What was taken in of an era and ends after a number, in order."""
        with self._connection.reading() as db:
            found = db.execute(
                "SELECT first, last, enqueued, at FROM taken WHERE origin=? AND last>? ORDER BY last, first",
                (era.origin, after),
            ).fetchall()
        return [Taken(Span(first, last), instant(enqueued), instant(at)) for first, last, enqueued, at in found]

    async def forget(self, era: Era, until: int) -> None:
        """Takes away what was taken in and the marks that end at a number or before: progress has passed them."""
        with self._connection.writing() as db:
            db.execute("DELETE FROM taken WHERE origin=? AND last<=?", (era.origin, until))
            db.execute("DELETE FROM marks WHERE origin=? AND last<=?", (era.origin, until))

    async def lose(self, losses: Sequence[Loss]) -> None:
        """Writes losses down, create-if-absent by era and first number."""
        with self._connection.writing() as db:
            db.executemany(
                "INSERT OR IGNORE INTO losses (hub, partition, epoch, first, last, at, why) VALUES (?,?,?,?,?,?,?)",
                [(*loss.era.partition, loss.era.epoch, *loss.span, micros(loss.at), loss.why) for loss in losses],
            )

    async def losses(self, hub: str) -> Sequence[Loss]:
        """The losses of a hub, oldest first."""
        with self._connection.reading() as db:
            found = db.execute(
                "SELECT partition, epoch, first, last, at, why FROM losses WHERE hub=? ORDER BY at, partition, epoch, first",
                (hub,),
            ).fetchall()
        return [
            Loss(Era(Partition(hub, partition), epoch), Span(first, last), instant(at), why)
            for partition, epoch, first, last, at, why in found
        ]

    async def swept(self, hub: str) -> datetime | None:
        """When the last sweep of a hub ended."""
        with self._connection.reading() as db:
            found = db.execute("SELECT at FROM sweeps WHERE hub=?", (hub,)).fetchone()
        return instant(found[0]) if found is not None else None

    async def sweep_ended(self, hub: str, at: datetime) -> None:
        """Writes down that a sweep of a hub ended."""
        with self._connection.writing() as db:
            db.execute("INSERT OR REPLACE INTO sweeps (hub, at) VALUES (?,?)", (hub, micros(at)))


def _place(mark: Mark) -> tuple[str, int, int, str]:
    return mark.era.origin, mark.span.last, mark.span.first, mark.process


def _columns(progress: Progress) -> tuple[Any, ...]:
    number, enqueued = progress.top if progress.top is not None else (None, None)
    return (
        progress.era.epoch,
        progress.settled,
        number,
        micros(enqueued),
        micros(progress.created),
        progress.version,
    )


def _progress(partition: Partition, found: tuple[Any, ...]) -> Progress:
    epoch, settled, top, enqueued, created, version = found
    return Progress(
        era=Era(partition, epoch),
        settled=settled,
        top=(top, instant(enqueued)) if top is not None else None,
        created=instant(created) if created is not None else None,
        version=version,
    )
