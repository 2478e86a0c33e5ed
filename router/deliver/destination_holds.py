"""Which destinations persons hold: read for all workers of a process together, and changed by a person."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from copy import replace
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from router.domain.clocks import SKEW
from router.domain.deliveries import LONGEST_HOLD
from router.domain.destination_holds import DestinationHold, holds_in_force, id_of_hold
from router.domain.documents import DocumentKind, Version
from router.domain.errors import BadField
from router.domain.readable import timestamp
from router.domain.rulebook import Lane
from router.store.changes import ChangeAction, ChangeEntry, put_with_change
from router.store.documents import document_of_hold, find_document, find_value, list_documents, read_values
from router.store.store import Store

FRESH = timedelta(seconds=15)
"""How long what was read about holds is trusted: a hold is obeyed within that, and a conversation that is under way."""


class HoldReader:
    """The holds that are in force, read at most every 15 seconds; raises StoreError.

    `lanes` are those in which destinations are delivered to now, by stream and name: they bound a hold. `ticks` counts seconds,
    whatever the clock says: a time to deliver at may stand still.
    """

    def __init__(
        self,
        store: Store,
        lanes: Mapping[tuple[str, str], Lane] = MappingProxyType({}),
        *,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._ticks = ticks
        self._read_at: datetime | None = None
        self._ticked = 0.0
        self._holds: tuple[DestinationHold, ...] = ()
        self._lock = asyncio.Lock()

    async def held_in(self, stream: str, now: datetime) -> Mapping[str, DestinationHold]:
        """The destinations of a stream that are held now, by name."""
        if not self._is_fresh(now):
            async with self._lock:
                if not self._is_fresh(now):
                    ticked = self._ticks()
                    async with self._store.session() as tx:
                        documents = await list_documents(tx, DocumentKind.HOLD, now - SKEW)
                    lanes = self._lanes
                    self._holds = tuple(
                        one.in_lane(lanes.get((one.stream, one.destination), one.lane))
                        for one in read_values(DestinationHold, documents).values
                    )
                    self._read_at, self._ticked = now, ticked
        return {hold.destination: hold for hold in holds_in_force(self._holds, now) if hold.stream == stream}

    def _is_fresh(self, now: datetime) -> bool:
        """Whether it was read a while ago at most, and by no clock that was set back since."""
        if self._read_at is None or self._ticks() - self._ticked > FRESH.total_seconds():
            return False
        return timedelta() <= now - self._read_at <= FRESH


class MadeHold(NamedTuple):
    """A hold as it was written, and the one that it extends; None where it is a new one."""

    hold: DestinationHold
    extended: DestinationHold | None


async def hold_destination(store: Store, wanted: DestinationHold, now: datetime) -> MadeHold:
    """Holds a destination, and puts on record who did; raises BadField where that is not allowed, and StoreError."""
    while True:
        known, version = await _find(store, wanted.stream, wanted.destination)
        made = MadeHold(*hold_after(known, wanted, now))
        change = change_of_hold(made.hold, ChangeAction.HELD, wanted.author, wanted.reason, now)
        if await store.run(partial(put_with_change, document=document_of_hold(made.hold, version), change=change)):
            return made


async def plan_hold(store: Store, wanted: DestinationHold, now: datetime) -> MadeHold:
    """The hold that would be made, which is not; raises as `hold_destination` does."""
    known, _ = await _find(store, wanted.stream, wanted.destination)
    return MadeHold(*hold_after(known, wanted, now))


async def release_destination(
    store: Store, stream: str, destination: str, *, author: str, reason: str, now: datetime
) -> DestinationHold | None:
    """Ends a hold, and puts on record who did; the hold as it is then, None where the destination is not held.

    Raises StoreError.
    """
    while True:
        known, version = await _find(store, stream, destination)
        if known is None or not known.is_in_force(now):
            return None
        released = replace(known, released=now)
        change = change_of_hold(released, ChangeAction.RELEASED, author, reason, now)
        if await store.run(partial(put_with_change, document=document_of_hold(released, version), change=change)):
            return released


async def list_holds(store: Store, now: datetime) -> Sequence[DestinationHold]:
    """The holds of every stream that are in force now; raises StoreError."""
    async with store.session() as tx:
        documents = await list_documents(tx, DocumentKind.HOLD, now - SKEW)
    return holds_in_force(read_values(DestinationHold, documents).values, now)


async def _find(store: Store, stream: str, destination: str) -> tuple[DestinationHold | None, Version | None]:
    """The last hold of a destination, and the version of its document; one that does not decode is written over."""
    async with store.session() as tx:
        document = await find_document(tx, DocumentKind.HOLD, id_of_hold(stream, destination))
    return (find_value(DestinationHold, document.body), document.version) if document is not None else (None, None)


def change_of_hold(hold: DestinationHold, action: ChangeAction, author: str, reason: str, now: datetime) -> ChangeEntry:
    """The change that makes a hold what it is since then."""
    return ChangeEntry(
        at=now,
        author=author,
        action=action,
        stream=hold.stream,
        subject=hold.destination,
        reason=reason,
        detail={"since": timestamp(hold.since), "ends": timestamp(hold.ends)},
    )


APART = timedelta(hours=1)
"""How long a destination is free before another hold counts as a new one."""


def hold_after(
    known: DestinationHold | None, wanted: DestinationHold, now: datetime
) -> tuple[DestinationHold, DestinationHold | None]:
    """The hold that a wish makes, which begins now, and the one that it extends; None where it extends none.

    `known` is the last hold of the same destination, which may have been in another lane then. Raises BadField where it would
    end later than it may, or at no later instant than it begins.
    """
    if wanted.until <= now:
        raise BadField(
            "", f"cannot be held until {timestamp(wanted.until)}, which is over; name a time to come with `for`"
        )
    known = known.in_lane(wanted.lane) if known is not None else None
    extended = known if known is not None and _counts_on(known, now) else None
    hold = wanted if extended is None else replace(wanted, since=min(extended.since, now))
    if hold.until > hold.latest_end:
        hours = LONGEST_HOLD[hold.lane] // timedelta(hours=1)
        bound = f"a destination of the {hold.lane} lane is held for {hours} h at most"
        if extended is None:
            raise BadField("", f"cannot be held for so long: {bound}; name a shorter time with `for`")
        if hold.latest_end > now:
            beyond = timestamp(hold.latest_end)
            raise BadField("", f"cannot be held beyond {beyond}: {bound}, and it is since {timestamp(hold.since)}")
        again = f"again from {timestamp(extended.ends + APART)} on, an hour after that ended"
        raise BadField("", f"cannot be held now: {bound}, and it was since {timestamp(hold.since)}; {again}")
    return hold, extended


def _counts_on(known: DestinationHold, now: datetime) -> bool:
    """Whether a hold that begins now extends another one."""
    return known.is_possible(now) and now - known.ends < APART
