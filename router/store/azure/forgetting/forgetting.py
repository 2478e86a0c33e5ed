"""Forgets in small steps: first what is found by its time, then a page or more of the walk past everything else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from router.domain.counts import Rule, hour_of
from router.domain.retention import Forgotten, Retention
from router.store.azure.bodies import Bodies
from router.store.azure.compaction import OVER, Compaction
from router.store.azure.damaged_rows import RowQuarantine
from router.store.azure.documents import FOLDER as DOCUMENTS
from router.store.azure.documents import AzureDocuments
from router.store.azure.forgetting.old_counts import OldCounts
from router.store.azure.forgetting.old_decisions import OldDecisions
from router.store.azure.forgetting.old_rows import GRACE, OldRows
from router.store.azure.forgetting.old_signals import REVIEWED, OldSignals
from router.store.azure.forgetting.old_states import OldStates
from router.store.azure.forgetting.rests import Rests
from router.store.azure.forgetting.walk import Area, Token, Walk, WalkPage
from router.store.azure.groups import AzureGroups
from router.store.azure.ledger_rows import BODIES, FOLDER, entity_key
from router.store.azure.lookup_search import LookupSearch
from router.store.azure.outbox import AzureOutbox
from router.store.azure.outbox.deliveries import BLOBS
from router.store.azure.partitions_in_use import PartitionsInUse
from router.store.azure.quarantine import FOLDER as QUARANTINED
from router.store.azure.quarantine import AzureQuarantine
from router.store.azure.record import AzureRecord
from router.store.azure.suppression_index import HeldIndex
from router.store.azure.tables import Entity, Table

PAGE = 200
"""Rows on a page of the walk."""


class AzureForgetting:
    """Sweeps an account's state; raises StoreError. Safe to repeat, to break off anywhere, and for two workers at once."""

    def __init__(
        self,
        tables: Mapping[str, Table],
        bodies: Bodies,
        aside: RowQuarantine,
        held: HeldIndex,
        *,
        outbox: AzureOutbox,
        groups: AzureGroups,
        record: AzureRecord,
        documents: AzureDocuments,
        quarantine: AzureQuarantine,
        search: LookupSearch,
        in_use: PartitionsInUse,
    ) -> None:
        lookups, ledger = tables["lookups"], tables["ledger"]
        self._tables = tables
        self._bodies = bodies
        self._held = held
        self._outbox = outbox
        self._record = record
        self._documents = documents
        self._quarantine = quarantine
        self._aside = aside
        self._rests = Rests()
        self._in_use = in_use
        signals = OldSignals(ledger, lookups, bodies, outbox.old, groups, self._rests)
        self._decisions = OldDecisions(
            lookups, tables["record"], bodies, aside, outbox.old, signals, self._rests, in_use
        )
        self._rows = OldRows(ledger, held, outbox.old, groups, signals)
        self._states = OldStates(tables["groups"], outbox.old)
        self._counts = OldCounts(lookups, search, in_use)
        self._compaction = Compaction(lookups, aside, in_use)
        self._added_up: datetime | None = None

    async def forget(self, now: datetime, retention: Retention, rules: Collection[Rule], most: int) -> Forgotten:
        """Takes away what is old enough, in at most so many steps."""
        gone = Forgotten(is_done=False)
        await self._in_use.all()
        is_added_up = await self._add_up(now)
        # One step of several is left to the walk, however much is found by its time.
        left = most
        for step in (self._decisions.decisions, self._decisions.signals):
            while left > min(1, most - 1):
                found = await step(now, retention)
                if found is None:
                    break
                gone, left = gone.and_then(found), left - 1
        walk = Walk(self._tables["journal"], self._aside, self._areas(now, retention, rules))
        is_last = False
        while left > 0 and not is_last:
            found, is_last = await walk.go_on()
            gone, left = gone.and_then(found), left - 1
        return gone.and_then(Forgotten(is_done=is_last and is_added_up))

    async def _add_up(self, now: datetime) -> bool:
        """Adds counts up, once an hour; returns whether nothing is left to be added up."""
        hour = hour_of(now - OVER)
        if hour != self._added_up and await self._compaction.add_up(now):
            self._added_up = hour
        return hour == self._added_up

    def _areas(self, now: datetime, retention: Retention, rules: Collection[Rule]) -> list[Area[Any]]:
        tables = self._tables

        async def bring_back(_: Sequence[object]) -> Forgotten:
            await self._decisions.bring_back(now)
            return Forgotten()

        async def migrate(rows: Sequence[Entity]) -> Forgotten:
            if await self._record.migrate(rows):
                # Some of it may be old enough by now.
                await self._in_use.all()
                self._rests.wake()
                self._added_up = None
            return Forgotten()

        async def forget_counts(_: Sequence[object]) -> Forgotten:
            return await self._counts.forget(now, rules)

        async def forget_documents(_: Sequence[object]) -> Forgotten:
            return Forgotten(documents=await self._documents.forget(now))

        owners = {
            FOLDER: lambda key: tables["ledger"].find(*entity_key(key), BODIES),
            BLOBS: self._outbox.old.owner,
            QUARANTINED: self._quarantine.owner,
            DOCUMENTS: self._documents.owner,
        }
        return [
            Area("clocks", _nothing, bring_back),
            Area("record", partial(_rows_of, self._record.page), migrate),
            Area("groups", partial(_all_of, tables["groups"], None), partial(self._states.see_to, now=now)),
            Area(
                "ledger",
                partial(_all_of, tables["ledger"], REVIEWED),
                partial(self._rows.see_to_signals, retention=retention, now=now),
            ),
            Area("held", partial(_rows_of, self._held.page), partial(self._rows.see_to_held, now=now)),
            Area(
                "deliveries",
                partial(_rows_of, self._outbox.old.page),
                partial(self._rows.see_to_deliveries, retention=retention, now=now),
            ),
            *(
                Area(f"blobs {folder}", partial(self._blobs, folder, now), partial(self._tidy, owner=owner))
                for folder, owner in owners.items()
            ),
            Area("counts", _nothing, forget_counts),
            Area("documents", _nothing, forget_documents),
        ]

    async def _blobs(self, folder: str, now: datetime, after: Token | None) -> WalkPage[str]:
        """The names on a page of a folder's blobs that were written a while ago."""
        found, next = await self._bodies.page(folder, after["marker"] if after is not None else None, PAGE)
        names = [name for name, written in found if written < now - GRACE]
        return WalkPage(names, {"marker": next} if next is not None else None)

    async def _tidy(self, names: Sequence[str], owner: Callable[[str], Awaitable[Entity | None]]) -> Forgotten:
        await self._bodies.tidy(names, owner)
        return Forgotten()


async def _nothing(_: Token | None) -> WalkPage[object]:
    return WalkPage((), None)


async def _all_of(table: Table, select: Collection[str] | None, after: Token | None) -> WalkPage[Entity]:
    page = await table.page(None, after, PAGE, select)
    return WalkPage(page.rows, page.next)


async def _rows_of(read: Callable[[Token | None, int], Awaitable[Any]], after: Token | None) -> WalkPage[Entity]:
    page = await read(after, PAGE)
    return WalkPage(page.rows, page.next)
