"""`alert-router quarantine list|show|retake|discard`: what was not understood."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from copy import replace
from datetime import datetime

from router.app.rules import new_intake, new_reader
from router.cli.open_state import (
    discard_each,
    find_id,
    ids_meant,
    is_shared,
    refuse_unnamed,
    store_in,
    store_to_change,
)
from router.cli.option_values import clock_for, rules_given, stream_for
from router.cli.printing import plain, print_json
from router.cli.screen import print_list, print_table, screen, table_of
from router.decide import iso
from router.domain.decisions import Code, Outcome
from router.ingest.intake import Intake
from router.ingest.messages import Message, MessageReader, NotUnderstood, is_beginning
from router.store.quarantine import QuarantineEntry, discard_quarantined, list_quarantined
from router.store.store import Store


def list_it(options: Namespace) -> int:
    """Print the entries, oldest first."""
    heads, entries = ("id", "since", "source", "bytes", "reason"), asyncio.run(_entries(options))
    return print_list(options.format, entries, _document, heads, _row, numbers=(3,), empty="nothing is in quarantine")


def show(options: Namespace) -> int:
    """Print one entry whole, with its reason."""
    entries = {one.id: one for one in asyncio.run(_entries(options))}
    id = find_id(options.id, entries)
    document = _document(entries[id])
    body = entries[id].quarantined.body.decode("utf-8", "backslashreplace")
    if options.format == "json":
        print_json(document | {"body": body})
        return 0
    print_table(screen(), table_of(("", ""), document.items()), indent=0)
    screen().print()
    screen().print("\n".join(plain(line) for line in body.split("\n")), soft_wrap=True)
    return 0


def retake(options: Namespace) -> int:
    """Parse entries again and take in what is understood now; the next run sends what was routed; the rest stays."""
    refuse_unnamed(options)
    for line in asyncio.run(_retake(options)):
        screen().print(plain(line), soft_wrap=True)
    return 0


def discard(options: Namespace) -> int:
    """Ask, and remove entries."""
    refuse_unnamed(options)
    return asyncio.run(_discard(options))


async def _entries(options: Namespace) -> Sequence[QuarantineEntry]:
    async with store_in(options) as store, store.session() as tx:
        return await list_quarantined(tx)


async def _discard(options: Namespace) -> int:
    async with store_in(options) as store:
        async with store.session() as tx:
            ids = ids_meant(options, [one.id for one in await list_quarantined(tx)])
        return await discard_each(
            options, ids, "quarantined message", lambda entry: store.run(lambda tx: discard_quarantined(tx, entry))
        )


async def _retake(options: Namespace) -> list[str]:
    async with store_to_change(options) as store:
        async with store.session() as tx:
            entries = {one.id: one for one in await list_quarantined(tx)}
        ids = ids_meant(options, list(entries))
        clock, only = clock_for(options.now, store.now), stream_for(options.stream)
        rules = rules_given(options.rules, only, clock())
        reader, intake = new_reader(rules, only), new_intake(store, rules, only)
        lines = [await _retake_one(entries[id], store, reader, intake, clock()) for id in ids]
        async with store.session() as tx:
            left = {one.id for one in await list_quarantined(tx)}
        soon, later = "what was routed is sent within a minute", "the next run sends what was routed"
        when = soon if is_shared(options.state) else later
        return [*lines, f"retaken: {len(set(ids) - left)}; {when}"]


async def _retake_one(
    entry: QuarantineEntry, store: Store, reader: MessageReader, intake: Intake, now: datetime
) -> str:
    if is_beginning(entry.quarantined):
        return f"{entry.id}: stays, only its beginning is kept; find the whole of it where it came from: {entry.source}"
    if entry.quarantined.reason.code is Code.DAMAGED:
        return f"{entry.id}: stays, it is a row of the state and no message: {entry.quarantined.reason}"
    # It came in when it came in: what arrived after it is newer, and its first outcome stays on record.
    message = Message(entry.quarantined.body, entry.source, replace(entry.arrival, again=1))
    parts = reader.read_message(message)
    if all(isinstance(part, NotUnderstood) for part in parts):
        why = ", ".join(str(one.quarantined.reason) for one in parts if isinstance(one, NotUnderstood))
        return f"{entry.id}: stays, it is still not understood: {why}"
    decisions = await intake.ingest([message], now)
    if any(one.outcome == Outcome.QUARANTINED for one in decisions):
        return f"{entry.id}: stays, it still cannot be taken: {'; '.join(one.reason for one in decisions)}"
    await store.run(lambda tx: discard_quarantined(tx, entry.id))
    return f"{entry.id}: {'; '.join(f'{one.outcome}, {one.reason}' for one in decisions)}"


def _row(entry: QuarantineEntry) -> tuple[object, ...]:
    it = entry.quarantined
    return entry.id, entry.at, entry.source, len(it.body), it.reason


def _document(entry: QuarantineEntry) -> dict[str, object]:
    return {
        "id": entry.id,
        "since": iso(entry.at),
        "source": entry.source,
        "stream": entry.stream,
        "reason": str(entry.quarantined.reason),
        "at_fault": entry.quarantined.at_fault,
        "bytes": len(entry.quarantined.body),
    }
