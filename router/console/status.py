"""Is it working: what the first line of every page says, and the page behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from router.app.health import read_state_health
from router.app.rules import lanes_of
from router.deliver.destination_holds import HoldReader
from router.destinations.wording.masking import masked
from router.domain.documents import DocumentKind
from router.domain.readable import legible, timestamp
from router.domain.rulebook import Lane
from router.domain.silences import Silences
from router.store.decisions import find_last_decided
from router.store.documents import list_documents, read_silences
from router.store.quarantine import count_quarantined

if TYPE_CHECKING:
    from starlette.requests import Request

    from router.console.application import Console


async def read_status(console: Console) -> Mapping[str, Any]:
    """Return what is wrong, what waits in each lane and how long, and what a silence holds back now."""
    store, books, now = console.store, console.rules.books, console.store.now()
    holds = HoldReader(store, lanes_of(books.values()))
    problems, streams = list[str](), dict[str, Any]()
    for stream in books:
        health = await read_state_health(store, stream.value, console.unready or (), holds, now)
        problems += health.problems
        rows = health.figures.get("destinations", {})
        async with store.session() as tx:
            decided = await find_last_decided(tx, stream.value)
        streams[stream.value] = {
            "heard": timestamp(decided) if decided is not None else None,
            "oldest_seconds": {lane.value: _oldest(rows, lane) for lane in Lane},
            "paused": [name for name, row in rows.items() if row["paused"] is not None],
            "held": [name for name, row in rows.items() if row["held_until"] is not None],
            "dead": sum(row["dead"] for row in rows.values()),
        }
    async with store.session() as tx:
        quarantined = await count_quarantined(tx, 1_001)
        silences = Silences.from_list(read_silences(await list_documents(tx, DocumentKind.SILENCE, now)).values)
    ends = sorted(timestamp(one.end) for one in silences.active(now))
    return {
        "at": timestamp(now),
        "problems": [legible(masked(problem)) for problem in problems],
        "streams": streams,
        "quarantined": quarantined,
        "silences": {"active": len(ends), "next_end": ends[0] if ends else None},
    }


async def read_status_page(console: Console, request: Request) -> Mapping[str, Any]:
    """Return the same, as a page of its own."""
    return await read_status(console)


def _oldest(rows: Mapping[str, Any], lane: Lane) -> float | None:
    ages = [row["oldest_seconds"] for row in rows.values() if row["lane"] == lane and row["oldest_seconds"] is not None]
    return max(ages, default=None)
