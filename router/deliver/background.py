"""Reads what the state knows beside notices, just before they are sent to people. A courtesy: nothing waits or fails for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Mapping, Sequence
from copy import replace
from datetime import datetime, timedelta

from router.domain.decisions import Change
from router.domain.deliveries import SUSPECT, Background, Claim, Counterpart, Earlier
from router.domain.errors import StoreError, Undecodable
from router.domain.keys import signal_key
from router.domain.notices import ANNOUNCEMENT, Notice
from router.domain.rulebook import DestinationSpec, Lane
from router.domain.signals import Kind
from router.store.decisions import EarlierQuestion, find_earlier
from router.store.delivery_status import find_histories, find_notified, list_deliveries_at
from router.store.groups import find_members
from router.store.store import Store

LONGEST_READ = timedelta(seconds=5)
"""How long the state may take; a notice goes without what it has not brought by then."""

SHARE_OF_LEASE = 0.1
"""The most that a read takes of the time for which a claim is one worker's alone."""

type _Asked = tuple[Claim, Notice]


class BackgroundReader:
    """Reads what the state knows beside what goes to people at destinations of a stream, those in the page and ticket lanes.

    However many claims are read for, the state is asked once for the members of groups, once for what was told of their signals
    anywhere, once for the notices that were taken last, and once for what happened before.
    """

    def __init__(self, stream: str, destinations: Collection[DestinationSpec], store: Store) -> None:
        self._stream = stream
        self._people = {spec.name: spec for spec in destinations if spec.lane is not Lane.ROWS}
        self._store = store

    async def read(self, claims: Sequence[Claim], lease: timedelta) -> Mapping[str, Background]:
        """Return what is known beside claims that are about to be sent, by their ids; raises nothing."""
        asked = [
            (claim, claim.delivery.content)
            for claim in claims
            # What killed workers is tried with nothing beside it, and an announcement is about no signal.
            if claim.delivery.destination in self._people
            and isinstance(claim.delivery.content, Notice)
            and claim.lost < SUSPECT
            and claim.delivery.content.kind != ANNOUNCEMENT
        ]
        if not asked:
            return {}
        longest = min(LONGEST_READ, lease * SHARE_OF_LEASE).total_seconds()
        notified, earlier = await asyncio.gather(
            _read_in_time({}, self._read_notified(asked), longest),
            _read_in_time({}, self._read_earlier(asked), longest),
        )
        return {
            claim.id: replace(
                notified.get(claim.id) or Background(opened=_opened_by(claim)),
                earlier=known
                if (known := claim.earlier) and known.count and _is_counted(claim, notice)
                else earlier.get(claim.id),
            )
            for claim, notice in asked
        }

    async def _read_notified(self, asked: Sequence[_Asked]) -> Mapping[str, Background]:
        """What each destination was told since each signal opened there, nothing of what opens; and where else it is open."""
        opened = {
            (it.destination, it.key): it.opened
            for it in (claim.delivery for claim, _ in asked)
            if it.change is not Change.OPENED
        }
        signals = {
            claim.id: _signal_in(notice) if self._people[claim.delivery.destination].is_grouped else claim.delivery.key
            for claim, notice in asked
            if not _is_summary(notice) and (claim.is_elsewhere or any(one.is_grouped for one in self._people.values()))
        }
        if not (opened or signals):
            return {}
        known, grouped = set(signals.values()), [name for name, spec in self._people.items() if spec.is_grouped]
        keys = {(name, signal): signal for name in self._people if name not in grouped for signal in known}
        async with self._store.session() as tx:
            members = await find_members(tx, self._stream, grouped, known)
            keys |= {place: member.group for place, member in members.items() if member.stands}
            those = {*keys.values(), *(key for _, key in opened)}
            # What opens asks only of other destinations.
            places = [it for it in self._people if opened or {it} != {one.delivery.destination for one, _ in asked}]
            statuses = await list_deliveries_at(tx, self._stream, places, those)
            histories = await find_histories(tx, statuses, opened)
        found: dict[str, Background] = {}
        for claim, _ in asked:
            own, signal = claim.delivery.destination, signals.get(claim.id)
            notified = [
                (*one, spec)
                for name, spec in self._people.items()
                if name != own
                and signal is not None
                and (key := keys.get((name, signal))) is not None
                and (one := find_notified(statuses.get((name, key), ()))) is not None
            ]
            elsewhere = [
                Counterpart(destination=spec.name, lane=spec.lane, reference=receipt.reference, link=receipt.link)
                for _, receipt, spec in sorted(notified, key=lambda it: (it[0], it[2].name))
            ]
            history = histories.get((own, claim.delivery.key)) or Background(opened=_opened_by(claim))
            found[claim.id] = replace(history, elsewhere=tuple(elsewhere))
        return found

    async def _read_earlier(self, asked: Sequence[_Asked]) -> Mapping[str, Earlier | None]:
        """How often the same alert was raised on the same resource before each that opens, where the claim does not know."""
        questions = {
            claim.id: EarlierQuestion(notice, claim.born, _named_in(notice))
            for claim, notice in asked
            if _is_counted(claim, notice) and claim.earlier is None
        }
        if not questions:
            return {}
        async with self._store.session() as tx:
            return await find_earlier(tx, questions)


async def _read_in_time[T](otherwise: T, read: Awaitable[T], longest: float) -> T:
    """What a read brings, or something else where the state does not answer in time, or with damage."""
    try:
        async with asyncio.timeout(longest):
            return await read
    except (StoreError, Undecodable, TimeoutError):
        return otherwise


def _is_counted(claim: Claim, notice: Notice) -> bool:
    """Whether a notice says how often the same happened at its resource before."""
    is_opening = claim.delivery.change is Change.OPENED and notice.kind == Kind.ALERT
    return is_opening and notice.resource is not None and not _is_summary(notice)


def _opened_by(claim: Claim) -> datetime | None:
    return claim.born if claim.delivery.change is Change.OPENED else None


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
