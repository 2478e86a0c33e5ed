"""What works and what is late, as a person or a monitor reads it. No secrets are in it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from copy import replace
from datetime import datetime, timedelta
from typing import Any

from router.app.destination_readiness import Unready, remarks_on
from router.app.rules import lanes_of
from router.deliver.destination_holds import HoldReader
from router.domain import readable
from router.domain.clocks import is_possible
from router.domain.deliveries import Backlog, Pause
from router.domain.destination_holds import DestinationHold, words_of_hold
from router.domain.documents import DocumentKind
from router.domain.errors import HubError, StoreError, without_words
from router.domain.hubs import Extent, Partition
from router.domain.rulebook import Lane, Rulebook
from router.domain.signals import Stream
from router.domain.silent_sources import DOWN, SourceWatch
from router.domain.values import Value
from router.ingest.gaps import Hub, lag_of
from router.store import partitions
from router.store.changes import ChangeAction, find_changes
from router.store.delivery_status import list_backlogs
from router.store.destinations import list_pauses, pauses_among, refused_keys_among
from router.store.documents import find_document, find_value, list_documents, read_silences
from router.store.groups import count_waiting
from router.store.quarantine import count_damaged_rows
from router.store.sources import count_silent
from router.store.store import Store, Transaction

LATE = {Lane.PAGE: timedelta(minutes=2), Lane.TICKET: timedelta(minutes=15), Lane.ROWS: timedelta(minutes=30)}
"""How old the oldest delivery of a lane may be before the lane is late."""

STALE = timedelta(minutes=5)
"""How long ago the last sweep may have ended; one begins every minute."""

RECENT = timedelta(days=7)
"""How long it is a problem that events were lost, or that the state was restored."""

PATIENCE = timedelta(seconds=25)
"""How long the state and hubs are waited for; a reader of the page waits no longer than half a minute."""


class Health(Value):
    """How the router is, or a part of it: problems, a line each, and the figures behind them, ready for JSON.

    Destinations that cannot be asked yet, and those that persons hold, have a line each. That by itself is no problem, though
    what waits there becomes late.
    """

    problems: Sequence[str]
    figures: Mapping[str, Any]
    not_yet: Sequence[str] = ()
    held: Sequence[str] = ()

    @property
    def document(self) -> dict[str, Any]:
        """The health page."""
        return {
            "status": "failing" if self.problems else "ok",
            "problems": list(self.problems),
            "not_yet": list(self.not_yet),
            "held": list(self.held),
            **self.figures,
        }


async def health_of(
    store: Store,
    hubs: Mapping[Stream, Hub],
    books: Mapping[Stream, Rulebook],
    now: datetime,
    patience: timedelta = PATIENCE,
    *,
    unready: Sequence[Unready] = (),
    problems: Sequence[str] = (),
) -> Health:
    """Return the health of the router now, with problems that are known from elsewhere.

    What cannot be asked, or does not answer in time, is a problem and no error.
    """
    holds = HoldReader(store, lanes_of(books.values()))
    questions = [
        question
        for stream, book in books.items()
        for question in (
            _within(patience, f"{stream}: state", _read_state(store, stream.value, unready, holds, now)),
            _within(patience, f"{stream}: hub {hubs[stream].name}", _read_hub(store, hubs[stream])),
        )
    ]
    parts = await asyncio.gather(*questions)
    streams = {
        stream.value: {"rulebook": book.hash, **stored.figures, "hub": hub.figures}
        for (stream, book), stored, hub in zip(books.items(), parts[::2], parts[1::2], strict=True)
    }
    found = dict.fromkeys([*problems, *(problem for part in parts for problem in part.problems)])
    not_yet = tuple(line for part in parts for line in part.not_yet)
    held = tuple(line for part in parts for line in part.held)
    return Health(tuple(found), {"at": _written(now), "streams": streams}, not_yet, held)


async def look_at_state(store: Store, unready: Sequence[Unready], patience: timedelta) -> Health:
    """Return why nothing can be written to the state now, a problem, and which destinations cannot be asked, which is none."""
    return await _within(patience, store.name, _read_writable(store, unready))


async def _read_writable(store: Store, unready: Sequence[Unready] = ()) -> Health:
    try:
        await store.refuse_unwritable()
        remarks = await remarks_on(store, unready) if unready else ()
    except StoreError as fault:
        return Health([str(fault)], {})
    return Health([], {}, [one.text for one in remarks])


async def _within(patience: timedelta, what: str, question: Coroutine[Any, Any, Health]) -> Health:
    """Return the answer to a question, or that it did not come in time.

    Nothing waits for it any longer then: a question that hangs may hang on being cancelled, too.
    """
    asked = asyncio.create_task(question)
    asked.add_done_callback(_forget)
    try:
        await asyncio.wait([asked], timeout=patience.total_seconds())
        if asked.done():
            return asked.result()
    finally:
        asked.cancel()
    return Health([f"{what}: no answer within {patience.total_seconds():g} s"], {})


def _forget(asked: asyncio.Task[Health]) -> None:
    """Look at how a question ended, since asyncio logs a fault at which nothing looks."""
    if not asked.cancelled():
        asked.exception()


async def _read_state(
    store: Store, stream: str, unready: Sequence[Unready], holds: HoldReader, now: datetime
) -> Health:
    if troubles := (await _read_writable(store)).problems:
        return Health([f"{stream}: {trouble}" for trouble in troubles], {})
    health = await read_state_health(store, stream, unready, holds, now)
    never = [f"{stream}: the last sweep ended never"] if health.figures.get("swept", "") is None else []
    return replace(health, problems=[*health.problems, *never])


async def read_state_health(
    store: Store, stream: str, unready: Sequence[Unready], holds: HoldReader, now: datetime
) -> Health:
    """Return what the state says of a stream's health; that it cannot be asked is a problem and no error."""
    problems: list[str] = []
    try:
        remarks = await remarks_on(store, [one for one in unready if one.stream == stream])
        problems += [remark.text for remark in remarks if remark.is_problem]
        not_yet = [remark.text for remark in remarks if not remark.is_problem]
        held = await holds.held_in(stream, now)
        lines = [f"{stream} {name}: {readable.one_line(words_of_hold(hold))}" for name, hold in held.items()]
        return Health(problems, await _figures(store, stream, problems, held, now), not_yet, lines)
    except StoreError as fault:
        return Health([*problems, f"{stream}: {fault}"], {})


