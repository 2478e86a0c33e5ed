"""What stands, the gravest and newest first: alerts, and on a page of their own findings; and whether all is working."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request

from router.app.health import read_state_health
from router.app.rules import lanes_of
from router.app.standing import read_standing
from router.console.application import Console, find_named, named_in
from router.deliver.destination_holds import HoldReader
from router.destinations.wording.masking import masked
from router.domain.decisions import Outcome
from router.domain.documents import DocumentKind
from router.domain.readable import legible, timestamp
from router.domain.rulebook import Lane
from router.domain.severity import Severity
from router.domain.signals import Stream
from router.domain.silences import Silences
from router.store.decisions import find_last_decided
from router.store.documents import list_documents, read_silences
from router.store.quarantine import count_quarantined
from router.store.standing import StandingFilter, StandingPlace

PAGE = 50
"""Signals on a page."""

SEVERITIES = (*(one.label for one in sorted(Severity, reverse=True)), "unknown")
_OUTCOMES = {"routed": Outcome.ROUTED, "held": Outcome.SUPPRESSED}
_SINCE = {"1h": timedelta(hours=1), "4h": timedelta(hours=4), "24h": timedelta(days=1), "7d": timedelta(days=7)}
_TEXTS = ("owner", "subscription", "cluster", "type", "destination", "held_by")


async def read_alerts(console: Console, request: Request) -> Mapping[str, Any]:
    """Return the alerts that stand."""
    return await _read(console, request, Stream.CWPP)


async def read_findings(console: Console, request: Request) -> Mapping[str, Any]:
    """Return the findings that stand."""
    return await _read(console, request, Stream.CSPM)


async def _read(console: Console, request: Request, stream: Stream) -> Mapping[str, Any]:
    query, now = request.query_params, console.store.now()
    wanted = wanted_in(query, now)
    written = query.get("after")
    after = StandingPlace.parse(written) if written is not None else None
    if written is not None and after is None:
        raise HTTPException(400, "after: is no place in this list; leave it out to begin at its start.")
    found = await read_standing(console.store, stream, wanted, after, PAGE, now, console.rules.books.get(stream))
    return {"stream": stream.value, **found}


def wanted_in(query: QueryParams, now: datetime) -> StandingFilter:
    """Return the filter that a query means; raises HTTPException where it names what there is not."""
    outcome = find_named(query, "outcome", _OUTCOMES)
    since = find_named(query, "since", _SINCE)
    texts = {name: query.get(name) or None for name in _TEXTS}
    return StandingFilter(
        severities=tuple(named_in(query, "severity", SEVERITIES)),
        outcome=_OUTCOMES[outcome] if outcome is not None else None,
        since=now - _SINCE[since] if since is not None else None,
        paged_nobody="paged_nobody" in query,
        has_no_owner="no_owner" in query,
        **texts,
    )


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
