"""The report: as a page, and as a file that needs neither the console nor the network."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request

from router.app import report
from router.app.report import SPANS, USUAL
from router.app.rules import Rules
from router.console.application import Console, find_named
from router.console.rendering import Pages, shown
from router.store.store import Store


async def show_report(console: Console, request: Request) -> Mapping[str, Any]:
    """Return the report on the span that a query names."""
    name = find_named(request.query_params, "since", SPANS) or USUAL
    return await read_report(console.store, console.rules, name, console.store.now())


async def read_report(store: Store, rules: Rules, name: str, now: datetime) -> Mapping[str, Any]:
    """Return the report on a span as pages have it: masked as tickets are. Raises StoreError."""
    document = await report.read_report(store, rules, name, now)
    return {key: shown(one) for key, one in document.items()}


def report_file(document: Mapping[str, Any], now: datetime) -> str:
    """Return a report as one HTML file, which asks for nothing else; it is the console's page, without what leads elsewhere."""
    return Pages(lambda: now).text("report.html", document, layout="file.html", query=QueryParams())
