"""`alert-router destinations list|hold|release`: how each destination is, and who keeps it from being asked."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from router.app.rules import Rules, load_rules, specs_of
from router.cli.arguments import written as duration_written
from router.cli.given import author_given, clock_for, stream_for, streams_in, words_given
from router.cli.opened_state import is_shared, store_in
from router.cli.printing import print_json, print_lines
from router.cli.streams import complain
from router.deliver.delivery_loop import IDLE
from router.deliver.destination_holds import MadeHold, hold_destination, list_holds, release_destination
from router.domain.deliveries import Pause
from router.domain.destination_holds import DestinationHold
from router.domain.errors import BadUsage, UserError
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.domain.texts import timestamp
from router.store.claims import bring_forward
from router.store.delivery_status import list_backlogs, list_next_due
from router.store.destinations import list_pauses, take_probe
from router.store.store import Store
from router.store.transaction import Transaction

RULES = Path("rules")
"""Where rules usually are."""


@dataclass(frozen=True, slots=True)
class KnownDestination:
    """A destination.

    Attributes:
        stream: its stream.
        name: its name.
        lane: its lane: that of the rules, where they name it.
        kind: its kind; None where the rules do not name it.
    """

    stream: Stream
    name: str
    lane: Lane
    kind: str | None

    def __str__(self) -> str:
        return f"{self.stream} {self.name}"


def find_rules(options: Namespace, now: datetime) -> Rules | None:
    """The rules of a directory, where it is named or there; raises BadFile and BadPolicy where the one that is named is bad.

    That rules which nobody named cannot be used keeps nobody from holding a pager: it is said.
    """
    if options.rules is None and not RULES.exists():
        return None
    directory = options.rules or RULES
    try:
        return load_rules(directory, streams_in(directory, stream_for(options.stream)), now)
    except UserError as fault:
        if options.rules is not None:
            raise
        complain(f"{str(fault).partition('\n')[0]}; going by what the state knows")
        return None


async def known_destinations(
    store: Store, rules: Rules | None, only: Stream | None, now: datetime
) -> Sequence[KnownDestination]:
    """The destinations of a stream, or of every stream, by stream and name; raises StoreError."""
    streams = list(Stream) if only is None else [only]
    # Who ends a hold may have no rules at hand, or others than who made it.
    found = {
        (Stream(hold.stream), hold.destination): KnownDestination(
            Stream(hold.stream), hold.destination, hold.lane, None
        )
        for hold in await list_holds(store, now)
        if hold.stream in streams
    }
    for stream in streams:
        async with store.session() as tx:
            backlogs = await list_backlogs(tx, stream)
        for name, backlog in backlogs.items():
            found[stream, name] = KnownDestination(stream, name, backlog.lane, None)
        book = rules.books.get(stream) if rules is not None else None
        for spec in specs_of(book) if book is not None else []:
            found[stream, spec.name] = KnownDestination(stream, spec.name, spec.lane, spec.kind)
    return [found[key] for key in sorted(found)]


def destination_meant(name: str, known: Iterable[KnownDestination]) -> KnownDestination:
    """The destination of that name; raises BadUsage where there is none, or one in each stream."""
    known = list(known)
    meant = [one for one in known if one.name == name]
    if not meant:
        close = get_close_matches(name, [one.name for one in known], n=1)
        help = f"did you mean {close[0]}?" if close else "see alert-router destinations list"
        raise BadUsage(f"{name or '(nothing)'}: is no destination that the rules or the state know; {help}")
    if len(meant) > 1:
        streams = " and of ".join(one.stream.value for one in meant)
        raise BadUsage(f"{name}: is a destination of {streams}; say which with --stream")
    return meant[0]


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
