"""`alert-router dead-letters list|show|redrive|discard`: deliveries that were given up on."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

import orjson

from router.cli.given import clock_for
from router.cli.opened_state import (
    discard_each,
    each,
    ids_for,
    ids_meant,
    is_shared,
    refuse_unnamed,
    store_in,
    store_to_change,
)
from router.cli.printing import plain, print_json
from router.cli.screen import print_table, screen, table_of
from router.domain.deliveries import DAMAGED, DeadLetter, Redrive
from router.domain.notices import Notice
from router.domain.texts import timestamp
from router.store import dead_letters
from router.store.dead_letters import DamagedLetter
from router.store.store import Store

type Letter = DeadLetter | DamagedLetter

_SHORT = 12
"""Digits of an id that the list shows; any beginning of one that is unique will do."""


def list_them(options: Namespace) -> int:
    """Prints every dead letter, oldest first."""
    letters = asyncio.run(_letters(options))
    if options.format == "json":
        print_json([_document(letter) for letter in letters])
    elif letters:
        heads = ("id", "died", "destination", "change", "attempts", "error", "signal")
        print_table(screen(), table_of(heads, [_row(letter) for letter in letters], numbers=(4,)), indent=0)
    else:
        screen().print("no dead letters")
    return 0


def show(options: Namespace) -> int:
    """Prints one dead letter whole."""
    letters = {id_of(letter): letter for letter in asyncio.run(_letters(options))}
    (id,) = ids_for([options.id], list(letters))
    document = _document(letters[id]) | {"content": _content(letters[id])}
    if options.format == "json":
        print_json(document)
        return 0
    content = document.pop("content")
    print_table(screen(), table_of(("", ""), document.items()), indent=0)
    screen().print()
    print_json(content)
    return 0


def redrive(options: Namespace) -> int:
    """Owes dead letters again, so that the next run sends them, and says how many were overtaken and let go."""
    refuse_unnamed(options)
    results = asyncio.run(_redrive(options))
    for letter in (letter for letter, result in results if result is Redrive.DAMAGED):
        screen().print(
            plain(f"{id_of(letter)[:_SHORT]}: stays, it cannot be sent again: {_error(letter)}"), soft_wrap=True
        )
    became = Counter(result for _, result in results)
    overtaken = became.pop(Redrive.OVERTAKEN, 0)
    became.pop(Redrive.DAMAGED, 0)
    # What is not dead any more came along with its opening.
    when = "who serves them sends them within a minute" if is_shared(options.state) else "the next run sends them"
    screen().print(f"redriven: {became.total()}; {when}")
    if overtaken:
        screen().print(f"let go: {overtaken}; what was told since leaves nothing to say for them")
    return 0


def discard(options: Namespace) -> int:
    """Asks, and removes dead letters."""
    refuse_unnamed(options)
    return asyncio.run(_discard(options))


async def _letters(options: Namespace) -> Sequence[Letter]:
    async with store_in(options) as store:
        return await _all_in(store)


async def _redrive(options: Namespace) -> list[tuple[Letter, Redrive]]:
    # A resolution that a run is sending right now could not be owed again after the opening.
    async with store_to_change(options) as store:
        letters = await _all_in(store)
        ids, now = set(ids_meant(options, list(map(id_of, letters)))), clock_for(options.now, store.now)()

        async def in_turn(some: Sequence[Letter]) -> list[tuple[Letter, Redrive]]:
            return [
                (letter, await store.run(partial(dead_letters.redrive, id=id_of(letter), now=now))) for letter in some
            ]

        became = await each(in_turn, _by_signal([letter for letter in letters if id_of(letter) in ids]))
        return [one for some in became for one in some]


async def _discard(options: Namespace) -> int:
    async with store_to_change(options) as store:
        ids = ids_meant(options, [id_of(letter) for letter in await _all_in(store)])
        now = clock_for(options.now, store.now)()
        return await discard_each(
            options, ids, "dead letter", lambda letter: store.run(lambda tx: dead_letters.discard(tx, letter, now))
        )


async def _all_in(store: Store) -> Sequence[Letter]:
    async with store.session() as tx:
        return await dead_letters.list_dead_letters(tx)


def id_of(letter: Letter) -> str:
    """The id under which a dead letter is listed."""
    return letter.delivery.id if isinstance(letter, DeadLetter) else letter.id


def _by_signal(letters: Iterable[Letter]) -> list[list[Letter]]:
    """Letters by signal and destination, in the order of turns: what becomes of one depends on those before it."""
    signals: defaultdict[tuple[str, ...], list[Letter]] = defaultdict(list)
    for letter in sorted(letters, key=lambda one: one.delivery.turn if isinstance(one, DeadLetter) else 0):
        match letter:
            case DeadLetter(delivery=it):
                signals[it.stream, it.destination, it.key].append(letter)
            case DamagedLetter(id=id):
                signals[(id,)].append(letter)
    return list(signals.values())


def _row(letter: Letter) -> tuple[object, ...]:
    id, died = id_of(letter)[:_SHORT], timestamp(letter.died) if letter.died is not None else ""
    if isinstance(letter, DamagedLetter):
        return id, died, letter.addressed_to, "", "", letter.error, ""
    delivery = letter.delivery
    where = f"{delivery.stream} {delivery.destination}"
    return id, died, where, delivery.change, letter.attempts, letter.error, _title(letter)


def _title(letter: DeadLetter) -> str:
    content = letter.delivery.content
    return plain(content.title if isinstance(content, Notice) else content.title or content.source)


def _error(letter: Letter) -> str:
    return f"{DAMAGED}{letter.why}" if isinstance(letter, DamagedLetter) else letter.error


def _content(letter: Letter) -> object:
    """The content of a dead letter, or its row where that cannot be decoded."""
    return (
        orjson.loads(orjson.dumps(letter.delivery.content))
        if isinstance(letter, DeadLetter)
        else orjson.loads(letter.row)
    )


def _document(letter: Letter) -> dict[str, object]:
    known = letter.delivery if isinstance(letter, DeadLetter) else None
    return {
        "id": id_of(letter),
        "stream": known.stream if known is not None else None,
        "destination": known.destination if known is not None else None,
        "lane": known.lane.value if known is not None else None,
        "change": known.change.value if known is not None else None,
        "turn": known.turn if known is not None else None,
        "signal": known.content.id if known is not None else None,
        "title": known.content.title if known is not None else None,
        "attempts": letter.attempts if isinstance(letter, DeadLetter) else None,
        "born": _written(letter.born) if isinstance(letter, DeadLetter) else None,
        "died": _written(letter.died) if letter.died is not None else None,
        "error": letter.error,
        "damaged": isinstance(letter, DamagedLetter),
    }


def _written(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
