"""`alert-router dead-letters list|show|redrive|discard`: deliveries that were given up on."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from functools import partial

import orjson
from msgspec import to_builtins

from router.cli.open_state import (
    discard_each,
    find_id,
    ids_meant,
    is_shared,
    refuse_unnamed,
    store_in,
    store_to_change,
)
from router.cli.option_values import clock_for
from router.cli.printing import plain, print_json
from router.cli.screen import print_list, print_table, screen, table_of
from router.decide import iso
from router.domain.notices import Notice
from router.store import dead_letters
from router.store.dead_letters import DeadLetter, Redrive
from router.store.store import Store

_SHORT = 12
"""Digits of an id that the list shows; any beginning of one that is unique will do."""


def list_them(options: Namespace) -> int:
    """Print every dead letter, oldest first."""
    heads = ("id", "died", "destination", "change", "attempts", "error", "signal")
    letters = asyncio.run(_letters(options))
    return print_list(options.format, letters, _document, heads, _row, numbers=(4,), empty="no dead letters")


def show(options: Namespace) -> int:
    """Print one dead letter whole."""
    letters = {letter.id: letter for letter in asyncio.run(_letters(options))}
    id = find_id(options.id, letters)
    document, content = _document(letters[id]), _content(letters[id])
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
    results = asyncio.run(_redrive(options))
    for letter in (letter for letter, result in results if result is Redrive.DAMAGED):
        line = f"{letter.id[:_SHORT]}: stays, it cannot be sent again: {letter.why}"
        screen().print(plain(line), soft_wrap=True)
    became = Counter(result for _, result in results if result is not Redrive.DAMAGED)
    overtaken = became.pop(Redrive.OVERTAKEN, 0)
    when = "who serves them sends them within a minute" if is_shared(options.state) else "the next run sends them"
    screen().print(f"redriven: {became.total()}; {when}")
    if overtaken:
        screen().print(f"let go: {overtaken}; what was told since leaves nothing to say for them")
    return 0


def discard(options: Namespace) -> int:
    """Ask, and remove dead letters."""
    refuse_unnamed(options)
    return asyncio.run(_discard(options))


async def _letters(options: Namespace) -> Sequence[DeadLetter]:
    async with store_in(options) as store:
        return await _all_in(store)


async def _redrive(options: Namespace) -> list[tuple[DeadLetter, Redrive]]:
    # A resolution that a run is sending right now could not be owed again after the opening.
    async with store_to_change(options) as store:
        letters = await _all_in(store)
        ids, now = set(ids_meant(options, [letter.id for letter in letters])), clock_for(options.now, store.now)()
        # What becomes of a letter depends on those of earlier turns.
        in_turn = sorted(letters, key=lambda one: one.delivery.turn if one.delivery is not None else 0)
        return [
            (letter, await store.run(partial(dead_letters.redrive, id=letter.id, now=now)))
            for letter in in_turn
            if letter.id in ids
        ]


async def _discard(options: Namespace) -> int:
    async with store_to_change(options) as store:
        ids = ids_meant(options, [letter.id for letter in await _all_in(store)])
        now = clock_for(options.now, store.now)()
        return await discard_each(
            options, ids, "dead letter", lambda letter: store.run(lambda tx: dead_letters.discard(tx, letter, now))
        )


async def _all_in(store: Store) -> Sequence[DeadLetter]:
    async with store.session() as tx:
        return await dead_letters.list_dead_letters(tx)


def _row(letter: DeadLetter) -> tuple[object, ...]:
    id = letter.id[:_SHORT]
    if (it := letter.delivery) is None:
        return id, letter.died or "", letter.addressed_to, "", "", letter.error, ""
    title = it.content.title if isinstance(it.content, Notice) else it.content.title or it.content.source
    return id, letter.died or "", letter.addressed_to, it.change, letter.attempts, letter.error, title


def _content(letter: DeadLetter) -> object:
    """Return the content of a dead letter, or its row where that cannot be decoded."""
    return to_builtins(letter.delivery.content) if letter.delivery is not None else orjson.loads(letter.row)


def _document(letter: DeadLetter) -> dict[str, object]:
    known: dict[str, object] = dict.fromkeys(_OF_WHOLE)
    if (it := letter.delivery) is not None:
        values = (it.stream, it.destination, it.lane, it.change, it.turn, it.content.id, it.content.title)
        known = dict(zip(_OF_WHOLE, (*values, letter.attempts, iso(letter.born)), strict=True))
    died, is_damaged = iso(letter.died), letter.delivery is None
    return {"id": letter.id, **known, "died": died, "error": letter.error, "damaged": is_damaged}


_OF_WHOLE = ("stream", "destination", "lane", "change", "turn", "signal", "title", "attempts", "born")
"""The keys that are null of a letter that cannot be decoded."""
