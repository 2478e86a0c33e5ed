"""What works and what is late, as a person or a monitor reads it; no secrets in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from router.domain.errors import HubError, StoreError
from router.domain.ports import Backlog, Hub, Pause, Store
from router.domain.rulebook import Lane, Rulebook
from router.domain.signals import Stream
from router.taking import top_of

LATE = {Lane.PAGE: timedelta(minutes=2), Lane.TICKET: timedelta(minutes=15), Lane.ROWS: timedelta(minutes=30)}
"""How old the oldest delivery of a lane may be before the lane is late."""

STALE = timedelta(minutes=5)
"""How long ago the last sweep may have ended; one begins every minute."""


@dataclass(frozen=True, slots=True)
class Health:
    """What is wrong, a line each, and the figures behind it, ready for JSON."""

    problems: tuple[str, ...]
    figures: Mapping[str, Any]

    @property
    def document(self) -> dict[str, Any]:
        """The health page."""
        return {"status": "failing" if self.problems else "ok", "problems": list(self.problems), **self.figures}


async def health_of(
    store: Store, hubs: Mapping[Stream, Hub], books: Mapping[Stream, Rulebook], now: datetime
) -> Health:
    """The health of the router now; what cannot be asked is a problem, not an error."""
    problems: list[str] = []
    streams: dict[str, Any] = {}
    for stream, book in books.items():
        try:
            streams[stream.value] = {"rulebook": book.hash, **await _figures(store, stream.value, problems, now)}
        except StoreError as fault:
            problems.append(f"{stream}: {fault}")
            streams[stream.value] = {"rulebook": book.hash}
        streams[stream.value]["hub"] = await _lag(store, hubs[stream], problems)
    return Health(tuple(problems), {"at": _written(now), "streams": streams})


async def _figures(store: Store, stream: str, problems: list[str], now: datetime) -> dict[str, Any]:
    backlog, pauses = await store.outbox.backlog(stream), await store.outbox.pauses(stream)
    swept, losses = await store.journal.swept(stream), await store.journal.losses(stream)
    for name, one in backlog.items():
        problems += _complaints(stream, name, one, now)
    problems += [
        f"{stream} {name}: refuses our credentials since {_written(one.since)}" for name, one in pauses.items()
    ]
    if swept is None or now - swept > STALE:
        problems.append(f"{stream}: the last sweep ended {_written(swept) if swept else 'never'}")
    recent = [loss for loss in losses if now - loss.at < timedelta(days=7)]
    if recent:
        problems.append(f"{stream}: {sum(_size(loss.span) for loss in recent)} events were lost in the last 7 days")
    return {
        "swept": _written(swept) if swept else None,
        "destinations": {name: _row(one, pauses.get(name), now) for name, one in sorted(backlog.items())},
        "lost": [
            {"partition": one.era.partition.id, "first": one.span.first, "last": one.span.last, "at": _written(one.at)}
            for one in recent
        ],
    }


def _complaints(stream: str, name: str, one: Backlog, now: datetime) -> list[str]:
    found = []
    if one.oldest is not None and now - one.oldest > LATE[one.lane]:
        found.append(f"{stream} {name}: the oldest of its deliveries waits since {_written(one.oldest)}")
    if one.dead:
        found.append(f"{stream} {name}: {one.dead} dead letters")
    return found


def _row(one: Backlog, pause: Pause | None, now: datetime) -> dict[str, Any]:
    oldest = (now - one.oldest).total_seconds() if one.oldest is not None else None
    return {
        "lane": one.lane.value,
        "oldest_seconds": round(oldest, 1) if oldest is not None else None,
        "dead": one.dead,
        "paused": pause.error if pause is not None else None,
    }


async def _lag(store: Store, hub: Hub, problems: list[str]) -> dict[str, Any]:
    """How many events of each partition were not taken in yet."""
    try:
        extents = await hub.extents()
        lag = {}
        for partition, extent in extents.items():
            progress = await store.journal.find(partition)
            settled = progress.settled if progress.settled is not None else extent.first - 1
            top = top_of(progress, await store.journal.taken(progress.era, settled))
            lag[partition.id] = max(0, extent.last - max(top[0] if top else -1, settled))
    except (HubError, StoreError) as fault:
        problems.append(f"{hub.name}: {fault}")
        return {"reached": False}
    return {"reached": True, "lag": lag}


def _size(span: tuple[int, int]) -> int:
    return span[1] - span[0] + 1


def _written(time: datetime) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")
