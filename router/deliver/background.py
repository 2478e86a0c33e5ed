"""Reads what the state knows beside notices, just before they are sent to people. A courtesy: nothing waits or fails for it.

A worker claims many deliveries at once, and what the state knows beside all of them is read at once. What is sent within
moments is sent with that; for what waits longer it is read anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta

from router.domain.background import NO_BACKGROUND, Background, Counterpart, Earlier
from router.domain.decisions import Change
from router.domain.deliveries import SUSPECT, Claim
from router.domain.errors import StoreError, Undecodable
from router.domain.histories import History, find_notified
from router.domain.keys import signal_key
from router.domain.lookups import earlier_of
from router.domain.notices import ANNOUNCEMENT, Notice
from router.domain.rulebook import DestinationSpec
from router.domain.signals import Kind
from router.store.decisions import find_signals_at_each
from router.store.delivery_status import find_histories, list_deliveries_at
from router.store.groups import find_members
from router.store.store import Store

MOST_SIGNALS = 100
"""Signals at a resource that are looked at for how often the same happened there before."""

LONGEST_READ = timedelta(seconds=5)
"""How long the state may take; a notice goes without what it has not brought by then."""

SHARE_OF_LEASE = 0.1
"""The most that a read takes of the time for which a claim is one worker's alone."""

type _Asked = tuple[Claim, Notice]

FRESH = 2.0
"""Seconds for which what was read ahead is as good as read now."""


class NoBackground:
    """Nothing is known beside a notice: what goes to no people, and what needs none."""

    async def read_ahead(self, claims: Sequence[Claim]) -> None:
        """Reads nothing."""

    async def read(self, claim: Claim) -> Background:
        """Nothing."""
        return NO_BACKGROUND


