"""Destinations that were ever owed a delivery: those that took one, and when one is paused, probed and resumed.

A destination that refuses our credentials is paused: nothing else would get through either. While it is paused, one delivery
probes it every 5 minutes. Only an answer that shows that our credentials were taken resumes it: a receipt, or a refusal that
the kind says is about the request. Any other refusal, no answer, or a fault of our own says nothing of them. What becomes of
the delivery plays no part: one that dies of age dies with whatever its last attempt brought.

An owner's own pager key pauses nothing where it is refused, since the destination's takes the page. That is remembered beside
the pauses, under a name of its own, until a page goes by that key again; people are told of it for a week.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from router.domain.clocks import is_possible
from router.domain.deliveries import Pause
from router.domain.rulebook import Lane
from router.store.codec import Columns, RowForm, readable, upsert
from router.store.quarantine import sound_in
from router.store.store import Transaction

PROBE = timedelta(minutes=5)
"""How long a paused destination is left alone before one delivery tries again."""

TOLD = timedelta(days=7)
"""How long after its last page people are told of an owner's key that is refused."""

OF_KEY = ":"
"""Stands between a destination's name and a key's."""

_KEY = ("stream", "name")
_FORM = RowForm(Pause, destination="name", since="paused_since", probe="probe_at")

# Since when it is paused stays what it was, unless a wrong clock wrote that: it is no earlier than one that is right.
_SINCE = """
paused_since=CASE WHEN destinations.probe_at IS NOT NULL AND destinations.paused_since<excluded.paused_since
                  THEN destinations.paused_since ELSE excluded.paused_since END
"""
_PAUSE = upsert("destinations", _FORM.columns, _KEY, ["probe_at=excluded.probe_at", "error=excluded.error", _SINCE])

_DELIVERED = """
INSERT INTO destinations (stream, name, lane, delivered) VALUES (?,?,?,1)
ON CONFLICT (stream, name) DO UPDATE SET delivered=1, lane=excluded.lane
"""

_LAST_DELIVERED = """
SELECT p.name, (
    SELECT d.settled FROM deliveries d INDEXED BY settled
    WHERE d.stream=p.stream AND d.destination=p.name AND d.state IN ('sent', 'skipped') AND d.state='sent'
    ORDER BY d.settled DESC LIMIT 1
) AS settled FROM destinations p WHERE p.stream=? AND p.delivered=1 ORDER BY p.name
"""

_TAKE_PROBE = "UPDATE destinations SET probe_at=? WHERE stream=? AND name=? AND probe_at=?"
_RESUME = """
UPDATE destinations SET paused_since=NULL, probe_at=NULL, error=NULL WHERE stream=? AND name=? AND probe_at IS NOT NULL
"""


def is_probe_due(pause: Pause, now: datetime) -> bool:
    """Whether a paused destination may be probed; a probe further ahead than one is ever put off is due."""
    return now >= pause.probe or not is_possible(pause.probe, now, PROBE)


def pauses_among(pauses: Mapping[str, Pause]) -> dict[str, Pause]:
    """The pauses of destinations, without what is remembered of owners' keys."""
    return {name: one for name, one in pauses.items() if OF_KEY not in name}


def refused_keys_among(pauses: Mapping[str, Pause], now: datetime) -> dict[str, Pause]:
    """What is remembered of owners' keys that were refused lately, by the names that they have there."""
    lately = (one for name, one in pauses.items() if OF_KEY in name and is_possible(one.probe, now, TOLD))
    return {one.destination: one for one in lately if now < one.probe}


async def pause_destination(tx: Transaction, pause: Pause) -> None:
    """Remember that a destination refuses our credentials; since when stays what it was."""
    await tx.write(_PAUSE, *_FORM.values(pause))


async def take_probe(tx: Transaction, pause: Pause, next: datetime) -> bool:
    """Take the one probe that a paused destination is due, deferring the next one; False if another took it."""
    return bool(await tx.execute(_TAKE_PROBE, next, pause.stream, pause.destination, pause.probe))


async def resume_destination(tx: Transaction, stream: str, destination: str) -> None:
    """Forget a pause."""
    await tx.write(_RESUME, stream, destination)


async def list_pauses(tx: Transaction, stream: str) -> Mapping[str, Pause]:
    """Return the pauses of a stream by destination. One that cannot be decoded is set aside: the next refusal pauses anew."""
    sql = "SELECT * FROM destinations WHERE stream=? AND probe_at IS NOT NULL ORDER BY name"
    return await pauses_in(tx, await tx.fetch(sql, stream))


async def pauses_in(tx: Transaction, rows: Sequence[Columns]) -> Mapping[str, Pause]:
    """Return the pauses that rows hold by destination; those that cannot be decoded are set aside."""
    return {one.destination: one for one in await sound_in(tx, "destinations", rows, _FORM.read)}


async def forget_pauses(tx: Transaction, stream: str, named: Collection[str]) -> None:
    """Forget the pauses of a stream's destinations that are not among those."""
    rows = await tx.fetch("SELECT name FROM destinations WHERE stream=? AND probe_at IS NOT NULL ORDER BY name", stream)
    names = [row.words("name") for row in rows]
    await tx.write_many(_RESUME, [(stream, name) for name in names if name.partition(OF_KEY)[0] not in named])


async def note_delivered(
    tx: Transaction, lanes: Mapping[tuple[str, str], Lane], reached: Collection[tuple[str, str]] = ()
) -> None:
    """Remember that destinations, each with its stream, took a delivery in a lane; of the `reached` ones that is known."""
    await tx.write_many(_DELIVERED, [(*place, lanes[place]) for place in sorted(lanes) if place not in reached])


async def find_last_delivered(tx: Transaction, stream: str) -> Mapping[str, datetime]:
    """Return when each destination of a stream took a delivery last, as far as deliveries are kept."""
    rows = await tx.fetch(_LAST_DELIVERED, stream)
    found = ((row.words("name"), readable(None, row.find_time, "settled")) for row in rows)
    return {name: at for name, at in found if at is not None}


async def list_delivered(tx: Transaction, stream: str) -> list[str]:
    """Return the destinations of a stream that ever took a delivery, whatever is kept of it."""
    rows = await tx.fetch("SELECT name FROM destinations WHERE stream=? AND delivered=1 ORDER BY name", stream)
    return [row.words("name") for row in rows]
