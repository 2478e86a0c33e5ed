"""What a router knows of coverage, read out of its state, which stays as it is."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterator
from typing import NamedTuple

from router.cli.opened_state import store_in
from router.coverage.documents import CoverageDocument
from router.coverage.stored import READ_KINDS, documents_of_state
from router.domain.documents import StoredDocument


class OpenedState(NamedTuple):
    """What a state holds of coverage.

    Attributes:
        name: what its documents are called.
        words: what it is called in a sentence.
        documents: the documents, one after the other.
    """

    name: str
    words: str
    documents: Iterator[CoverageDocument]


def open_coverage_state(options: Namespace) -> OpenedState | None:
    """What the state knows that is meant; None where none is. Raises BadFile, BadUsage, BadSetting and StoreError."""
    if not options.storage and options.state is None:
        return None
    shown = "storage" if options.storage else str(options.state)
    words = "the state in the storage account" if options.storage else f"the state {options.state}"
    name = f"stream ({shown})"
    return OpenedState(name, words, documents_of_state(name, asyncio.run(_stored(options))))


async def _stored(options: Namespace) -> list[StoredDocument]:
    async with store_in(options) as store:
        return [one for kind in READ_KINDS for one in await store.documents.list_documents(kind)]
