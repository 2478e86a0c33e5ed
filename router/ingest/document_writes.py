"""Writes documents that are made of what is stored, whoever else writes them meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Collection

from router.domain.documents import DocumentKind, StoredDocument
from router.domain.ports.store import Documents

type DocumentAfter = Callable[[str, StoredDocument | None], StoredDocument | None]
"""What is to be stored under an id, over what is stored there; None where nothing changes."""


async def write_documents(
    documents: Documents, kind: DocumentKind, ids: Collection[str], document_after: DocumentAfter
) -> None:
    """Writes what is made of each document; of what somebody else was faster to write it is made again.

    Raises StoreError.
    """
    left = list(ids)
    while left:
        stored = await documents.find_documents(kind, left)
        changed = [one for id in left if (one := document_after(id, stored.get(id))) is not None]
        written = await documents.put_documents(changed) if changed else {}
        left = [one.id for one in changed if one.id not in written]