class BackgroundReader:
    """Reads backgrounds for a destination of a stream, which is in the page or ticket lane.

    `others` are the stream's other destinations in these lanes; `lease` is how long a claim of the destination lasts.

    However many claims are read ahead, the state is asked at most twice for what the destination was told before, once for what
    all others were told and once more for each that is told of groups, and once for what happened before.
    """

    def __init__(
        self,
        spec: DestinationSpec,
        others: Sequence[DestinationSpec],
        store: Store,
        lease: timedelta,
    ) -> None:
        self._spec = spec
        self._others = others
        self._store = store
        self._longest = min(LONGEST_READ, lease * SHARE_OF_LEASE).total_seconds()
        self._ahead: dict[str, tuple[float, Background]] = {}

    async def read_ahead(self, claims: Sequence[Claim]) -> None:
        """Reads what the state knows beside claims that are about to be sent, all at once; raises nothing."""
        found = await self._read_all(claims)
        now = asyncio.get_running_loop().time()
        left = {id: one for id, one in self._ahead.items() if one[0] > now - FRESH}
        self._ahead = left | {id: (now, one) for id, one in found.items()}

    async def read(self, claim: Claim) -> Background:
        """What the state knows beside a claim that is about to be sent; raises nothing."""
        at, found = self._ahead.pop(claim.id, (0.0, NO_BACKGROUND))
        if at > asyncio.get_running_loop().time() - FRESH:
            return found
        return (await self._read_all([claim])).get(claim.id, NO_BACKGROUND)

    async def _read_all(self, claims: Sequence[Claim]) -> dict[str, Background]:
        """What is known beside claims, by their ids."""
        notices = {
            claim.id: (claim, claim.delivery.content)
            for claim in claims
            # What killed workers is tried with nothing beside it, and an announcement is about no signal.
            if isinstance(claim.delivery.content, Notice)
            and claim.lost < SUSPECT
            and claim.delivery.content.kind != ANNOUNCEMENT
        }
        if not notices:
            return {}
        asked = list(notices.values())
        histories, elsewhere, earlier = await asyncio.gather(
            self._or(dict[str, History](), self._read_histories([claim for claim, _ in asked])),
            self._or(dict[str, tuple[Counterpart, ...]](), self._read_elsewhere(asked)),
            self._or(dict[str, Earlier | None](), self._read_earlier(asked)),
        )
        backgrounds: dict[str, Background] = {}
        for id in notices:
            history = histories.get(id, History())
            backgrounds[id] = Background(
                last=history.last,
                handles=history.handles,
                opened=history.opened,
                elsewhere=elsewhere.get(id, ()),
                earlier=earlier.get(id),
            )
        return backgrounds

    async def _or[T](self, otherwise: T, read: Awaitable[T]) -> T:
        """What a read brings, or something else where the state does not answer in time, or with damage."""
        try:
            async with asyncio.timeout(self._longest):
                return await read
        except (StoreError, Undecodable, TimeoutError):
            return otherwise

    async def _read_histories(self, claims: Sequence[Claim]) -> dict[str, History]:
        """What the destination was told since each signal opened there; of an opening nothing but since when it is owed."""
        found = {one.id: History(opened=one.born) for one in claims if one.delivery.change is Change.OPENED}
        later = {one.delivery.key: one for one in claims if one.delivery.change is not Change.OPENED}
        if later:
            opened = {key: one.delivery.opened for key, one in later.items()}
            async with self._store.session() as tx:
                histories = await find_histories(tx, self._stream_of(claims), self._spec.name, opened)
            found |= {later[key].id: history for key, history in histories.items()}
        return found

    async def _read_elsewhere(self, asked: Sequence[_Asked]) -> dict[str, tuple[Counterpart, ...]]:
        """Where else the signal is open of which each notice speaks, those first that were told first."""
        signals = {
            claim.id: _signal_in(notice) if self._spec.is_grouped else claim.delivery.key
            for claim, notice in asked
            if not _is_summary(notice)
        }
        if not signals or not self._others:
            return {}
        stream = self._stream_of(claim for claim, _ in asked)
        keys = {spec.name: await self._keys_at(stream, spec, set(signals.values())) for spec in self._others}
        those = {key for some in keys.values() for key in some.values()}
        async with self._store.session() as tx:
            statuses = await list_deliveries_at(tx, stream, list(keys), those)
        elsewhere: dict[str, tuple[Counterpart, ...]] = {}
        for id, signal in signals.items():
            notified = [
                (one.at, spec, one)
                for spec in self._others
                if (key := keys[spec.name].get(signal)) is not None
                and (one := find_notified(statuses.get((spec.name, key), ()))) is not None
            ]
            elsewhere[id] = tuple(
                Counterpart(
                    destination=spec.name, lane=spec.lane, reference=one.receipt.reference, link=one.receipt.link
                )
                for _, spec, one in sorted(notified, key=lambda it: (it[0], it[1].name))
            )
        return elsewhere

    async def _keys_at(self, stream: str, other: DestinationSpec, signals: Collection[str]) -> Mapping[str, str]:
        """Under which key another destination knows each of some signals, as far as it does."""
        if not other.is_grouped:
            return {signal: signal for signal in signals}
        async with self._store.session() as tx:
            members = await find_members(tx, stream, other.name, signals)
        return {key: member.group for key, member in members.items() if member.stands}

    async def _read_earlier(self, asked: Sequence[_Asked]) -> dict[str, Earlier | None]:
        """How often the same alert was raised on the same resource before each that opens."""
        openings = [
            (claim, notice, notice.resource)
            for claim, notice in asked
            if claim.delivery.change is Change.OPENED
            and notice.kind == Kind.ALERT
            and notice.resource is not None
            and not _is_summary(notice)
        ]
        resources = {resource for _, _, resource in openings}
        stream = self._stream_of(claim for claim, _ in asked)
        async with self._store.session() as tx:
            found = await find_signals_at_each(tx, stream, resources, MOST_SIGNALS + 1) if resources else {}
        return {
            claim.id: earlier_of(found.get(resource, ()), notice, claim.born, _named_in(notice), MOST_SIGNALS)
            for claim, notice, resource in openings
        }

    def _stream_of(self, claims: Iterable[Claim]) -> str:
        """The stream of claims, which have one destination."""
        return next(iter(claims)).delivery.stream


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
    known = [notice.id, *(signal_key(notice.stream, one, notice.id) for one in kinds)]
    named = _named_in(notice)
    return next((one for one in known if one in named), key)


def _named_in(notice: Notice) -> set[str]:
    """The keys of the signals that a notice of a group names."""
    return {one.key for one in notice.group.named} if notice.group is not None else set()
