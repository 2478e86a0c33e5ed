"""Writes documents that are made of what is stored, whoever else writes them meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Collection

from router.domain.documents import DocumentKind, StoredDocument
from router.store.documents import find_documents, put_documents
from router.store.store import Store
from router.store.transaction import Transaction

type DocumentAfter = Callable[[str, StoredDocument | None], StoredDocument | None]
"""What is to be stored under an id, over what is stored there; None where nothing changes."""


async def write_documents(
    store: Store, kind: DocumentKind, ids: Collection[str], document_after: DocumentAfter
) -> None:
    """Writes what is made of each document; of what somebody else was faster to write it is made again.

    Raises StoreError.
    """
    left = list(ids)

    async def write(tx: Transaction) -> list[str]:
        stored = await find_documents(tx, kind, left)
        changed = [one for id in left if (one := document_after(id, stored.get(id))) is not None]
        written = await put_documents(tx, changed)
        return [one.id for one in changed if one.id not in written]

    while left:
        left = await store.run(write)