async def _read_hub(store: Store, hub: Hub) -> Health:
    try:
        extents = await hub.read_extents()
    except HubError as fault:
        return Health([f"{hub.name}: {fault}"], {"reached": False})
    try:
        lag = {
            partition.id: await _lag(store, partition, extent)
            for partition, extent in extents.items()
            if isinstance(extent, Extent)
        }
    except StoreError as fault:
        return Health([f"{hub.name}: {fault}"], {"reached": True})
    silent = [f"{hub.name}: {fault}" for fault in extents.values() if isinstance(fault, HubError)]
    return Health(silent, {"reached": True, "lag": lag})


async def _figures(
    store: Store, stream: str, problems: list[str], held: Mapping[str, DestinationHold], now: datetime
) -> dict[str, Any]:
    async with store.session() as tx:
        backlog, pauses = await list_backlogs(tx, stream), await list_pauses(tx, stream)
        swept, losses = await partitions.find_last_sweep(tx, stream), await partitions.read_losses(tx, stream)
        waiting, set_aside = await count_waiting(tx, stream), await count_damaged_rows(tx, stream)
        problems += await _list_forgotten(tx, stream, now)
    for name, one in backlog.items():
        if one.oldest is not None and now - one.oldest > LATE[one.lane]:
            problems.append(f"{stream} {name}: the oldest of its deliveries waits since {_written(one.oldest)}")
        if one.dead:
            problems.append(f"{stream} {name}: {readable.counted(one.dead, 'dead letter')}")
    problems += [
        f"{stream} {name}: refuses our credentials since {_written(one.since)}"
        for name, one in pauses_among(pauses).items()
    ]
    problems += [
        f"{stream} {readable.one_line(one.error)}, since {_written(one.since)}"
        for one in refused_keys_among(pauses, now).values()
    ]
    if swept is not None and (now - swept > STALE or not is_possible(swept, now)):
        problems.append(f"{stream}: the last sweep ended {_written(swept)}")
    if set_aside:
        problems.append(f"{stream}: {set_aside} damaged rows of the state are set aside in the quarantine")
    recent = [loss for loss in losses if now - loss.at < RECENT]
    lost = sum(loss.span.last - loss.span.first + 1 for loss in recent)
    if recent:
        problems.append(f"{stream}: {lost} events were lost in the last 7 days")
    sources: dict[str, Any] = {}
    if stream == Stream.CSPM:
        async with store.session() as tx:
            document = await find_document(tx, DocumentKind.SILENT_SOURCES, stream)
            watch = find_value(SourceWatch, document.body) if document is not None else None
            if watch is not None:
                taken, silent = _written(watch.taken), await count_silent(tx)
                sources = {"sources": {"silent": silent, "unmatched": list(watch.unmatched), "judged": taken}}
                if now - watch.taken > DOWN:
                    problems.append(f"{stream}: no source was judged silent or not since {taken}")
    return {
        "swept": _written(swept) if swept else None,
        "set_aside": set_aside,
        **sources,
        "destinations": {
            name: _row(one, pauses.get(name), held.get(name), waiting[name], now)
            for name, one in sorted(backlog.items())
        },
        "lost": [
            {
                "hub": one.epoch.partition.hub,
                "partition": one.epoch.partition.id,
                "epoch": one.epoch.number,
                "first": one.span.first,
                "last": one.span.last,
                "at": _written(one.at),
            }
            for one in recent
        ],
    }


