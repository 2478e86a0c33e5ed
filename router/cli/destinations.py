"""`alert-router destinations list|hold|release|probe`: how each destination is, and who keeps it from being asked."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from router.app.delivery import try_destination
from router.app.destination_readiness import readiness_of
from router.app.settings import Settings
from router.cli.author import author_given, words_given
from router.cli.durations import written as duration_written
from router.cli.given import clock_for, rules_given, stream_for
from router.cli.known_destinations import RULES, KnownDestination, destination_meant, find_rules, known_destinations
from router.cli.opened_state import is_shared, store_in, store_to_change
from router.cli.printing import print_json, print_lines
from router.cli.stopping import Stop
from router.deliver.delivery_loop import IDLE
from router.deliver.destination_holds import MadeHold, find_hold, hold_destination, release_destination
from router.domain.deliveries import DeliveryState, Pause, Settlement
from router.domain.destination_holds import DestinationHold, words_of_hold
from router.domain.errors import BadSetting, BadUsage
from router.domain.timestamps import timestamp
from router.store.claims import bring_forward, release_claims
from router.store.delivery_status import list_next_due
from router.store.destinations import list_pauses, take_probe
from router.store.store import Store

REFUSED = 1
"""The exit code where a destination that was probed did not take what it was asked with."""

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
    """Has a destination asked again that a person holds."""
    author = author_given(options.author)
    reason = words_given("--reason", options.reason)
    made = asyncio.run(_release(options, author.name, reason))
    if options.format == "json":
        print_json(_document(made))
        return 0
    when = (
        "who serves the state sends what is due within two minutes"
        if is_shared(options.state)
        else "the next run sends what is due"
    )
    print_lines([f"{made.destination}: released by {author}; {_owed_there(made.owed)}; {when}"])
    return 0


async def _release(options: Namespace, author: str, reason: str) -> Made:
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        meant = await _meant(store, options, now)
        released = await release_destination(store, meant.stream, meant.name, author=author, reason=reason, now=now)
        if released is None:
            raise BadUsage(f"{meant.name}: is held by nobody; alert-router destinations list says how each is")
        return Made(meant, released, await _owed_at(store, meant))


def probe(options: Namespace) -> int:
    """Asks a destination now with one delivery that it is owed, also where it is paused.

    Raises Interrupted where a signal came meanwhile; what the destination answered is written down before that.
    """
    return asyncio.run(_probe_in_shared(options) if is_shared(options.state) else _probe_in_file(options))


async def _probe_in_shared(options: Namespace) -> int:
    rules = find_rules(options, clock_for(options.now)())
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        meant = destination_meant(options.name, await known_destinations(store, rules, stream_for(options.stream), now))
        await _refuse_held(store, meant, now)
        # Without rules nobody can say here.
        if rules is not None and meant.stream in rules.books:
            _refuse_unnamed(meant, options)
        pause = await _find_pause(store, meant)
        if not await store.run(lambda tx: bring_forward(tx, meant.stream, meant.name, now + _SEEN)):
            return _print_nothing_to_ask_with(meant)
        if pause is not None:
            await store.run(partial(take_probe, pause=pause, next=now))
    paused = f"; it is paused since {timestamp(pause.since)}: {pause.error}" if pause is not None else ""
    print_lines([f"{meant}: whoever serves the state asks it within a minute, with one that it is owed{paused}"])
    return 0


async def _probe_in_file(options: Namespace) -> int:
    settings = Settings()
    rules = rules_given(options.rules or RULES, stream_for(options.stream), clock_for(options.now)())
    readiness = readiness_of(rules, settings)
    async with store_to_change(options) as store:
        clock = clock_for(options.now, store.now)
        now = clock()
        meant = destination_meant(options.name, await known_destinations(store, rules, stream_for(options.stream), now))
        await _refuse_held(store, meant, now)
        for one in readiness.unready:
            if (one.stream, one.destination) == (meant.stream, meant.name):
                raise BadSetting(f"{meant.name}: cannot be asked: {one.why}")
        _refuse_unnamed(meant, options)
        if isinstance(store, Store) and not store.is_shared:
            # The state is this process's alone: what a run or a probe that was killed had claimed is owed.
            await store.run(release_claims)
        with Stop.heeded() as stop:
            settled = await try_destination(store, rules, readiness, settings, clock, meant.stream, meant.name)
        pause = await _find_pause(store, meant)
    if settled is None:
        return _print_nothing_to_ask_with(meant)
    paused = f"; it is paused since {timestamp(pause.since)}, probed next at {timestamp(pause.probe)}" if pause else ""
    answer = f"{meant}: {_answer_in(settled)}{paused}"
    if stop.is_asked:
        raise stop.said(answer)
    print_lines([answer])
    return 0 if settled.state is DeliveryState.SENT else REFUSED


def _answer_in(settled: Settlement) -> str:
    if settled.state is not DeliveryState.SENT:
        what = "given up on" if settled.state is DeliveryState.DEAD else "owed again"
        return f"did not take it: {settled.error}; {what}"
    reference = settled.receipt.reference if settled.receipt is not None else None
    return f"took it{f' as {reference}' if reference else ''}; the next run sends the rest"


def _print_nothing_to_ask_with(meant: KnownDestination) -> int:
    print_lines([f"{meant}: is owed nothing that waits, so there is nothing to ask it with"])
    return 0


async def _refuse_held(store: Store, meant: KnownDestination, now: datetime) -> None:
    known = await find_hold(store, meant.stream, meant.name)
    if known is not None and known.in_lane(meant.lane).is_in_force(now):
        raise BadUsage(f"{meant.name}: is {words_of_hold(known)}; release it first")


def _refuse_unnamed(meant: KnownDestination, options: Namespace) -> None:
    if meant.kind is None:
        raise BadUsage(f"{meant.name}: is named by no policy of {options.rules or RULES}, so nobody can ask it")


async def _meant(store: Store, options: Namespace, now: datetime) -> KnownDestination:
    known = await known_destinations(store, find_rules(options, now), stream_for(options.stream), now)
    return destination_meant(options.name, known)


async def _find_pause(store: Store, meant: KnownDestination) -> Pause | None:
    async with store.session() as tx:
        return (await list_pauses(tx, meant.stream)).get(meant.name)


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
