"""`alert-router dead-letters list|show|redrive|discard`: deliveries that were given up on."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Sequence

from router.app.repairs import (
    Redriven,
    discard_letters,
    letter_content,
    letter_document,
    redrive_letters,
)
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
from router.cli.option_values import author_given, clock_for
from router.cli.printing import plain, print_json
from router.cli.screen import print_list, print_table, screen, table_of
from router.domain.notices import Notice
from router.store import dead_letters
from router.store.dead_letters import DeadLetter
from router.store.store import Store

_SHORT = 12
"""Digits of an id that the list shows; any beginning of one that is unique will do."""


def list_them(options: Namespace) -> int:
    """Print every dead letter, oldest first."""
    heads = ("id", "died", "destination", "change", "attempts", "error", "signal")
    letters = asyncio.run(_letters(options))
    return print_list(options.format, letters, _document, heads, _row, numbers=(4,), empty="no dead letters")


def _document(letter: DeadLetter) -> dict[str, object]:
    """Return a dead letter as it is printed: the keys of its signals are the console's, which links there."""
    return {name: value for name, value in letter_document(letter).items() if name != "signals"}


def show(options: Namespace) -> int:
    """Print one dead letter whole."""
    letters = {letter.id: letter for letter in asyncio.run(_letters(options))}
    id = find_id(options.id, letters)
    document, content = _document(letters[id]), letter_content(letters[id])
    if options.format == "json":
        print_json(document | {"content": content})
        return 0
    print_table(screen(), table_of(("", ""), document.items()), indent=0)
    screen().print()
    print_json(content)
    return 0


def redrive(options: Namespace) -> int:
    """Owe dead letters again, so that the next run sends them, and say how many were overtaken and let go."""
    refuse_unnamed(options)
    redriven = asyncio.run(_redrive(options, author_given(options.author).name))
    for letter in redriven.damaged:
        line = f"{letter.id[:_SHORT]}: stays, it cannot be sent again: {letter.why}"
        screen().print(plain(line), soft_wrap=True)
    when = "who serves them sends them within a minute" if is_shared(options.state) else "the next run sends them"
    screen().print(f"redriven: {redriven.owed}; {when}")
    if redriven.overtaken:
        screen().print(f"let go: {redriven.overtaken}; what was told since leaves nothing to say for them")
    return 0


def discard(options: Namespace) -> int:
    """Ask, and remove dead letters."""
    refuse_unnamed(options)
    return asyncio.run(_discard(options, author_given(options.author).name))


async def _letters(options: Namespace) -> Sequence[DeadLetter]:
    async with store_in(options) as store:
        return await _all_in(store)


async def _redrive(options: Namespace, author: str) -> Redriven:
    # A resolution that a run is sending right now could not be owed again after the opening.
    async with store_to_change(options) as store:
        letters, now = await _meant(options, store), clock_for(options.now, store.now)()
        return await redrive_letters(store, letters, now, author=author, reason=options.reason)


async def _discard(options: Namespace, author: str) -> int:
    async with store_to_change(options) as store:
        letters, now = await _meant(options, store), clock_for(options.now, store.now)()
        if not is_discard_wanted(options, len(letters), "dead letter"):
            return GIVEN_UP
        discarded = await discard_letters(store, letters, now, author=author, reason=options.reason)
    screen().print(f"discarded: {discarded}")
    return 0


async def _meant(options: Namespace, store: Store) -> list[DeadLetter]:
    letters = {letter.id: letter for letter in await _all_in(store)}
    return [letters[id] for id in ids_meant(options, list(letters))]


async def _all_in(store: Store) -> Sequence[DeadLetter]:
    async with store.session() as tx:
        return await dead_letters.list_dead_letters(tx)


def _row(letter: DeadLetter) -> tuple[object, ...]:
    id = letter.id[:_SHORT]
    if (it := letter.delivery) is None:
        return id, letter.died or "", letter.addressed_to, "", "", letter.error, ""
    title = it.content.title if isinstance(it.content, Notice) else it.content.title or it.content.source
    return id, letter.died or "", letter.addressed_to, it.change, letter.attempts, letter.error, title
