"""Decisions: what was decided of each message, when and why, by any filter; as a page, as JSON and as a file for a spreadsheet.

What is written in the search of every page comes here first, and is led on where it means one thing.
"""

from __future__ import annotations

import csv
import re
from asyncio import sleep
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from io import StringIO
from typing import Any, NamedTuple

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request

from router.app.fields import read_instant
from router.app.repairs import quarantined_document
from router.app.signal_document import decision_document, is_titled
from router.app.signal_search import Found, Meant, find_meant
from router.console.application import Console, Document, Elsewhere, named_in, page_end_in
from router.console.rendering import shown
from router.domain.decisions import Outcome
from router.domain.severity import gravity_of
from router.domain.signals import Stream
from router.store.codec import EPOCH, PageEnd
from router.store.decisions import find_decisions
from router.store.search import STREAMS, DecisionFilter, list_decisions
from router.store.store import Store

PAGE = 50
"""Decisions on a page."""

MOST_READ = 2_000
"""Decisions whose titles are read for one page: of a title no index knows."""

MOST_IN_FILE = 10_000
"""Decisions that one file is made of; of more it says where to go on."""

_STEP = 500

_PLACE = r"[0-9]{1,18}"
_TEXTS = ("type", "id", "resource")

COLUMNS = (
    "at", "outcome", "reason", "held_by", "stream", "severity", "type", "title", "where", "resource", "plan", "sample", "id",
    "key", "turn", "destinations",
)  # fmt: skip

_ACTS = re.compile(r"(^|[;\t\r\n])(?=[\s\"]*[=+\-@\uff1d\uff0b\uff0d\uff20])|^(?=[\t\r\n])")
"""Where a spreadsheet takes what follows for a formula: at the start of a cell, and after what may end one in another country.

https://owasp.org/www-community/attacks/CSV_Injection
"""


async def read_decisions(console: Console, request: Request) -> Document:
    """Return a page of decisions; of a text that may mean several signals, the latest on each. Raises HTTPException."""
    query, now = request.query_params, console.store.now()
    asked = query.get("q", "").strip()
    found = await find_meant(console.store, asked, None) if asked else Found()
    if found.by_resource:
        raise Elsewhere("/resource", id=asked)
    if len(found.signals) == 1:
        raise Elsewhere(f"/signals/{found.signals[0].key}")
    if found.signals:
        page = ReadDecisions([await _read_latest(console.store, one) for one in found.signals])
        page.rows.sort(key=lambda one: gravity_of(one["severity"]), reverse=True)
    elif asked and not found.quarantined:
        raise Elsewhere("/decisions", title=asked)
    else:
        wanted, words = _wanted_in(query), asked or query.get("title", "")
        page = await _read(console.store, wanted, words, page_end_in(request, _PLACE), PAGE, MOST_READ)
    return shown(
        {
            "at": now,
            "asked": asked,
            "has_more": found.has_more,
            "is_notice": found.by_notice,
            "quarantined": [quarantined_document(one) for one in found.quarantined[:20]],
            "decisions": page.rows,
            "looked_at": page.looked_at,
            "is_whole": page.is_whole,
            "after": str(page.after) if page.after is not None else None,
        }
    )


def write_decisions(console: Console, request: Request) -> AsyncIterator[str]:
    """Return the lines of a CSV file with the same decisions, as they are read; the last says where it is cut, if it is."""
    query = request.query_params
    return lines_of(console.store, _wanted_in(query), query.get("title", ""), page_end_in(request, _PLACE))


async def lines_of(
    store: Store, wanted: DecisionFilter, words: str, after: PageEnd | None, most: int = MOST_IN_FILE
) -> AsyncIterator[str]:
    """Yield the file in parts, of so many decisions that are looked at."""
    looked_at = 0
    yield written([COLUMNS])
    while looked_at < most:
        step = min(_STEP, most - looked_at)
        page = await _read(store, wanted, words, after, step, step)
        yield written(map(shown(row).get, COLUMNS) for row in page.rows)
        after, looked_at = page.after, looked_at + page.looked_at
        if after is None:
            return
        await sleep(0)  # What the router does goes on between two pages.
    yield written([(f"cut after {looked_at} decisions: the rest is in decisions.csv with after={after}",)])


def written(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as lines of CSV. A cell that a spreadsheet would take for a formula begins with an apostrophe."""
    lines = StringIO()
    csv.writer(lines, quoting=csv.QUOTE_ALL).writerows(
        [_ACTS.sub(r"\1'", _text_of(one)) for one in row] for row in rows
    )
    return lines.getvalue()


def _text_of(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(value) if isinstance(value, list) else "" if value is None else str(value)


def _wanted_in(query: QueryParams) -> DecisionFilter:
    """Return the filter that a query means; raises HTTPException where it names what there is not."""
    texts = {name: query.get(name, "").strip() or None for name in _TEXTS}
    since, until = _instant_in(query, "from"), _instant_in(query, "until")
    return DecisionFilter(
        streams=tuple(named_in(query, "stream", list(Stream))) or STREAMS,
        outcomes=tuple(map(Outcome, named_in(query, "outcome", list(Outcome)))) or tuple(Outcome),
        since=since or EPOCH,
        until=until,
        **texts,
    )


def _instant_in(query: QueryParams, name: str) -> datetime | None:
    try:
        return read_instant(text) if (text := query.get(name, "")) else None
    except ValueError as fault:
        raise HTTPException(400, f"{name}: {fault}.") from fault


async def _read_latest(store: Store, one: Meant) -> dict[str, Any]:
    """Return the latest decision on a signal that may be meant, as far as one is kept, and how it was found."""
    async with store.session() as tx:
        entry = next(iter(await find_decisions(tx, one.key, 1)), None)
    unkept: dict[str, Any] = {**dict.fromkeys(COLUMNS), "destinations": [], "key": one.key, "stream": one.stream}
    return {**(decision_document(entry) if entry is not None else unkept), "found_by": one.via}


class ReadDecisions(NamedTuple):
    """Rows of a page, how many decisions were looked at for them, whether on all signals meant, and where to go on."""

    rows: list[dict[str, Any]]
    looked_at: int = 0
    is_whole: bool = True
    after: PageEnd | None = None


async def _read(
    store: Store, wanted: DecisionFilter, words: str, after: PageEnd | None, most: int, most_read: int
) -> ReadDecisions:
    """Return decisions that are wanted and have all words in their title, from a place on: no more than so many."""
    asked = words.casefold().split()
    rows, looked_at = list[dict[str, Any]](), 0
    while True:
        async with store.session() as tx:
            some = await list_decisions(tx, wanted, after, min(_STEP, most_read - looked_at) if asked else most)
        for end, entry in some.found:
            looked_at += 1
            if not asked or is_titled(entry, asked):
                rows.append({**decision_document(entry), "found_by": None})
                if len(rows) == most and end != some.found[-1].end:
                    return ReadDecisions(rows, looked_at, some.is_whole, end)
        after = some.after
        if after is None or len(rows) == most or looked_at >= most_read:
            return ReadDecisions(rows, looked_at, some.is_whole, after)
