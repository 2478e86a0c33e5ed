"""The tags that Azure answered, as owners are found by them: kept in a state, in a file, or in both."""

from __future__ import annotations

import asyncio
import json
import os
import re
from argparse import Namespace
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import batched
from pathlib import Path

from router.cli.open_state import store_in
from router.cli.option_values import clock_for
from router.cli.streams import complain
from router.coverage.asking.arm import refused
from router.coverage.documents import CoverageDocument
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import BadFile
from router.domain.tags import TagRows
from router.ingest.coverage_notes import write_documents
from router.store.documents import by_subscription, document_of_tags, find_tags_in, tags_after
from router.store.store import Store

_IN_AZURE = re.compile(r"/subscriptions/[^/]")

AT_A_TIME = 20
"""Subscriptions that are written at a time."""


def wants_tags(options: Namespace) -> bool:
    """Return whether tags are to be kept."""
    return options.keep_tags is not None or options.state is not None


def keep_tags_read(options: Namespace, tags: Iterable[CoverageDocument]) -> tuple[CoverageDocument, ...]:
    """Keep tags where the options say, and return what is lacking of a file that was asked for.

    A state keeps what it had of anything that was not answered; a file is written whole, or stays as it is. Raises BadFile
    and StoreError.
    """
    documents = tuple(tags)
    lacking = tuple(refused(one.name, one.refusals[0].reason) for one in documents if one.refusals)
    if options.state is not None:
        asyncio.run(_keep_in_state(options, documents))
        if lacking:
            complain("tags: not every one was answered; the state keeps what it had of the others")
    if options.keep_tags is None:
        return ()
    if lacking:
        complain(f"{options.keep_tags}: is not written, as not every tag was answered")
    else:
        _write(options.keep_tags, tag_file(documents))
    return lacking


async def _keep_in_state(options: Namespace, documents: Iterable[CoverageDocument]) -> None:
    async with store_in(options) as store:
        await keep_tags(store, documents, clock_for(options.now, store.now)())


def _write(file: Path, data: bytes) -> None:
    """Write a file whole or not at all: a reader meanwhile reads the one before."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise BadFile(f"{file}: the tags cannot be written there: {error.strerror}") from error


async def keep_tags(store: Store, said_by: Iterable[CoverageDocument], now: datetime) -> None:
    """Keeps the tags that documents of Azure say, with the instant, which is the one at which they were read.

    What the documents do not name stays as it is: an answer may be cut, or refused. Raises StoreError; it is safe to repeat,
    and to do at two processes.
    """
    said = by_subscription(tags_in(said_by))

    def document_after(subscription: str, document: StoredDocument | None) -> StoredDocument | None:
        before = (find_tags_in(document) if document is not None else None) or {}
        after = tags_after(before, said[subscription], now)
        if document is not None and after == before:
            return None
        return document_of_tags(subscription, after, now, document.version if document is not None else None)

    for subscriptions in batched(said, AT_A_TIME, strict=False):
        await write_documents(store, DocumentKind.TAGS, subscriptions, document_after)


def tags_in(documents: Iterable[CoverageDocument]) -> Mapping[str, Mapping[str, str]]:
    """The tags of each resource, resource group and subscription of which documents say them, by its id in lower case.

    Empty for what they say has none; what has no field `tags`, or was not in an answer, is not there.
    """
    bodies = [
        {"id": id, "tags": tags}
        for document in documents
        for item in document.items
        if item.id is not None and _IN_AZURE.match(id := f"/{item.id.strip().strip('/').lower()}")
        for name, tags in item.body.items()
        if name.lower() == "tags" and (tags is None or isinstance(tags, Mapping))
    ]
    untagged: dict[str, Mapping[str, str]] = {str(body["id"]): {} for body in bodies}
    return untagged | TagRows(bodies).by_id


def tag_file(documents: Iterable[CoverageDocument]) -> bytes:
    """The tags that documents say as a file that owners.yaml may name, in the form in which `az graph query` prints them."""
    rows = [{"id": id, "tags": dict(tags)} for id, tags in sorted(tags_in(documents).items()) if tags]
    answer = {"count": len(rows), "data": rows, "skip_token": None, "total_records": len(rows)}
    return (json.dumps(answer, indent=2, ensure_ascii=False) + "\n").encode()
