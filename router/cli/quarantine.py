"""`alert-router quarantine list|show|retake|discard`: what was not understood."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Sequence

from router.app.repairs import RetakeResult, discard_messages, quarantined_document, retake_messages
from router.cli.open_state import (
    GIVEN_UP,
    find_id,
    ids_meant,
    is_discard_wanted,
    is_shared,
    refuse_unnamed,
    store_in,
    store_to_change,
)
from router.cli.option_values import author_given, clock_for, rules_given, stream_for
from router.cli.printing import plain, print_json
from router.cli.screen import print_list, print_table, screen, table_of
from router.destinations.wording.masking import masked
from router.store.quarantine import QuarantineEntry, list_quarantined
from router.store.store import Store


def list_it(options: Namespace) -> int:
    """Print the entries, oldest first."""
    heads, entries = ("id", "since", "source", "bytes", "reason"), asyncio.run(_entries(options))
    empty = "nothing is in quarantine"
    return print_list(options.format, entries, _document, heads, _row, numbers=(3,), empty=empty)


def _document(entry: QuarantineEntry) -> dict[str, object]:
    """Return an entry as it is printed: its reason says the code, too."""
    document = quarantined_document(entry) | {"reason": masked(str(entry.quarantined.reason))}
    return {name: value for name, value in document.items() if name not in ("code", "is_message")}


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
    results = asyncio.run(_retake(options, author_given(options.author).name))
    soon, later = "what was routed is sent within a minute", "the next run sends what was routed"
    retaken, when = sum(one.is_retaken for one in results), soon if is_shared(options.state) else later
    for line in (*(f"{one.entry.id}: {one.words}" for one in results), f"retaken: {retaken}; {when}"):
        screen().print(plain(line), soft_wrap=True)
    return 0


def discard(options: Namespace) -> int:
    """Ask, and remove entries."""
    refuse_unnamed(options)
    return asyncio.run(_discard(options, author_given(options.author).name))


async def _entries(options: Namespace) -> Sequence[QuarantineEntry]:
    async with store_in(options) as store, store.session() as tx:
        return await list_quarantined(tx)


async def _discard(options: Namespace, author: str) -> int:
    async with store_in(options) as store:
        entries = await _meant(options, store)
        if not is_discard_wanted(options, len(entries), "quarantined message"):
            return GIVEN_UP
        discarded = await discard_messages(store, entries, store.now(), author=author, reason=options.reason)
    screen().print(f"discarded: {discarded}")
    return 0


async def _retake(options: Namespace, author: str) -> list[RetakeResult]:
    async with store_to_change(options) as store:
        entries, only = await _meant(options, store), stream_for(options.stream)
        clock = clock_for(options.now, store.now)
        rules = rules_given(options.rules, only, clock())
        return await retake_messages(store, entries, rules, only, clock, author=author, reason=options.reason)


async def _meant(options: Namespace, store: Store) -> list[QuarantineEntry]:
    async with store.session() as tx:
        entries = {one.id: one for one in await list_quarantined(tx)}
    return [entries[id] for id in ids_meant(options, list(entries))]


def _row(entry: QuarantineEntry) -> tuple[object, ...]:
    it = entry.quarantined
    return entry.id, entry.at, entry.source, len(it.body), it.reason
