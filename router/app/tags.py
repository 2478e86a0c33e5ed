"""Keeps in the state what was read of tags, for every worker that asks whose a resource is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import batched
from typing import NamedTuple

from router.coverage.documents import CoverageDocument
from router.coverage.tags import tags_said_in
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.ports.store import Documents
from router.domain.tag_documents import by_subscription, document_of_tags, find_tags_in, tags_after

AT_A_TIME = 20
"""Subscriptions that are written at a time."""


class WrittenTags(NamedTuple):
    """What of tags is in the state now.

    Attributes:
        tagged: of how many resources, resource groups and subscriptions tags were said.
        subscriptions: in how many subscriptions these are.
    """

    tagged: int
    subscriptions: int


async def keep_tags(documents: Documents, said_by: Iterable[CoverageDocument], now: datetime) -> WrittenTags:
    """Keeps the tags that documents of Azure say, with the instant, which is the one at which they were read.

    What the documents do not name stays as it is: an answer may be cut, or refused. Raises StoreError; it is safe to repeat,
    and to do at two processes.
    """
    said = by_subscription(tags_said_in(said_by))
    for subscriptions in batched(said, AT_A_TIME, strict=False):
        await _keep(documents, {subscription: said[subscription] for subscription in subscriptions}, now)
    return WrittenTags(sum(bool(tags) for some in said.values() for tags in some.values()), len(said))


async def _keep(documents: Documents, said: Mapping[str, Mapping[str, Mapping[str, str]]], now: datetime) -> None:
    while said:
        found = await documents.find_documents(DocumentKind.TAGS, said)
        changed: list[StoredDocument] = []
        for subscription, tags in said.items():
            document = found.get(subscription)
            before = (find_tags_in(document) if document is not None else None) or {}
            after = tags_after(before, tags, now)
            if document is None or after != before:
                version = document.version if document is not None else None
                changed.append(document_of_tags(subscription, after, now, version))
        written = await documents.put_documents(changed)
        # Somebody was faster with the others, and what they wrote counts, too.
        said = {one.id: said[one.id] for one in changed if one.id not in written}
