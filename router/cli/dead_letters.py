"""`alert-router dead-letters list|show|redrive|discard`: what was given up on."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from router.cli.given import clock_for
from router.cli.kept import each, ids_for, ids_meant, refuse_unnamed, store_in, store_to_change
from router.cli.screen import plain, print_json, print_table, screen, table_of
from router.domain.deliveries import DeadLetter, Redrive
from router.domain.notices import Delivery, Notice

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
    letters = {letter.delivery.id: letter for letter in asyncio.run(_letters(options))}
    (id,) = ids_for([options.id], list(letters))
    document = _document(letters[id]) | {"content": asdict(letters[id].delivery.content)}
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
    became = Counter(asyncio.run(_redrive(options)))
    overtaken = became.pop(Redrive.OVERTAKEN, 0)
    # What is not dead any more came along with its opening.
    when = "who serves them sends them within a minute" if options.storage else "the next run sends them"
    screen().print(f"redriven: {became.total()}; {when}")
    if overtaken:
        screen().print(f"let go: {overtaken}; what was told since leaves nothing to say for them")
    return 0


def discard(options: Namespace) -> int:
    """Forgets dead letters."""
    refuse_unnamed(options)
    screen().print(f"discarded: {asyncio.run(_discard(options))}")
    return 0


async def _letters(options: Namespace) -> Sequence[DeadLetter]:
    async with store_in(options) as store:
        return await store.outbox.dead()


async def _redrive(options: Namespace) -> list[Redrive]:
    # A resolution that a run is sending right now could not be owed again after the opening.
    async with store_to_change(options) as store:
        letters = await store.outbox.dead()
        ids, now = set(ids_meant(options, [letter.delivery.id for letter in letters])), clock_for(options.now)()

        async def in_turn(deliveries: Sequence[Delivery]) -> list[Redrive]:
            return [await store.outbox.redrive(delivery.id, now) for delivery in deliveries]

        became = await each(in_turn, _by_signal([one.delivery for one in letters if one.delivery.id in ids]))
        return [one for some in became for one in some]


async def _discard(options: Namespace) -> int:
    async with store_to_change(options) as store:
        known = [letter.delivery.id for letter in await store.outbox.dead()]
        now = clock_for(options.now)()
        return sum(await each(lambda letter: store.outbox.discard(letter, now), ids_meant(options, known)))


def _by_signal(deliveries: Iterable[Delivery]) -> list[list[Delivery]]:
    """Deliveries of one signal to one destination together, in the order of its turns; their fates hang together."""
    signals: defaultdict[tuple[str, str, str], list[Delivery]] = defaultdict(list)
    for delivery in sorted(deliveries, key=lambda one: one.turn):
        signals[delivery.stream, delivery.destination, delivery.key].append(delivery)
    return list(signals.values())


def _row(letter: DeadLetter) -> tuple[object, ...]:
    delivery = letter.delivery
    died = f"{letter.died:%Y-%m-%dT%H:%M:%SZ}"
    where = f"{delivery.stream} {delivery.destination}"
    return delivery.id[:_SHORT], died, where, delivery.change, letter.attempts, letter.error, _title(letter)


def _title(letter: DeadLetter) -> str:
    content = letter.delivery.content
    return plain(content.title if isinstance(content, Notice) else content.title or content.source)


def _document(letter: DeadLetter) -> dict[str, object]:
    delivery = letter.delivery
    return {
        "id": delivery.id,
        "stream": delivery.stream,
        "destination": delivery.destination,
        "lane": delivery.lane.value,
        "change": delivery.change.value,
        "turn": delivery.turn,
        "signal": delivery.content.id,
        "title": delivery.content.title,
        "attempts": letter.attempts,
        "born": letter.born.isoformat().replace("+00:00", "Z"),
        "died": letter.died.isoformat().replace("+00:00", "Z"),
        "error": letter.error,
    }
