"""Destinations that refuse our credentials."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from router.domain.deliveries import Pause
from router.domain.pauses import destination_of, pause_known, wins_probe
from router.store.codec import attempt
from router.store.damaged_rows import read_sound
from router.store.engine import Engine, Transaction
from router.store.instants import Clock, micros
from router.store.row_reader import Columns

_UPSERT = """
INSERT INTO pauses (stream, destination, since, probe, error) VALUES (?,?,?,?,?)
ON CONFLICT (stream, destination) DO UPDATE SET since=excluded.since, probe=excluded.probe, error=excluded.error
"""

_THAT = "stream=? AND destination=?"


class DestinationPauses:
    """The table `pauses`. One that cannot be decoded is set aside: the next refusal pauses anew. Raises StoreError."""

    _engine: Engine
    _clock: Clock

    async def pause(self, pause: Pause) -> None:
        """Remember that a destination refuses our credentials."""
        async with self._engine.transaction() as tx:
            kept = pause_known(await _find(tx, pause), pause)
            values = (kept.stream, kept.destination, micros(kept.since), micros(kept.probe), kept.error)
            await tx.execute(_UPSERT, *values)

    async def probe(self, pause: Pause, next: datetime) -> bool:
        """Take the one probe that a paused destination is due, deferring the next one; False if another took it."""
        async with self._engine.transaction() as tx:
            if not wins_probe(await _find(tx, pause), pause):
                return False
            sql = f"UPDATE pauses SET probe=? WHERE {_THAT}"
            await tx.execute(sql, micros(next), pause.stream, pause.destination)
            return True

    async def resume(self, stream: str, destination: str) -> None:
        """Forget a pause."""
        async with self._engine.transaction() as tx:
            await tx.execute(f"DELETE FROM pauses WHERE {_THAT}", stream, destination)

    async def pauses(self, stream: str) -> Mapping[str, Pause]:
        """Return the pauses of a stream by destination."""
        sql = "SELECT * FROM pauses WHERE stream=? ORDER BY destination"
        found = await read_sound(self._engine, self._clock, "pauses", sql, [stream], _pause_of)
        return {one.destination: one for one in found}


async def forget_pauses(tx: Transaction, stream: str, named: Collection[str]) -> None:
    """Forget the pauses of a stream's destinations that are not among those."""
    rows = await tx.fetch("SELECT destination FROM pauses WHERE stream=?", stream)
    others = [name for row in rows if destination_of(name := row.words("destination")) not in named]
    if others:
        await tx.execute("DELETE FROM pauses WHERE stream=? AND destination = ANY(?)", stream, others)


async def _find(tx: Transaction, pause: Pause) -> Pause | None:
    """What is remembered of the same destination."""
    row = await tx.find(f"SELECT * FROM pauses WHERE {_THAT} FOR UPDATE", pause.stream, pause.destination)
    found = attempt(_pause_of, row) if row is not None else None
    return found if isinstance(found, Pause) else None


def _pause_of(row: Columns) -> Pause:
    return Pause(
        stream=row.text("stream"),
        destination=row.text("destination"),
        since=row.time("since"),
        probe=row.time("probe"),
        error=row.text("error"),
    )
