"""Destinations that were ever owed a delivery: those that took one, and those that refuse our credentials."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from router.domain.deliveries import Pause
from router.domain.pauses import destination_of, pause_known, wins_probe
from router.domain.rulebook import Lane
from router.store.codec import Columns, micros, readable
from router.store.engine import Transaction
from router.store.quarantine import sound_in

_PAUSE = """
INSERT INTO destinations (stream, name, paused_since, probe_at, error) VALUES (?,?,?,?,?)
ON CONFLICT (stream, name) DO UPDATE
SET paused_since=excluded.paused_since, probe_at=excluded.probe_at, error=excluded.error
"""

_DELIVERED = """
INSERT INTO destinations (stream, name, lane, delivered) VALUES (?,?,?,1)
ON CONFLICT (stream, name) DO UPDATE SET delivered=1, lane=excluded.lane
"""

_PROBE = "UPDATE destinations SET probe_at=? WHERE stream=? AND name=?"
_RESUME = "UPDATE destinations SET paused_since=NULL, probe_at=NULL, error=NULL WHERE stream=? AND name=?"


async def pause_destination(tx: Transaction, pause: Pause) -> None:
    """Remember that a destination refuses our credentials; since when stays what it was."""
    kept = pause_known(await _find(tx, pause), pause)
    await tx.write(_PAUSE, kept.stream, kept.destination, micros(kept.since), micros(kept.probe), kept.error)


async def take_probe(tx: Transaction, pause: Pause, next: datetime) -> bool:
    """Take the one probe that a paused destination is due, deferring the next one; False if another took it."""
    if not wins_probe(await _find(tx, pause), pause):
        return False
    await tx.write(_PROBE, micros(next), pause.stream, pause.destination)
    return True


async def return_probe(tx: Transaction, pause: Pause) -> None:
    """Leave a probe that was taken to the next delivery."""
    await tx.write(_PROBE, micros(pause.probe), pause.stream, pause.destination)


async def resume_destination(tx: Transaction, stream: str, destination: str) -> None:
    """Forget a pause."""
    await tx.write(_RESUME, stream, destination)


async def list_pauses(tx: Transaction, stream: str) -> Mapping[str, Pause]:
    """Return the pauses of a stream by destination. One that cannot be decoded is set aside: the next refusal pauses anew."""
    sql = "SELECT * FROM destinations WHERE stream=? AND probe_at IS NOT NULL ORDER BY name"
    return await pauses_in(tx, await tx.fetch(sql, stream))


async def pauses_in(tx: Transaction, rows: Sequence[Columns]) -> Mapping[str, Pause]:
    """Return the pauses that rows hold by destination; those that cannot be decoded are set aside."""
    return {one.destination: one for one in await sound_in(tx, "destinations", rows, _pause_of)}


async def forget_pauses(tx: Transaction, stream: str, named: Collection[str]) -> None:
    """Forget the pauses of a stream's destinations that are not among those."""
    rows = await tx.fetch("SELECT name FROM destinations WHERE stream=? AND probe_at IS NOT NULL ORDER BY name", stream)
    names = [row.words("name") for row in rows]
    await tx.write_many(_RESUME, [(stream, name) for name in names if destination_of(name) not in named])


async def note_delivered(
    tx: Transaction, lanes: Mapping[tuple[str, str], Lane], reached: Collection[tuple[str, str]] = ()
) -> None:
    """Remember that destinations, each with its stream, took a delivery in a lane; of the `reached` ones that is known."""
    await tx.write_many(_DELIVERED, [(*place, lanes[place].value) for place in sorted(lanes) if place not in reached])


async def list_delivered(tx: Transaction, stream: str) -> list[str]:
    """Return the destinations of a stream that ever took a delivery."""
    rows = await tx.fetch("SELECT name FROM destinations WHERE stream=? AND delivered=1 ORDER BY name", stream)
    return [row.words("name") for row in rows]


async def has_delivered(tx: Transaction, stream: str, destination: str) -> bool:
    """Return whether a destination ever took a delivery, whatever is kept of it."""
    sql = "SELECT 1 FROM destinations WHERE stream=? AND name=? AND delivered=1"
    return await tx.value(sql, stream, destination) is not None


async def _find(tx: Transaction, pause: Pause) -> Pause | None:
    """What is remembered of the same destination."""
    sql = "SELECT * FROM destinations WHERE stream=? AND name=? FOR UPDATE"
    row = await tx.find(sql, pause.stream, pause.destination)
    return readable(None, _pause_of, row) if row is not None else None


def _pause_of(row: Columns) -> Pause:
    return Pause(
        stream=row.text("stream"),
        destination=row.text("name"),
        since=row.time("paused_since"),
        probe=row.time("probe_at"),
        error=row.text("error"),
    )
