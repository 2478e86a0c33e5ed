"""`alert-router destinations list|hold|release`: how each destination is, and who keeps it from being asked."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import NamedTuple

from router.app.destination_readiness import readiness_of
from router.app.rules import Rules, load_rules, specs_of
from router.app.settings import Settings
from router.cli.arguments import RULES_DIR
from router.cli.arguments import written as duration_written
from router.cli.funnel import dues_in
from router.cli.opened_state import is_shared, store_in
from router.cli.option_values import author_given, clock_for, stream_for, streams_in, words_given
from router.cli.printing import plain, print_json, print_lines
from router.cli.screen import print_list, screen
from router.cli.streams import complain
from router.deliver.delivery_loop import IDLE
from router.deliver.destination_holds import HoldReader, MadeHold, hold_destination, list_holds, release_destination
from router.domain.deliveries import Backlog, NextDue, Pause
from router.domain.destination_holds import DestinationHold, words_of_hold
from router.domain.errors import BadUsage, UserError
from router.domain.readable import timestamp
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.store.claims import bring_forward
from router.store.delivery_status import list_backlogs, list_next_due
from router.store.destinations import list_delivered, list_pauses, take_probe
from router.store.store import Store, Transaction


@dataclass(frozen=True, slots=True)
class KnownDestination:
    """A destination; its lane is that of the rules where they name it, and its kind None where they do not."""

    stream: Stream
    name: str
    lane: Lane
    kind: str | None

    def __str__(self) -> str:
        return f"{self.stream} {self.name}"


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
    """Return the destination of that name; raises BadUsage where there is none, or one in each stream."""
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
    """Keep a destination from being asked until an end."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationStatus:
    """How a destination is.

    Attributes:
        lacks: what it needs and the settings lack, in words; empty where they lack nothing, None where that is not known: no
            rules name it, or it is asked by other settings than these.
        backlog: what is open and dead there; None where it was never owed anything.
        next: when it is next asked, as far as pauses and holds go, and how much it is owed; None where it is owed nothing.
        has_delivered: whether it ever took a delivery.
    """

    destination: KnownDestination
    lacks: str | None
    paused: Pause | None
    held: DestinationHold | None
    backlog: Backlog | None
    next: NextDue | None
    has_delivered: bool

    @property
    def words(self) -> str:
        """How it is, in a few words."""
        found = ["held"] if self.held is not None else []
        found += ["paused"] if self.paused is not None else []
        found += ["not yet"] if self.lacks else []
        found += ["in no policy"] if self.destination.kind is None else []
        return ", ".join(found) or "ready"

    @property
    def remarks(self) -> list[str]:
        """What people should know of it, a line each."""
        lines = [words_of_hold(self.held)] if self.held is not None else []
        if self.paused is not None:
            since, probe = timestamp(self.paused.since), timestamp(self.paused.probe)
            lines.append(f"paused since {since}, probed next at {probe}: {self.paused.error}")
        lines += [f"not yet: {self.lacks}"] if self.lacks else []
        return [f"{self.destination}: {plain(line)}" for line in lines]


def show(options: Namespace) -> int:
    """Print how every destination is."""
    heads = ("stream", "destination", "kind", "lane", "is", "owed", "since", "next due", "dead")
    empty = "no destinations: the rules name none, and the state was told of none"
    found = asyncio.run(_statuses(options))
    code = print_list(options.format, found, document_of, heads, _row, numbers=(5, 8), empty=empty)
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
            backlogs = {stream: await list_backlogs(tx, stream) for stream in streams}
            pauses = {stream: await list_pauses(tx, stream) for stream in streams}
            reached = {(stream, name) for stream in streams for name in await list_delivered(tx, stream)}
        held = {stream: await holds.held_in(stream, now) for stream in streams}
        dues = {stream: await dues_in(store, stream, (), held[stream]) for stream in streams}
        # A shared state is served by other settings; their health page says what they lack.
        readiness = readiness_of(rules, Settings()) if rules is not None and not is_shared(options.state) else None
        lacking = {(one.stream, one.destination): one.why for one in readiness.unready} if readiness else {}
        return [
            DestinationStatus(
                destination=one,
                lacks=lacking.get((one.stream, one.name), "") if readiness and one.kind is not None else None,
                paused=pauses[one.stream].get(one.name),
                held=held[one.stream].get(one.name),
                backlog=backlogs[one.stream].get(one.name),
                next=dues[one.stream].get(one.name),
                has_delivered=(one.stream, one.name) in reached,
            )
            for one in known
        ]


def _row(one: DestinationStatus) -> tuple[object, ...]:
    it, backlog, next = one.destination, one.backlog, one.next
    since = timestamp(backlog.oldest) if backlog is not None and backlog.oldest is not None else None
    due = timestamp(next.due) if next is not None else None
    dead = backlog.dead if backlog is not None else 0
    return it.stream, it.name, it.kind, it.lane, one.words, next.owed if next is not None else 0, since, due, dead


def document_of(one: DestinationStatus) -> dict[str, object]:
    """Return how a destination is, for programs."""
    it, held, paused = one.destination, one.held, one.paused
    return {
        "stream": it.stream.value,
        "name": it.name,
        "kind": it.kind,
        "lane": it.lane.value,
        "ready": one.lacks == "" if one.lacks is not None else None,
        "lacks": one.lacks or None,
        "held": {
            "author": held.author,
            "reason": held.reason,
            "since": timestamp(held.since),
            "until": timestamp(held.until),
        }
        if held is not None
        else None,
        "paused": {"since": timestamp(paused.since), "probe": timestamp(paused.probe), "error": paused.error}
        if paused is not None
        else None,
        "owed": one.next.owed if one.next is not None else 0,
        "owed_since": timestamp(one.backlog.oldest) if one.backlog is not None and one.backlog.oldest else None,
        "next_due": timestamp(one.next.due) if one.next is not None else None,
        "dead": one.backlog.dead if one.backlog is not None else 0,
        "has_delivered": one.has_delivered,
    }