async def _list_forgotten(tx: Transaction, stream: str, now: datetime) -> list[str]:
    """Return what a state that was put back cannot know, and which silences in it may have been ended since."""
    changes = (await find_changes(tx, [ChangeAction.RESTORED])).get(ChangeAction.RESTORED, ())
    restores = [one for one in changes if one.action is ChangeAction.RESTORED and now - one.at < RECENT]
    silences = read_silences(await list_documents(tx, DocumentKind.SILENCE, now)).values if restores else ()
    acts = await find_changes(tx, [one.id for one in silences])
    gone = "silences and holds made, extended or ended in between are as if they were not"
    lines = [
        f"the state was put back {_written(one.at)} as it was {one.detail.get('until')}; {gone}" for one in restores
    ]
    lines += [
        f"silence {one.id} of {one.author} until {_written(one.end)} is back, if it was ended before that"
        for one in silences
        if one.stream == stream and not any(act.at >= restores[-1].at for act in acts.get(one.id, ()))
    ]
    return [f"{stream}: {readable.one_line(line)}" for line in lines]


def _row(
    one: Backlog, pause: Pause | None, hold: DestinationHold | None, waiting: int, now: datetime
) -> dict[str, Any]:
    oldest = (now - one.oldest).total_seconds() if one.oldest is not None else None
    return {
        "lane": one.lane.value,
        "oldest_seconds": round(oldest, 1) if oldest is not None else None,
        "dead": one.dead,
        "waiting": waiting,
        "paused": without_words(pause.error) if pause is not None else None,
        "held_until": _written(hold.ends) if hold is not None else None,
    }


async def _lag(store: Store, partition: Partition, extent: Extent) -> int:
    """How many events of a partition were not taken in yet."""
    async with store.session() as tx:
        known = await partitions.find_partition(tx, partition)
        _, done = await partitions.read_done(tx, known.epoch) if known is not None else ([], [])
    return lag_of(known, done, extent)


def _written(time: datetime) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")
