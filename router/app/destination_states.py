"""How each destination is, and how people hold one, so that it is not asked, and release it. Both are on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from router.app.destination_readiness import Unready
from router.app.rules import Rules, specs_of
from router.deliver.delivery_loop import IDLE
from router.deliver.destination_holds import (
    HoldReader,
    change_of_hold,
    hold_destination,
    list_holds,
    plan_hold,
    release_destination,
)
from router.domain.deliveries import Backlog, Pause
from router.domain.destination_holds import DestinationHold, words_of_hold
from router.domain.readable import timestamp
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.domain.values import Value
from router.store.changes import ChangeAction, write_change
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
        words = [word for word, it in found.items() if it] + ["in no policy"] * (self.destination.kind is None)
        return ", ".join(words) or ("ready" if self.lacks is not None else "not known here")

    @property
    def remarks(self) -> list[str]:
        """What people should know of it, a line each."""
        lines = [words_of_hold(self.held)] if self.held is not None else []
        if self.paused is not None:
            since, probe = timestamp(self.paused.since), timestamp(self.paused.probe)
            lines.append(f"paused since {since}, probed next at {probe}: {self.paused.error}")
        return [*lines, *([f"not yet: {self.lacks}"] if self.lacks else [])]

    @property
    def figures(self) -> Mapping[str, object]:
        """What it is owed since when, when it is next asked, and how many were given up on."""
        it = self.backlog
        return {"owed": it.owed, "owed_since": it.oldest, "next_due": it.due, "dead": it.dead}

    @property
    def document(self) -> dict[str, object]:
        """The same for programs."""
        it, paused = self.destination, self.paused
        return {
            "stream": it.stream,
            "name": it.name,
            "kind": it.kind,
            "lane": it.lane,
            "ready": self.lacks == "" if self.lacks is not None else None,
            "lacks": self.lacks or None,
            "held": _span(self.held) if self.held is not None else None,
            "paused": {"since": paused.since, "probe": paused.probe, "error": paused.error}
            if paused is not None
            else None,
            **self.figures,
            "has_delivered": self.has_delivered,
        }


async def read_statuses(
    store: Store, known: Sequence[KnownDestination], unready: Sequence[Unready] | None, now: datetime
) -> list[DestinationStatus]:
    """Return how some destinations are. `unready` are those that lack something; None where they are asked by other settings.

    Raises StoreError.
    """
    holds = HoldReader(store, {(one.stream, one.name): one.lane for one in known})
    streams = sorted({one.stream for one in known})
    async with store.session() as tx:
        pauses = {stream: await list_pauses(tx, stream) for stream in streams}
        reached = {(stream, name) for stream in streams for name in await list_delivered(tx, stream)}
    held = {stream: await holds.held_in(stream, now) for stream in streams}
    backlogs = {stream: await read_backlogs(store, stream, (), held[stream]) for stream in streams}
    lacking = {(one.stream, one.destination): one.why for one in unready or ()}
    return [
        DestinationStatus(
            destination=one,
            lacks=lacking.get((one.stream, one.name), "") if unready is not None and one.kind is not None else None,
            paused=pauses[one.stream].get(one.name),
            held=held[one.stream].get(one.name),
            backlog=backlogs[one.stream].get(one.name, Backlog(one.lane, None, 0)),
            has_delivered=(one.stream, one.name) in reached,
        )
        for one in known
    ]


async def read_backlogs(
    store: Store, stream: str, unready: Sequence[Unready], held: Mapping[str, DestinationHold]
) -> Mapping[str, Backlog]:
    """Return what each destination is owed, due when it is next tried.

    A paused one is tried when it is probed, one that a person holds when that ends, and one that is not ready never.
    """
    left = {one.destination for one in unready if one.stream == stream}
    async with store.session() as tx:
        pauses, backlogs = await list_pauses(tx, stream), await list_backlogs(tx, stream)
    found: dict[str, Backlog] = {}
    for name, one in backlogs.items():
        ends = [pauses[name].probe] if name in pauses else []
        ends += [held[name].ends] if name in held else []
        found[name] = one._replace(due=max([one.due, *ends]) if one.due is not None and name not in left else None)
    return found


class HeldDestination(NamedTuple):
    """A hold that was made, or would be, and how many deliveries wait for its end.

    Attributes:
        is_extended: whether it goes on with an earlier one, and is counted from that one's start.
    """

    hold: DestinationHold
    is_extended: bool
    owed: int

    @property
    def document(self) -> dict[str, object]:
        """The same for programs."""
        return {**_document(self.hold, self.owed), "extended": self.is_extended}


class ReleasedDestination(NamedTuple):
    """A destination that is asked again: the hold that ended, or as if there had been one, and how many deliveries go on.

    Attributes:
        pause: the pause that it still has; it is probed at once.
    """

    hold: DestinationHold
    pause: Pause | None
    owed: int

    @property
    def document(self) -> dict[str, object]:
        """The same for programs."""
        return _document(self.hold, self.owed)


async def hold(
    store: Store, known: KnownDestination, until: datetime, now: datetime, *, author: str, reason: str
) -> HeldDestination:
    """Keep a destination from being asked until an end; raises BadField where that is not allowed, and StoreError."""
    # Before it is made: what fails after that would seem to have made none.
    owed = await _read_owed(store, known)
    made = await hold_destination(store, _hold_by(known, author, reason, now, until), now)
    return HeldDestination(made.hold, made.extended is not None, owed)


async def preview_hold(store: Store, known: KnownDestination, until: datetime, now: datetime) -> HeldDestination:
    """Return the hold that would be made, and what it would keep waiting; raises as `hold` does."""
    planned = await plan_hold(store, _hold_by(known, "", "", now, until), now)
    return HeldDestination(planned.hold, planned.extended is not None, await _read_owed(store, known))


async def release(
    store: Store, known: KnownDestination, now: datetime, *, author: str, reason: str
) -> ReleasedDestination | None:
    """Have a destination asked again that is held, and at once if it is paused; None where it is neither.

    Raises StoreError.
    """

    async def work(tx: Transaction) -> ReleasedDestination | None:
        held = await release_destination(store, known.stream, known.name, author=author, reason=reason, now=now)
        pause = (await list_pauses(tx, known.stream)).get(known.name)
        if pause is not None:
            # With what it is owed next.
            await bring_forward(tx, known.stream, known.name, now + _SEEN if store.is_shared else now)
            await take_probe(tx, pause, now)
        if held is None and pause is not None:
            held = replace(_hold_by(known, author, reason, pause.since, now), released=now)
            await write_change(tx, change_of_hold(held, ChangeAction.RELEASED, author, reason, now))
        return ReleasedDestination(held, pause, await _read_owed(store, known)) if held is not None else None

    return await store.run(work)


async def _read_owed(store: Store, known: KnownDestination) -> int:
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


def _document(held: DestinationHold, owed: int) -> dict[str, object]:
    where = {"stream": held.stream, "name": held.destination, "lane": held.lane}
    return {**where, **_span(held), "released": held.released, "owed": owed}


def _span(held: DestinationHold) -> dict[str, object]:
    return {"author": held.author, "reason": held.reason, "since": held.since, "until": held.until}
