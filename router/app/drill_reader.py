"""Finds the alerts of a drill in a state, and what became of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from router.app.signal_life import DestinationFacts, read_life
from router.app.signal_search import Meant
from router.domain import samples
from router.domain.clocks import SKEW
from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState, Receipt
from router.domain.notices import RecordEntry
from router.domain.rulebook import Lane
from router.domain.signal_life import DestinationLife, SignalLife
from router.domain.signals import Stream
from router.drill.evidence import DrilledAlert
from router.drill.lives import alert_of
from router.drill.results import OpenReceipt
from router.drill.subjects import DrillSubject, ListedIds, find_doubt, may_be_of_drill
from router.store import partitions
from router.store.decisions import walk_decisions
from router.store.quarantine import list_quarantined
from router.store.store import Store

MOST_ALERTS = 50
"""Alerts of a drill that are followed, the first: one bundle makes fewer than that."""

_MARKS = tuple(one.lower().encode() for one in (samples.TITLE, f'"{samples.TYPE}', samples.GROUP))
"""What is in a sample alert, in lower case, whether or not it can be read."""


class DrillReader:
    """Reads what became of a drill's alerts.

    What was on record before, when `know_before` was called, is none of the drill's.

    Attributes:
        is_whole: whether the last look saw all that was decided since.
        doubts: why it did not count what fits, each said once.
    """

    def __init__(self, store: Store, subject: DrillSubject, began: datetime, facts: DestinationFacts) -> None:
        self._store = store
        self._subject = subject
        self._began = began
        self._facts = facts
        self._before: frozenset[str] = frozenset()
        self.is_whole = True
        self.doubts: tuple[str, ...] = ()

    async def know_before(self, now: datetime) -> None:
        """Has what is on record by now count as none of the drill's; raises StoreError."""
        self._before = frozenset({entry.signal or "" async for entry in self._openings(now)})

    async def read_alerts(self, listed: ListedIds, now: datetime) -> Sequence[DrilledAlert]:
        """The drill's alerts with what became of them, in the order in which they were decided; raises StoreError.

        `listed` as for `find_doubt`.
        """
        own = await self._own(listed, now)
        lives = await asyncio.gather(*(self._life(entry, now) for entry in own))
        return [alert_of(life, entry, now) for life, entry in zip(lives, own, strict=True)]

    async def read_open(self, listed: ListedIds, now: datetime) -> Sequence[OpenReceipt]:
        """The pages and tickets of the drill that are open; raises StoreError."""
        own = await self._own(listed, now)
        lives = await asyncio.gather(*(self._life(entry, now) for entry in own))
        of_group = Counter(one.group.key for life in lives for one in life.destinations if one.group is not None)
        found = (
            one for life, entry in zip(lives, own, strict=True) for one in _open_in(life, entry.title or "", of_group)
        )
        return list(dict.fromkeys(found))

    async def read_quarantined(self) -> Sequence[str]:
        """Why messages that came since and bear the words of a sample were not understood; raises StoreError."""
        async with self._store.session() as tx:
            return [
                f"{one.quarantined.reason} (alert-router quarantine show {one.id})"
                for one in await list_quarantined(tx)
                if one.at >= self._began and any(mark in one.quarantined.body.lower() for mark in _MARKS)
            ]

    async def find_last_sweep(self) -> datetime | None:
        """When the router last ended a sweep of the hub; raises StoreError."""
        async with self._store.session() as tx:
            return await partitions.find_last_sweep(tx, Stream.CWPP.value)

    async def _own(self, listed: ListedIds, now: datetime) -> list[RecordEntry]:
        own: dict[str, RecordEntry] = {}
        doubts: dict[str, None] = {}
        async for entry in self._openings(now):
            if entry.signal in self._before or not may_be_of_drill(entry, self._subject, listed):
                continue
            doubt = find_doubt(entry, self._subject, listed, self._began)
            if doubt is None:
                own[entry.signal or entry.key] = entry
            else:
                doubts[doubt] = None
        self.doubts = tuple(doubts)
        return sorted(own.values(), key=lambda entry: (entry.at, entry.key))[:MOST_ALERTS]

    async def _openings(self, now: datetime) -> AsyncIterator[RecordEntry]:
        """The first decisions on signals, from a little before the drill began: clocks differ."""
        since, until = self._began - SKEW, now + timedelta(days=1)
        async with self._store.session() as tx:
            async for page in walk_decisions(tx, Stream.CWPP.value, since, until, frozenset(Outcome)):
                for entry in page.entries:
                    if entry.turn == 1:
                        yield entry
                self.is_whole = page.looked.is_whole

    async def _life(self, entry: RecordEntry, now: datetime) -> SignalLife:
        return await read_life(self._store, Meant(entry.signal or "", Stream.CWPP.value), now, self._facts)


def _open_in(life: SignalLife, title: str, of_group: Mapping[str, int]) -> Iterator[OpenReceipt]:
    """What is open of one alert, or is going to be; `of_group` is how many of the drill's alerts are in each group."""
    for one in life.destinations:
        if one.lane is None or one.lane is Lane.ROWS or life.row is None or one.name not in life.row.open:
            continue
        receipt, group = _receipt_of(one), one.group
        others = max((group.total or 0) - of_group[group.key], 0) if group is not None else 0
        if receipt is not None:
            yield OpenReceipt(one.name, one.lane.value, receipt.reference, receipt.link, title, others)
        elif one.is_waited_for:
            yield OpenReceipt(one.name, one.lane.value, None, None, title, others, is_on_its_way=True)


def _receipt_of(one: DestinationLife) -> Receipt | None:
    """What a destination gave for what it took of a signal, or of its group; None where it took nothing yet."""
    taken = [two for two in one.all_deliveries if two.state is DeliveryState.SENT]
    receipts = [two.receipt or Receipt() for two in taken]
    return next((found for found in receipts if found.reference), receipts[0] if receipts else None)
