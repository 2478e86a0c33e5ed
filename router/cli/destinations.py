"""`alert-router destinations list|hold|release`: how each destination is, and who keeps it from being asked."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches

from router.app.destination_readiness import readiness_of
from router.app.destination_states import (
    DestinationStatus,
    HeldDestination,
    KnownDestination,
    ReleasedDestination,
    known_destinations,
    read_statuses,
)
from router.app.destination_states import hold as hold_known
from router.app.destination_states import release as release_known
from router.app.fields import duration_text
from router.app.rules import Rules, load_rules
from router.app.settings import Settings
from router.cli.arguments import RULES_DIR
from router.cli.open_state import is_shared, store_in
from router.cli.option_values import as_options, author_given, clock_for, stream_for, streams_in, words_given
from router.cli.printing import plain, print_json, print_lines
from router.cli.screen import print_list, screen
from router.cli.streams import complain
from router.domain.errors import BadUsage, UserError
from router.domain.readable import timestamp
from router.store.store import Store


def _find_rules(options: Namespace, now: datetime) -> Rules | None:
    """Return the rules of a directory, where it is named or there; raises BadFile and BadPolicy where one is named and bad.

    Rules that were not named and cannot be used keep no person from holding a pager: stderr names them.
    """
    if options.rules is None and not RULES_DIR.exists():
        return None
    directory = options.rules or RULES_DIR
    try:
        return load_rules(directory, streams_in(directory, stream_for(options.stream)), now)
    except UserError as fault:
        if options.rules is not None:
            raise
        complain(f"{str(fault).partition('\n')[0]}; going by what the state knows")
        return None


async def _find_meant(store: Store, options: Namespace, now: datetime) -> KnownDestination:
    """Return the destination of the name that was given; raises BadUsage where there is none, or one in each stream."""
    known = await known_destinations(store, _find_rules(options, now), stream_for(options.stream), now)
    name, meant = options.name, [one for one in known if one.name == options.name]
    if not meant:
        close = get_close_matches(name, [one.name for one in known], n=1)
        help = f"did you mean {close[0]}?" if close else "see alert-router destinations list"
        raise BadUsage(f"{name or '(nothing)'}: is no destination that the rules or the state know; {help}")
    if len(meant) > 1:
        streams = " and of ".join(one.stream.value for one in meant)
        raise BadUsage(f"{name}: is a destination of {streams}; say which with --stream")
    return meant[0]


def hold(options: Namespace) -> int:
    """Keep a destination from being asked until an end."""
    author, reason = author_given(options.author), words_given("reason", options.reason)
    made, now = asyncio.run(_hold(options, author.name, reason))
    if options.format == "json":
        print_json(made.document)
        return 0
    held = made.hold
    began = f", since {timestamp(held.since)}" if made.is_extended else ""
    lasts = duration_text(held.until - now)
    print_lines(
        [
            f"{held.stream} {held.destination}: held by {author}{began} until {timestamp(held.until)}, in {lasts} "
            f"({held.until.astimezone():%Y-%m-%d %H:%M %Z})",
            f"every worker obeys within 30 seconds; what is in flight is finished; {_owed_there(made.owed)}",
        ]
    )
    return 0


async def _hold(options: Namespace, author: str, reason: str) -> tuple[HeldDestination, datetime]:
    # Beside a run at work, too: it reads what others set down.
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        known = await _find_meant(store, options, now)
        with as_options(known.name):
            return await hold_known(store, known, now + options.duration, now, author=author, reason=reason), now


def release(options: Namespace) -> int:
    """Have a destination asked again that a person holds, and at once if it is paused."""
    author, reason = author_given(options.author), words_given("reason", options.reason)
    released = asyncio.run(_release(options, author.name, reason))
    if options.format == "json":
        print_json(released.document)
        return 0
    held, pause, served = released.hold, released.pause, is_shared(options.state)
    if pause is None:
        when = (
            "who serves the state sends what is due within two minutes" if served else "the next run sends what is due"
        )
    else:
        why = f"it is paused since {timestamp(pause.since)}: {pause.error}"
        who = "who serves the state asks it within a minute" if served else "the next run asks it"
        when = f"{why}; {who} with one that it is owed"
    print_lines([f"{held.stream} {held.destination}: released by {author}; {_owed_there(released.owed)}; {when}"])
    return 0


async def _release(options: Namespace, author: str, reason: str) -> ReleasedDestination:
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        known = await _find_meant(store, options, now)
        released = await release_known(store, known, now, author=author, reason=reason)
        if released is None:
            raise BadUsage(f"{known.name}: is held by nobody; alert-router destinations list says how each is")
        return released


def _owed_there(number: int) -> str:
    return f"{number} {'is' if number == 1 else 'are'} owed there"


def show(options: Namespace) -> int:
    """Print how every destination is."""
    heads = ("stream", "destination", "kind", "lane", "is", "owed", "since", "next due", "dead")
    empty = "no destinations: the rules name none, and the state was told of none"
    found = asyncio.run(_statuses(options))
    code = print_list(options.format, found, lambda one: one.document, heads, _row, numbers=(5, 8), empty=empty)
    for one in found if options.format == "text" else ():
        for line in one.remarks:
            screen().print(f"{one.destination.stream} {one.destination.name}: {plain(line)}", soft_wrap=True)
    return code


async def _statuses(options: Namespace) -> Sequence[DestinationStatus]:
    rules = _find_rules(options, clock_for(options.now)())
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        known = await known_destinations(store, rules, stream_for(options.stream), now)
        # A shared state is served by other settings; their health page says what they lack.
        unready = (
            readiness_of(rules, Settings()).unready if rules is not None and not is_shared(options.state) else None
        )
        return await read_statuses(store, known, unready, now)


def _row(one: DestinationStatus) -> tuple[object, ...]:
    it = one.destination
    return it.stream, it.name, it.kind, it.lane, one.words, *one.figures.values()
