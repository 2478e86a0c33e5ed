"""Keeps in the state what was read of tags, for every worker that asks whose a resource is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import batched

from router.coverage.documents import CoverageDocument
from router.coverage.tags import tags_said_in
from router.domain.documents import DocumentKind, StoredDocument
from router.ingest.coverage_notes import write_documents
from router.store.bodies import by_subscription, document_of_tags, find_tags_in, tags_after
from router.store.store import Store

AT_A_TIME = 20
"""Subscriptions that are written at a time."""


async def keep_tags(store: Store, said_by: Iterable[CoverageDocument], now: datetime) -> None:
    """Keeps the tags that documents of Azure say, with the instant, which is the one at which they were read.

    What the documents do not name stays as it is: an answer may be cut, or refused. Raises StoreError; it is safe to repeat,
    and to do at two processes.
    """
    said = by_subscription(tags_said_in(said_by))

    def document_after(subscription: str, document: StoredDocument | None) -> StoredDocument | None:
        before = (find_tags_in(document) if document is not None else None) or {}
        after = tags_after(before, said[subscription], now)
        if document is not None and after == before:
            return None
        return document_of_tags(subscription, after, now, document.version if document is not None else None)

    for subscriptions in batched(said, AT_A_TIME, strict=False):
        await write_documents(store, DocumentKind.TAGS, subscriptions, document_after)
