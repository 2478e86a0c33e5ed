"""Destinations that refuse our credentials, in SQLite."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from router.domain.deliveries import Pause
from router.store.columns import Columns
from router.store.sqlite.connection import Clock, Connection
from router.store.sqlite.damaged_rows import sound
from router.store.sqlite.schema import micros


class SqlitePauses:
    """The table `pauses`. One that is damaged is set aside: the next refusal pauses anew."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def pause(self, pause: Pause) -> None:
        """Remembers that a destination refuses our credentials."""
        with self._connection.writing() as db:
            db.execute(
                "INSERT INTO pauses (stream, destination, since, probe, error) VALUES (?,?,?,?,?) "
                "ON CONFLICT (stream, destination) DO UPDATE SET "
                "since=min(since, excluded.since), probe=excluded.probe, error=excluded.error",
                (pause.stream, pause.destination, micros(pause.since), micros(pause.probe), pause.error),
            )

    async def probe(self, pause: Pause, next: datetime) -> bool:
        """Takes the one probe that a paused destination is due, deferring the next one; False if another took it."""
        with self._connection.writing() as db:
            taken = db.execute(
                "UPDATE pauses SET probe=? WHERE stream=? AND destination=? AND probe=?",
                (micros(next), pause.stream, pause.destination, micros(pause.probe)),
            )
            return bool(taken.rowcount)

    async def resume(self, stream: str, destination: str) -> None:
        """Forgets a pause."""
        with self._connection.writing() as db:
            db.execute("DELETE FROM pauses WHERE stream=? AND destination=?", (stream, destination))

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
