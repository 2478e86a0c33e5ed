"""`alert-router destinations list`: whether each destination can be asked, and what it is owed."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass

from router.app.destination_readiness import readiness_of
from router.app.settings import Settings
from router.cli.destinations import KnownDestination, find_rules, known_destinations
from router.cli.funnel import dues_in
from router.cli.given import clock_for, stream_for
from router.cli.opened_state import is_shared, store_in
from router.cli.printing import plain, print_json
from router.cli.screen import print_table, screen, table_of
from router.deliver.destination_holds import HoldReader
from router.domain.deliveries import Backlog, NextDue, Pause
from router.domain.destination_holds import DestinationHold, words_of_hold
from router.domain.texts import timestamp
from router.store.delivery_status import list_backlogs
from router.store.destinations import has_delivered, list_pauses


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationStatus:
    """How a destination is.

    Attributes:
        destination: the destination.
        lacks: what it needs and the settings lack, in words; empty where they lack nothing, None where nobody can say: no
            rules name it, or other settings than these are those of who asks it.
        paused: its pause; None where it takes our credentials.
        held: the hold of it; None where nobody holds it.
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
    """Prints how every destination is."""
    found = asyncio.run(_statuses(options))
    if options.format == "json":
        print_json([document_of(one) for one in found])
        return 0
    if not found:
        screen().print("no destinations: the rules name none, and the state was told of none")
        return 0
    heads = ("stream", "destination", "kind", "lane", "is", "owed", "since", "next due", "dead")
    print_table(screen(), table_of(heads, map(_row, found), numbers=(5, 8)), indent=0)
    for line in (line for one in found for line in one.remarks):
        screen().print(line, soft_wrap=True)
    return 0


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
            reached = {(one.stream, one.name) for one in known if await has_delivered(tx, one.stream, one.name)}
        held = {stream: await holds.held_in(stream, now) for stream in streams}
        dues = {stream: await dues_in(store, stream, (), held[stream]) for stream in streams}
        # Who serves a shared state has settings of its own, and says on its health page what they lack.
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
    """How a destination is, for programs."""
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
