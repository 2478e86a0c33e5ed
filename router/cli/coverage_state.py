"""What a router knows of coverage, read out of its state."""

from __future__ import annotations

import asyncio
from argparse import Namespace

from router.cli.coverage_documents import OtherDocuments
from router.cli.opened_state import store_in
from router.coverage.facts import name_of_state
from router.coverage.stored import READ_KINDS, documents_of_state
from router.domain.documents import StoredDocument
from router.store.documents import list_documents


def open_coverage_state(options: Namespace) -> OtherDocuments | None:
    """What the state knows that is meant; None where none is. Raises BadFile, BadUsage, BadSetting and StoreError."""
    if options.state is None:
        return None
    name = name_of_state(str(options.state))
    return OtherDocuments(
        f"the state {options.state}", (name,), documents_of_state(name, asyncio.run(_stored(options)))
    )


async def _stored(options: Namespace) -> list[StoredDocument]:
    async with store_in(options) as store, store.session() as tx:
        return [one for kind in READ_KINDS for one in await list_documents(tx, kind)]
