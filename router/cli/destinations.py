"""`alert-router destinations list|hold|release`: how each destination is, and who keeps it from being asked."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from datetime import datetime, timedelta
from typing import NamedTuple

from router.cli.author import author_given, words_given
from router.cli.durations import written as duration_written
from router.cli.given import clock_for, stream_for
from router.cli.known_destinations import KnownDestination, destination_meant, find_rules, known_destinations
from router.cli.opened_state import is_shared, store_in
from router.cli.printing import print_json, print_lines
from router.deliver.delivery_loop import IDLE
from router.deliver.destination_holds import MadeHold, hold_destination, release_destination
from router.domain.deliveries import Pause
from router.domain.destination_holds import DestinationHold
from router.domain.errors import BadUsage
from router.domain.timestamps import timestamp
from router.store.claims import bring_forward
from router.store.delivery_status import list_next_due
from router.store.destinations import list_pauses, take_probe
from router.store.engine import Transaction
from router.store.store import Store

_SEEN = timedelta(seconds=IDLE + 1)
"""After how long every worker has read that a destination may be probed."""


class Made(NamedTuple):
    """What a command made of a destination: its hold, and how many deliveries are owed there."""

    destination: KnownDestination
    hold: DestinationHold
    owed: int
    is_extended: bool = False


def hold(options: Namespace) -> int:
    """Keeps a destination from being asked until an end."""
    author, reason = author_given(options.author), words_given("--reason", options.reason)
    made, now = asyncio.run(_hold(options, author.name, reason))
    if options.format == "json":
        print_json({**_document(made), "extended": made.is_extended})
        return 0
    held = made.hold
    began = f", since {timestamp(held.since)}" if made.is_extended else ""
    lasts = duration_written(held.until - now)
    print_lines(
        [
            f"{made.destination}: held by {author}{began} until {timestamp(held.until)}, in {lasts} "
            f"({held.until.astimezone():%Y-%m-%d %H:%M %Z})",
            f"every worker obeys within 30 seconds; what is in flight is finished; {_owed_there(made.owed)}",
        ]
    )
    return 0


async def _hold(options: Namespace, author: str, reason: str) -> tuple[Made, datetime]:
    # Beside a run at work, too: it reads what others set down.
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        meant = await _meant(store, options, now)
        wanted = DestinationHold(
            stream=meant.stream,
            destination=meant.name,
            lane=meant.lane,
            author=author,
            reason=reason,
            since=now,
            until=now + options.duration,
        )
        made: MadeHold = await hold_destination(store, wanted, now)
        return Made(meant, made.hold, await _owed_at(store, meant), made.extended is not None), now


def release(options: Namespace) -> int:
    """Have a destination asked again that a person holds, and at once if it is paused."""
    author = author_given(options.author)
    reason = words_given("--reason", options.reason)
    made, pause = asyncio.run(_release(options, author.name, reason))
    if options.format == "json":
        print_json(_document(made))
        return 0
    served = is_shared(options.state)
    if pause is None:
        when = (
            "who serves the state sends what is due within two minutes" if served else "the next run sends what is due"
        )
    else:
        why = f"it is paused since {timestamp(pause.since)}: {pause.error}"
        who = "who serves the state asks it within a minute" if served else "the next run asks it"
        when = f"{why}; {who} with one that it is owed"
    print_lines([f"{made.destination}: released by {author}; {_owed_there(made.owed)}; {when}"])
    return 0


async def _release(options: Namespace, author: str, reason: str) -> tuple[Made, Pause | None]:
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        meant = await _meant(store, options, now)
        released = await release_destination(store, meant.stream, meant.name, author=author, reason=reason, now=now)
        pause = await store.run(lambda tx: _end_wait(tx, meant, now + _SEEN if store.is_shared else now, now))
        if released is None:
            if pause is None:
                raise BadUsage(f"{meant.name}: is held by nobody; alert-router destinations list says how each is")
            released = DestinationHold(
                stream=meant.stream,
                destination=meant.name,
                lane=meant.lane,
                author=author,
                reason=reason,
                since=pause.since,
                until=now,
                released=now,
            )
        return Made(meant, released, await _owed_at(store, meant)), pause


async def _end_wait(tx: Transaction, meant: KnownDestination, due: datetime, now: datetime) -> Pause | None:
    """Have a destination that is paused probed at once, with what it is owed next; return its pause."""
    pause = (await list_pauses(tx, meant.stream)).get(meant.name)
    if pause is not None:
        await bring_forward(tx, meant.stream, meant.name, due)
        await take_probe(tx, pause, now)
    return pause


async def _meant(store: Store, options: Namespace, now: datetime) -> KnownDestination:
    known = await known_destinations(store, find_rules(options, now), stream_for(options.stream), now)
    return destination_meant(options.name, known)


async def _owed_at(store: Store, meant: KnownDestination) -> int:
    async with store.session() as tx:
        next = (await list_next_due(tx, meant.stream)).get(meant.name)
    return next.owed if next is not None else 0


def _owed_there(number: int) -> str:
    return f"{number} {'is' if number == 1 else 'are'} owed there"


def _document(made: Made) -> dict[str, object]:
    held = made.hold
    return {
        "stream": held.stream,
        "name": held.destination,
        "lane": held.lane.value,
        "author": held.author,
        "reason": held.reason,
        "since": timestamp(held.since),
        "until": timestamp(held.until),
        "released": timestamp(held.released) if held.released is not None else None,
        "owed": made.owed,
    }
