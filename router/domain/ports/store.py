"""All stores in one place, as `app/` makes them and the command line opens them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from router.domain.counts import Rule
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.ledger import Version
from router.domain.ports.deliver import Outbox
from router.domain.ports.grouping import Groups
from router.domain.ports.ingest import Journal, Ledger, Quarantine, Record
from router.domain.retention import Forgotten, Retention
from router.domain.state_report import StateReport


class Documents(Protocol):
    """Keeps documents: silences, holds, facts of coverage."""

    async def put_document(self, document: StoredDocument) -> Version | None:
        """Writes a document if its stored version is still `version`; returns the new one, None if somebody was faster."""
        ...

    async def find_document(self, kind: DocumentKind, id: str) -> StoredDocument | None:
        """One document."""
        ...

    async def put_documents(self, documents: Sequence[StoredDocument]) -> Mapping[str, Version]:
        """Writes documents of one kind, each as `put_document` does; returns the new versions by their ids.

        Those that somebody was faster with are left out. No two may have one id.
        """
        ...

    async def find_documents(self, kind: DocumentKind, ids: Collection[str]) -> Mapping[str, StoredDocument]:
        """Those of some documents of a kind that are there, by their ids."""
        ...

    async def list_documents(self, kind: DocumentKind, since: datetime | None = None) -> Sequence[StoredDocument]:
        """All documents of a kind, or those whose instant is not before another, by their ids."""
        ...

    async def remove_document(self, document: StoredDocument) -> bool:
        """Removes a document if its stored version is still `version`; False if it is not."""
        ...


class Store(Protocol):
    """Everything that is kept, in one place."""

    def atomically(self) -> AbstractAsyncContextManager[object]:
        """A context whose writes are kept together or not at all."""
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
    @property
    def documents(self) -> Documents: ...

    async def refuse_unwritable(self) -> None:
        """Raises StoreError where nothing can be written now, though it may be read."""
        ...

    async def forget(self, now: datetime, retention: Retention, rules: Collection[Rule], most: int) -> Forgotten:
        """Takes away what is old enough, in at most so many steps, each small; what was taken away, and whether that is all.

        `rules` are the suppression rules that are there. Dead letters, the quarantine, and what is held or owed stay.
        """
        ...

    async def describe(self, now: datetime, retention: Retention) -> StateReport | None:
        """What is in the state, which it leaves as it is; None where there is none."""
        ...

    async def close(self) -> None:
        """Lets go of the state."""
        ...
