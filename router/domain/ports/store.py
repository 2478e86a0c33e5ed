"""The documents of the state."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from router.domain.documents import DocumentKind, StoredDocument
from router.domain.ledger import Version


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
