"""The store in one Azure Storage account."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime
from functools import partial

from router.domain.counts import Rule
from router.domain.retention import Forgotten, Retention
from router.domain.state_report import StateReport
from router.store.azure.account import Account
from router.store.azure.bodies import Bodies
from router.store.azure.damaged_rows import Clock, RowQuarantine
from router.store.azure.describing import AzureDescribing
from router.store.azure.documents import AzureDocuments
from router.store.azure.forgetting import AzureForgetting
from router.store.azure.groups import AzureGroups
from router.store.azure.journal import AzureJournal
from router.store.azure.ledger import AzureLedger
from router.store.azure.lookup_search import LookupSearch
from router.store.azure.lookups import AzureLookups
from router.store.azure.outbox import AzureOutbox
from router.store.azure.partitions_in_use import PartitionsInUse
from router.store.azure.quarantine import AzureQuarantine
from router.store.azure.record import AzureRecord
from router.store.azure.state_version import agree_on_version
from router.store.azure.suppression_index import HeldIndex
from router.store.azure.tables import Table

_CLOCK = partial(datetime.now, UTC)

TABLES = ("ledger", "held", "groups", "deliveries", "record", "quarantine", "journal", "lookups", "documents")
"""The tables, by what they hold."""

CONTAINER = "bodies"
"""The container of what rows cannot hold."""


class AzureStore:
    """Everything kept in one account; `prefix` sets one store apart from others in it, as tests want."""

    def __init__(self, account: Account, prefix: str = "", clock: Clock = _CLOCK) -> None:
        self._account = account
        self._tables = {name: Table(account.tables.get_table_client(f"{prefix}{name}")) for name in TABLES}
        separated = f"{prefix}-" if prefix else ""
        self._bodies = Bodies(account.blobs.get_container_client(f"{separated}{CONTAINER}"))
        tables, held = self._tables, HeldIndex(self._tables["held"])
        self.quarantine = AzureQuarantine(tables["quarantine"], self._bodies)
        self._aside = aside = RowQuarantine(self.quarantine, clock)
        self.outbox = AzureOutbox(tables["deliveries"], self._bodies, account.queues, aside, separated, clock)
        self.groups = AzureGroups(tables["groups"], aside)
        self.ledger = AzureLedger(tables["ledger"], held, self._bodies, aside)
        in_use = PartitionsInUse(tables["lookups"])
        search = LookupSearch(tables["lookups"], aside, in_use)
        self.record = AzureRecord(tables["record"], AzureLookups(tables["lookups"]), search, self._bodies, aside)
        self.documents = AzureDocuments(tables["documents"], self._bodies, aside)
        self.journal = AzureJournal(tables["journal"], aside)
        self._forgetting = AzureForgetting(
            tables,
            self._bodies,
            aside,
            held,
            outbox=self.outbox,
            groups=self.groups,
            record=self.record,
            documents=self.documents,
            quarantine=self.quarantine,
            search=search,
            in_use=in_use,
        )
        self._describing = AzureDescribing(tables, self._bodies)

    async def prepare(self) -> None:
        """Makes the tables, the container and the queues that are not there yet.

        Raises StoreError, also where the state is of a version that this program is too old for; then it makes nothing.
        """
        journal = self._tables["journal"]
        await journal.prepare()
        damage = await agree_on_version(journal)
        others = [table.prepare() for table in self._tables.values() if table is not journal]
        await asyncio.gather(*others, self._bodies.prepare(), self.outbox.prepare())
        if damage is not None:
            await self._aside.put("journal", damage.row, damage.why)

    def atomically(self) -> AbstractAsyncContextManager[object]:
        """Nothing: each write is kept by itself."""
        return nullcontext()

    async def forget(self, now: datetime, retention: Retention, rules: Collection[Rule], most: int) -> Forgotten:
        """Takes away what is old enough, in at most so many steps; dead letters and the quarantine stay until discarded."""
        return await self._forgetting.forget(now, retention, rules, most)

    async def describe(self, now: datetime, retention: Retention) -> StateReport | None:
        """What is in the account; None where it holds no state. Need not be prepared, and changes nothing."""
        return await self._describing.describe(now, retention)

    async def close(self) -> None:
        """Lets go of the account."""
        await self._account.close()
