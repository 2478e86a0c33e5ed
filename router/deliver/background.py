"""Reads what the state knows beside a notice, just before it is sent to people. A courtesy: nothing waits or fails for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import timedelta

from router.domain.background import NO_BACKGROUND, Background, Counterpart, Earlier
from router.domain.decisions import Change
from router.domain.deliveries import SUSPECT, Claim, Delivery
from router.domain.errors import StoreError, Undecodable
from router.domain.histories import History, Notified, find_notified
from router.domain.keys import signal_key, written_key
from router.domain.lookups import earlier_of
from router.domain.notices import ANNOUNCEMENT, Notice
from router.domain.ports.deliver import Histories, Memberships, SignalMemory
from router.domain.rulebook import DestinationSpec
from router.domain.signals import Kind

MOST_SIGNALS = 100
"""Signals at a resource that are looked at for how often the same happened there before."""

LONGEST_READ = timedelta(seconds=5)
"""How long storage may take; a notice goes without what it has not brought by then."""

SHARE_OF_LEASE = 0.1
"""The most that a read takes of the time for which a claim is one worker's alone."""


async def no_background(_: Claim) -> Background:
    """Nothing is known beside the notice: what goes to no people, and what needs none."""
    return NO_BACKGROUND


class BackgroundReader:
    """Reads backgrounds for a destination of a stream, which is in the page or ticket lane.

    `others` are the stream's other destinations in these lanes; `lease` is how long a claim of the destination lasts.

    Storage is asked at most once for what the destination was told before, twice for each other destination, and once for what
    happened before, which is a request to each of a stream's partitions in Azure.
    """

    def __init__(
        self,
        spec: DestinationSpec,
        others: Sequence[DestinationSpec],
        *,
        outbox: Histories,
        groups: Memberships,
        record: SignalMemory,
        lease: timedelta,
    ) -> None:
        self._spec = spec
        self._others = others
        self._outbox = outbox
        self._groups = groups
        self._record = record
        self._longest = min(LONGEST_READ, lease * SHARE_OF_LEASE).total_seconds()

    async def read(self, claim: Claim) -> Background:
        """What the state knows beside a claim that is about to be sent; raises nothing."""
        delivery = claim.delivery
        # What killed workers is tried with nothing beside it.
        if not isinstance(notice := delivery.content, Notice) or claim.lost >= SUSPECT:
            return NO_BACKGROUND
        if notice.kind == ANNOUNCEMENT:
            # It is about no signal.
            return NO_BACKGROUND
        history, elsewhere, earlier = await asyncio.gather(
            self._or(History(), self._read_history(claim)),
            self._or((), self._read_elsewhere(delivery, notice)),
            self._or(None, self._read_earlier(claim, notice)),
        )
        return Background(
            last=history.last, handles=history.handles, opened=history.opened, elsewhere=elsewhere, earlier=earlier
        )

    async def _or[T](self, otherwise: T, read: Awaitable[T]) -> T:
        """What a read brings, or something else where storage does not answer in time, or with damage."""
        try:
            async with asyncio.timeout(self._longest):
                return await read
        except (StoreError, Undecodable, TimeoutError):
            return otherwise

    async def _read_history(self, claim: Claim) -> History:
        """What the destination was told since the signal opened there; of an opening nothing but since when it is owed."""
        one = claim.delivery
        if one.change is Change.OPENED:
            return History(opened=claim.born)
        return await self._outbox.find_history(one.stream, one.destination, one.key, one.opened)

    async def _read_elsewhere(self, delivery: Delivery, notice: Notice) -> tuple[Counterpart, ...]:
        """Where else the signal is open of which the notice speaks, those first that were told first."""
        if _is_summary(notice):
            return ()
        key = _signal_in(notice) if self._spec.is_grouped else delivery.key
        found = await asyncio.gather(*(self._find_notified(delivery.stream, other, key) for other in self._others))
        told = [(one.at, spec, one) for spec, one in zip(self._others, found, strict=True) if one is not None]
        return tuple(
            Counterpart(destination=spec.name, lane=spec.lane, reference=one.receipt.reference, link=one.receipt.link)
            for _, spec, one in sorted(told, key=lambda it: (it[0], it[1].name))
        )

    async def _find_notified(self, stream: str, other: DestinationSpec, key: str) -> Notified | None:
        if other.is_grouped:
            states = await self._groups.read_aggregation(stream, other.name, members=[key])
            member = states.members.get(key)
            if member is None or not member.stands:
                return None
            key = member.group
        return find_notified(await self._outbox.deliveries_at(stream, other.name, key))

    async def _read_earlier(self, claim: Claim, notice: Notice) -> Earlier | None:
        """How often the same alert was raised on the same resource before this one, which opens."""
        is_opening = claim.delivery.change is Change.OPENED and notice.kind == Kind.ALERT
        if not is_opening or notice.resource is None or _is_summary(notice):
            return None
        found = await self._record.signals_at(notice.stream, notice.resource, MOST_SIGNALS + 1)
        named = {one.key for one in notice.group.named} if notice.group is not None else set()
        return earlier_of(found, notice, claim.born, named, MOST_SIGNALS)


def _is_summary(notice: Notice) -> bool:
    """Whether it speaks of what a limit holds back, in the words of one of many."""
    return notice.group is not None and notice.group.limited


def _signal_in(notice: Notice) -> str:
    """The key of the signal in whose words a group's notice is: as the group names it, if it does."""
    # A later program may know kinds that this one does not.
    kind = Kind(notice.kind) if notice.kind in Kind else None
    if kind is None:
        return notice.key
    kinds = [kind, *([kind.other] if kind.other is not None else [])]
    key = signal_key(notice.stream, kind, notice.id)
    # Where only the group's state knew its member, its key stands for the id.
    known = [
        notice.id,
        key,
        *(make(notice.stream, one, notice.id) for one in kinds for make in (signal_key, written_key)),
    ]
    named = {one.key for one in notice.group.named} if notice.group is not None else set()
    return next((one for one in known if one in named), key)
