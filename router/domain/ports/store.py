"""All stores in one place, as `app/` makes them and the command line opens them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from router.domain.ports.deliver import Outbox, QueuedOutbox
from router.domain.ports.grouping import Groups
from router.domain.ports.ingest import Journal, Ledger, Quarantine, Record
from router.domain.retention import Purged, Retention


class Store(Protocol):
    """Everything that is kept, in one place."""

    def atomically(self) -> AbstractContextManager[object]:
        """A context whose writes are kept together or not at all where the storage can do that, and else one by one.

        Nobody may rely on it: each write is safe to repeat, and a pending turn says what is left to do. It saves commits.
        """
        ...

    @property
    def ledger(self) -> Ledger: ...
    @property
    def groups(self) -> Groups: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def record(self) -> Record: ...
    @property
    def quarantine(self) -> Quarantine: ...
    @property
    def journal(self) -> Journal: ...

    async def purge(self, now: datetime, retention: Retention) -> Purged:
        """Takes away what retention allows; dead letters and the quarantine stay until discarded."""
        ...

    async def close(self) -> None:
        """Lets go of the storage."""
        ...


class QueuedStore(Store, Protocol):
    """A store whose outbox is pointed at from queues."""

    @property
    def outbox(self) -> QueuedOutbox: ...
