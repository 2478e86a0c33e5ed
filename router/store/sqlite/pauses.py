"""Destinations that refuse our credentials, in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping
from datetime import datetime

from router.domain.deliveries import Pause
from router.domain.pauses import pause_known, wins_probe
from router.store.codec import attempt
from router.store.row_reader import Columns
from router.store.sqlite.connection import Clock, Connection
from router.store.sqlite.damaged_rows import sound
from router.store.sqlite.schema import micros
from router.store.sqlite.selecting import columns_of


class SqlitePauses:
    """The table `pauses`. One that is damaged is set aside: the next refusal pauses anew."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def pause(self, pause: Pause) -> None:
        """Remembers that a destination refuses our credentials."""
        with self._connection.writing() as db:
            kept = pause_known(self._find(db, pause), pause)
            db.execute(
                "INSERT OR REPLACE INTO pauses (stream, destination, since, probe, error) VALUES (?,?,?,?,?)",
                (kept.stream, kept.destination, micros(kept.since), micros(kept.probe), kept.error),
            )

    def _find(self, db: sqlite3.Connection, pause: Pause) -> Pause | None:
        """What is remembered of the same destination."""
        where = (pause.stream, pause.destination)
        rows = columns_of(db.execute("SELECT * FROM pauses WHERE stream=? AND destination=?", where))
        found = [attempt(_pause, row) for row in rows]
        return next((one for one in found if isinstance(one, Pause)), None)

    async def probe(self, pause: Pause, next: datetime) -> bool:
        """Takes the one probe that a paused destination is due, deferring the next one; False if another took it."""
        with self._connection.writing() as db:
            if not wins_probe(self._find(db, pause), pause):
                return False
            where = (pause.stream, pause.destination)
            db.execute("UPDATE pauses SET probe=? WHERE stream=? AND destination=?", (micros(next), *where))
            return True

    async def resume(self, stream: str, destination: str) -> None:
        """Forgets a pause."""
        with self._connection.writing() as db:
            db.execute("DELETE FROM pauses WHERE stream=? AND destination=?", (stream, destination))

    async def forget_others(self, stream: str, named: Collection[str]) -> None:
        """Forgets the pauses of a stream's destinations that are not among those."""
        with self._connection.writing() as db:
            # Of an owner's key the destination's name stands first.
            name = "substr(destination, 1, instr(destination || ':', ':') - 1)"
            where = f"stream=? AND {name} NOT IN (SELECT value FROM json_each(?))"
            db.execute(f"DELETE FROM pauses WHERE {where}", (stream, json.dumps(list(named))))

    async def all(self, stream: str) -> Mapping[str, Pause]:
        """The pauses of a stream by destination."""
        found = sound(self._connection, self._clock, "pauses", "stream=?", (stream,), _pause)
        return {pause.destination: pause for pause in found}


def _pause(row: Columns) -> Pause:
    return Pause(
        stream=row.text("stream"),
        destination=row.text("destination"),
        since=row.time("since"),
        probe=row.time("probe"),
        error=row.text("error"),
    )
