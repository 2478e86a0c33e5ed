"""`alert-router destinations list|hold|release`: how each destination is, and who keeps it from being asked."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Mapping, Sequence
from copy import replace
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import NamedTuple

from router.app.destination_readiness import readiness_of
from router.app.fields import duration_text
from router.app.rules import Rules, load_rules, specs_of
from router.app.settings import Settings
from router.cli.arguments import RULES_DIR
from router.cli.funnel import backlogs_in
from router.cli.open_state import is_shared, store_in
from router.cli.option_values import author_given, clock_for, stream_for, streams_in, words_given
from router.cli.printing import plain, print_json, print_lines
from router.cli.screen import print_list, screen
from router.cli.streams import complain
from router.deliver.delivery_loop import IDLE
from router.deliver.destination_holds import HoldReader, hold_destination, list_holds, release_destination
from router.domain.deliveries import Backlog, Pause
from router.domain.destination_holds import DestinationHold, words_of_hold
from router.domain.errors import BadUsage, UserError
from router.domain.readable import timestamp
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.domain.values import Value
from router.store.claims import bring_forward
from router.store.delivery_status import list_backlogs
from router.store.destinations import list_delivered, list_pauses, take_probe
from router.store.store import Store, Transaction

_SEEN = timedelta(seconds=IDLE + 1)
"""After how long every worker has read that a destination may be probed."""


class KnownDestination(NamedTuple):
    """A destination; its lane is that of the rules where they name it, and its kind None where they do not."""

    stream: Stream
    name: str
    lane: Lane
    kind: str | None = None


def find_rules(options: Namespace, now: datetime) -> Rules | None:
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


async def known_destinations(
    store: Store, rules: Rules | None, only: Stream | None, now: datetime
) -> Sequence[KnownDestination]:
    """Return the destinations of a stream, or of every stream, by stream and name; raises StoreError."""
    streams = list(Stream) if only is None else [only]
    # Who ends a hold may have no rules at hand, or others than who made it.
    known = [KnownDestination(Stream(one.stream), one.destination, one.lane) for one in await list_holds(store, now)]
    for stream in streams:
        async with store.session() as tx:
            backlogs = await list_backlogs(tx, stream)
        known += [KnownDestination(stream, name, backlog.lane) for name, backlog in backlogs.items()]
        book = rules.books.get(stream) if rules is not None else None
        known += [KnownDestination(stream, one.name, one.lane, one.kind) for one in (specs_of(book) if book else [])]
    found = {(one.stream, one.name): one for one in known if one.stream in streams}
    return [found[key] for key in sorted(found)]


async def _find_meant(store: Store, options: Namespace, now: datetime) -> KnownDestination:
    """Return the destination of the name that was given; raises BadUsage where there is none, or one in each stream."""
    known = await known_destinations(store, find_rules(options, now), stream_for(options.stream), now)
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
    held, is_extended, owed, now = asyncio.run(_hold(options, author.name, reason))
    if options.format == "json":
        print_json({**_document(held, owed), "extended": is_extended})
        return 0
    began = f", since {timestamp(held.since)}" if is_extended else ""
    lasts = duration_text(held.until - now)
    print_lines(
        [
            f"{held.stream} {held.destination}: held by {author}{began} until {timestamp(held.until)}, in {lasts} "
            f"({held.until.astimezone():%Y-%m-%d %H:%M %Z})",
            f"every worker obeys within 30 seconds; what is in flight is finished; {_owed_there(owed)}",
        ]
    )
    return 0


async def _hold(options: Namespace, author: str, reason: str) -> tuple[DestinationHold, bool, int, datetime]:
    # Beside a run at work, too: it reads what others set down.
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        known = await _find_meant(store, options, now)
        wanted = _hold_by(known, author, reason, now, now + options.duration)
        made = await hold_destination(store, wanted, now)
        return made.hold, made.extended is not None, await _count_owed(store, known), now


def release(options: Namespace) -> int:
    """Have a destination asked again that a person holds, and at once if it is paused."""
    author, reason = author_given(options.author), words_given("reason", options.reason)
    held, pause, owed = asyncio.run(_release(options, author.name, reason))
    if options.format == "json":
        print_json(_document(held, owed))
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
    print_lines([f"{held.stream} {held.destination}: released by {author}; {_owed_there(owed)}; {when}"])
    return 0


async def _release(options: Namespace, author: str, reason: str) -> tuple[DestinationHold, Pause | None, int]:
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        known = await _find_meant(store, options, now)
        released = await release_destination(store, known.stream, known.name, author=author, reason=reason, now=now)
        due = now + _SEEN if store.is_shared else now
        pause = await store.run(lambda tx: _end_wait(tx, known, due, now))
        if released is None and pause is not None:
            released = replace(_hold_by(known, author, reason, pause.since, now), released=now)
        if released is None:
            raise BadUsage(f"{known.name}: is held by nobody; alert-router destinations list says how each is")
        return released, pause, await _count_owed(store, known)


async def _end_wait(tx: Transaction, known: KnownDestination, due: datetime, now: datetime) -> Pause | None:
    """Have a destination that is paused probed at once, with what it is owed next; return its pause."""
    pause = (await list_pauses(tx, known.stream)).get(known.name)
    if pause is not None:
        await bring_forward(tx, known.stream, known.name, due)
        await take_probe(tx, pause, now)
    return pause


async def _count_owed(store: Store, known: KnownDestination) -> int:
    async with store.session() as tx:
        next = (await list_backlogs(tx, known.stream)).get(known.name)
    return next.owed if next is not None else 0


def _hold_by(known: KnownDestination, author: str, reason: str, since: datetime, until: datetime) -> DestinationHold:
    return DestinationHold(
        stream=known.stream,
        destination=known.name,
        lane=known.lane,
        author=author,
        reason=reason,
        since=since,
        until=until,
    )


def _owed_there(number: int) -> str:
    return f"{number} {'is' if number == 1 else 'are'} owed there"


def _document(held: DestinationHold, owed: int) -> dict[str, object]:
    where = {"stream": held.stream, "name": held.destination, "lane": held.lane}
    return {**where, **_span(held), "released": held.released, "owed": owed}


def _span(held: DestinationHold) -> dict[str, object]:
    return {"author": held.author, "reason": held.reason, "since": held.since, "until": held.until}


class DestinationStatus(Value, kw_only=True):
    """How a destination is.

    Attributes:
        lacks: what it needs and the settings lack, in words; empty where they lack nothing, None where that is not known: no
            rules name it, or it is asked by other settings than these.
        backlog: what is owed and dead there, due as far as pauses and holds go.
        has_delivered: whether it ever took a delivery.
    """

    destination: KnownDestination
    lacks: str | None
    paused: Pause | None
    held: DestinationHold | None
    backlog: Backlog
    has_delivered: bool

    @property
    def words(self) -> str:
        """How it is, in a few words."""
        found = {"held": self.held, "paused": self.paused, "not yet": self.lacks}
        words = [word for word, it in found.items() if it]
        return ", ".join([*words, *(["in no policy"] if self.destination.kind is None else [])]) or "ready"

    @property
    def remarks(self) -> list[str]:
        """What people should know of it, a line each."""
        lines = [words_of_hold(self.held)] if self.held is not None else []
        if self.paused is not None:
            since, probe = timestamp(self.paused.since), timestamp(self.paused.probe)
            lines.append(f"paused since {since}, probed next at {probe}: {self.paused.error}")
        lines += [f"not yet: {self.lacks}"] if self.lacks else []
        return [f"{self.destination.stream} {self.destination.name}: {plain(line)}" for line in lines]

    @property
    def figures(self) -> Mapping[str, object]:
        """What it is owed since when, when it is next asked, and how many were given up on."""
        it = self.backlog
        return {"owed": it.owed, "owed_since": it.oldest, "next_due": it.due, "dead": it.dead}


def show(options: Namespace) -> int:
    """Print how every destination is."""
    heads = ("stream", "destination", "kind", "lane", "is", "owed", "since", "next due", "dead")
    empty = "no destinations: the rules name none, and the state was told of none"
    found = asyncio.run(_statuses(options))
    code = print_list(options.format, found, _status_document, heads, _row, numbers=(5, 8), empty=empty)
    for line in (line for one in found if options.format == "text" for line in one.remarks):
        screen().print(line, soft_wrap=True)
    return code


async def _statuses(options: Namespace) -> Sequence[DestinationStatus]:
    rules = find_rules(options, clock_for(options.now)())
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        known = await known_destinations(store, rules, stream_for(options.stream), now)
        holds = HoldReader(store, {(one.stream, one.name): one.lane for one in known})
        streams = sorted({one.stream for one in known})
        async with store.session() as tx:
            pauses = {stream: await list_pauses(tx, stream) for stream in streams}
            reached = {(stream, name) for stream in streams for name in await list_delivered(tx, stream)}
        held = {stream: await holds.held_in(stream, now) for stream in streams}
        backlogs = {stream: await backlogs_in(store, stream, (), held[stream]) for stream in streams}
        # A shared state is served by other settings; their health page says what they lack.
        readiness = readiness_of(rules, Settings()) if rules is not None and not is_shared(options.state) else None
        lacking = {(one.stream, one.destination): one.why for one in readiness.unready} if readiness else {}
        return [
            DestinationStatus(
                destination=one,
                lacks=lacking.get((one.stream, one.name), "") if readiness and one.kind is not None else None,
                paused=pauses[one.stream].get(one.name),
                held=held[one.stream].get(one.name),
                backlog=backlogs[one.stream].get(one.name, Backlog(one.lane, None, 0)),
                has_delivered=(one.stream, one.name) in reached,
            )
            for one in known
        ]


def _row(one: DestinationStatus) -> tuple[object, ...]:
    it = one.destination
    return it.stream, it.name, it.kind, it.lane, one.words, *one.figures.values()


def _status_document(one: DestinationStatus) -> dict[str, object]:
    it, paused = one.destination, one.paused
    return {
        "stream": it.stream,
        "name": it.name,
        "kind": it.kind,
        "lane": it.lane,
        "ready": one.lacks == "" if one.lacks is not None else None,
        "lacks": one.lacks or None,
        "held": _span(one.held) if one.held is not None else None,
        "paused": {"since": paused.since, "probe": paused.probe, "error": paused.error} if paused is not None else None,
        **one.figures,
        "has_delivered": one.has_delivered,
    }
