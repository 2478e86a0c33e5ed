"""`alert-router signals list`: what stands, the gravest and newest first, as the console's first page has it."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from router.app.standing import read_standing
from router.cli.open_state import store_in
from router.cli.option_values import clock_for
from router.cli.printing import print_json
from router.cli.screen import print_table, screen, table_of
from router.domain.decisions import Outcome
from router.domain.readable import timestamp
from router.store.standing import MOST_COUNTED, StandingFilter


def list_them(options: Namespace) -> int:
    """Print a page of the signals that stand and are wanted."""
    document = asyncio.run(_read(options))
    if options.format == "json":
        print_json(document)
        return 0
    if document["signals"]:
        heads = ("key", "severity", "since", "what", "where", "owner", "respond by", "told")
        print_table(screen(), table_of(heads, map(_row, document["signals"])), indent=0)
    for line in _remarks(document):
        screen().print(line, soft_wrap=True)
    return 0


async def _read(options: Namespace) -> dict[str, Any]:
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        wanted = StandingFilter(
            severities=options.severity,
            outcome=Outcome(options.outcome) if options.outcome is not None else None,
            owner=options.owner,
            subscription=options.subscription,
            cluster=options.cluster,
            type=options.type,
            destination=options.destination,
            held_by=options.held_by,
            since=options.since
            if options.since is None or isinstance(options.since, datetime)
            else now - options.since,
            paged_nobody=options.paged_nobody,
            has_no_owner=options.no_owner,
        )
        return await read_standing(store, options.stream, wanted, options.after, options.limit, now)


def _row(signal: Mapping[str, Any]) -> tuple[object, ...]:
    sample = "[sample] " if signal["sample"] else ""
    told = "; ".join(state["words"] for state in signal["states"]) or "nobody"
    times = (
        timestamp(datetime.fromisoformat(at)) if (at := signal[name]) else None for name in ("since", "respond_by")
    )
    since, respond_by = times
    what = f"{sample}{signal['title']} ({signal['type']})"
    return (
        signal["key"],
        signal["severity"] or "unknown",
        since,
        what,
        signal["where"],
        signal["owner"],
        respond_by,
        told,
    )


def _remarks(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield how many there are, and how to go on."""
    shown, count = len(document["signals"]), document["count"]
    if not shown and document["is_whole"]:
        yield "nothing stands that is wanted"
    elif document["after"] is not None:
        known = "more than" if count == MOST_COUNTED else "" if document["count_is_whole"] else "at least"
        number = f"{known} {min(count, MOST_COUNTED - 1):,}".strip()
        looked = "" if document["is_whole"] else f", of {document['looked']:,} that were looked at"
        yield f"{shown} of {number}{looked}; go on with --after {document['after']}"
