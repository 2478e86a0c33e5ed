"""The report: as a page, and as a file that needs neither the console nor the network."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException

from router.app import report
from router.app.report import SPANS, USUAL
from router.console.rendering import Pages, shown

if TYPE_CHECKING:
    from starlette.requests import Request

    from router.app.rules import Rules
    from router.console.application import Console
    from router.store.store import Store


async def show_report(console: Console, request: Request) -> Mapping[str, Any]:
    """Return the report on the span that a query names; raises HTTPException where there is no such span."""
    name = request.query_params.get("since") or USUAL
    if name not in SPANS:
        raise HTTPException(400, f"since: {name!r} is none; write one of {', '.join(SPANS)}.")
    return await read_report(console.store, console.rules, name, console.store.now())


async def read_report(store: Store, rules: Rules, name: str, now: datetime) -> Mapping[str, Any]:
    """Return the report on a span as pages have it: masked as tickets are. Raises StoreError."""
    document = await report.read_report(store, rules, name, now)
    return {key: shown(one) for key, one in document.items()}


def report_file(document: Mapping[str, Any], now: datetime) -> str:
    """Return a report as one HTML file, which asks for nothing else; it is the console's page, without what leads elsewhere."""
    return Pages(lambda: now).text("report.html", document, layout="file.html", query=QueryParams())
