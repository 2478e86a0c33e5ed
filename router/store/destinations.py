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
from dataclasses import replace
from datetime import datetime, timedelta

from router.domain.clocks import is_possible
from router.domain.conversation import Result
from router.domain.decisions import Change
from router.domain.deliveries import REFUSED_KEY, Delivery, Pause, Receipt
from router.domain.errors import Rejected, Unauthorized
from router.domain.notices import Notice
from router.domain.rulebook import Lane
from router.store.codec import Columns, RowForm, upsert
from router.store.quarantine import sound_in
from router.store.store import Transaction

PROBE = timedelta(minutes=5)
"""How long a paused destination is left alone before one delivery tries again."""

TOLD = timedelta(days=7)
"""How long after its last page people are told of an owner's key that is refused."""

_OF_KEY = ":"

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

_TAKE_PROBE = "UPDATE destinations SET probe_at=? WHERE stream=? AND name=? AND probe_at=?"
_RESUME = """
UPDATE destinations SET paused_since=NULL, probe_at=NULL, error=NULL WHERE stream=? AND name=? AND probe_at IS NOT NULL
"""


def is_probe_due(pause: Pause, now: datetime) -> bool:
    """Whether a paused destination may be probed; a probe further ahead than one is ever put off is due."""
    return now >= pause.probe or not is_possible(pause.probe, now, PROBE)


def pause_after(
    pause: Pause | None, results: Sequence[Result], *, stream: str, destination: str, now: datetime
) -> Pause | None:
    """The pause of a destination after an attempt brought some results, given the one before; None where there is none.

    A refusal counts for more than whatever else came with it. Where nothing was brought, nothing changes.
    """
    refusal = next((result for result in results if isinstance(result, Unauthorized)), None)
    if refusal is not None:
        since = min(pause.since, now) if pause is not None else now
        return Pause(stream=stream, destination=destination, since=since, probe=now + PROBE, error=str(refusal))
    if pause is None or not results:
        return pause
    if any(isinstance(one, Receipt) or (isinstance(one, Rejected) and one.authenticated) for one in results):
        return None
    return replace(pause, since=min(pause.since, now), probe=now + PROBE)


def find_key_answer(delivery: Delivery, result: Result, now: datetime) -> dict[str, Pause | None]:
    """Return what a result says of an owner's own key, by the key's name among the pauses: None where it took the page."""
    if not isinstance(result, Receipt):
        return {}
    owner = delivery.content.owner if isinstance(delivery.content, Notice) else None
    refused = result.handles.get(REFUSED_KEY)
    own = owner.pager if owner is not None and delivery.change is Change.OPENED else None
    if (key := refused or own) is None:
        return {}
    name = f"{delivery.destination}{_OF_KEY}{key}"
    if refused is None:
        return {name: None}
    whose = f" of {owner.name}" if owner is not None and owner.pager == key and owner.name else ""
    error = f"{delivery.destination}: refuses {key}, the pager key{whose}, and is paged by its own key instead"
    return {name: Pause(stream=delivery.stream, destination=name, since=now, probe=now + TOLD, error=error)}


def destination_of(name: str) -> str:
    """Return the destination that a pause is about, or what is remembered of an owner's key, by the name that it has there."""
    return name.partition(_OF_KEY)[0]


def pauses_among(pauses: Mapping[str, Pause]) -> dict[str, Pause]:
    """The pauses of destinations, without what is remembered of owners' keys."""
    return {name: one for name, one in pauses.items() if _OF_KEY not in name}


def refused_keys_among(pauses: Mapping[str, Pause], now: datetime) -> dict[str, Pause]:
    """What is remembered of owners' keys that were refused lately, by the names that they have there."""
    lately = (one for name, one in pauses.items() if _OF_KEY in name and is_possible(one.probe, now, TOLD))
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
    await tx.write_many(_RESUME, [(stream, name) for name in names if destination_of(name) not in named])


async def note_delivered(
    tx: Transaction, lanes: Mapping[tuple[str, str], Lane], reached: Collection[tuple[str, str]] = ()
) -> None:
    """Remember that destinations, each with its stream, took a delivery in a lane; of the `reached` ones that is known."""
    await tx.write_many(_DELIVERED, [(*place, lanes[place]) for place in sorted(lanes) if place not in reached])


async def list_delivered(tx: Transaction, stream: str) -> list[str]:
    """Return the destinations of a stream that ever took a delivery, whatever is kept of it."""
    rows = await tx.fetch("SELECT name FROM destinations WHERE stream=? AND delivered=1 ORDER BY name", stream)
    return [row.words("name") for row in rows]
