"""What stands: alerts, and on a page of their own findings; the gravest and newest first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException

from router.app.standing import read_standing
from router.console.application import named_in
from router.domain.decisions import Outcome
from router.domain.severity import Severity
from router.domain.signals import Stream
from router.store.standing import StandingFilter, StandingPlace

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request

    from router.console.application import Console

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
    outcome = next(iter(named_in(query, "outcome", _OUTCOMES)), None)
    since = next(iter(named_in(query, "since", _SINCE)), None)
    texts = {name: query.get(name) or None for name in _TEXTS}
    return StandingFilter(
        severities=tuple(named_in(query, "severity", SEVERITIES)),
        outcome=_OUTCOMES[outcome] if outcome is not None else None,
        since=now - _SINCE[since] if since is not None else None,
        paged_nobody="paged_nobody" in query,
        has_no_owner="no_owner" in query,
        **texts,
    )
