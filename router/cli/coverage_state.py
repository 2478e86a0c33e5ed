"""What a router knows of coverage, read out of its state."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Sequence

from router.cli.coverage_documents import OtherDocuments
from router.cli.opened_state import store_in
from router.coverage.facts import name_of_state
from router.coverage.stored import READ_KINDS, documents_of_state
from router.domain.documents import StoredDocument
from router.domain.source_turns import KnownSource
from router.store.documents import list_documents
from router.store.sources import list_sources


def open_coverage_state(options: Namespace) -> OtherDocuments | None:
    """What the state knows that is meant; None where none is. Raises BadFile, BadUsage, BadSetting and StoreError."""
    if options.state is None:
        return None
    name = name_of_state(str(options.state))
    stored, sources = asyncio.run(_stored(options))
    return OtherDocuments(f"the state {options.state}", (name,), documents_of_state(name, stored, sources))


async def _stored(options: Namespace) -> tuple[Sequence[StoredDocument], Sequence[KnownSource]]:
    async with store_in(options) as store, store.session() as tx:
        stored = [one for kind in READ_KINDS for one in await list_documents(tx, kind)]
        return stored, await list_sources(tx)
