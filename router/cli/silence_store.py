"""Silences as commands read and write them: over what was read, and with an entry of who made what of them when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from hashlib import sha256

from router.deliver.destination_holds import ChangeAction, ChangeEntry, ChangeSubject, document_of_change
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import BadUsage, StoreError
from router.domain.silences import Silence
from router.store.documents import (
    ReadValues,
    document_of_silence,
    find_document,
    find_silence_in,
    list_documents,
    put_with_change,
    read_silences,
)
from router.store.store import Store

_TRIES = 20
"""How often a change is made again where another change was faster."""

_DIGITS = 6
"""Digits of an id; more where another silence has those already."""


async def stored_silences(store: Store, since: datetime | None) -> ReadValues[Silence]:
    """The silences that did not end before an instant, by their ids; all without one. Raises StoreError."""
    async with store.session() as tx:
        return read_silences(await list_documents(tx, DocumentKind.SILENCE, since))


async def add_silence(store: Store, draft: Silence) -> Silence:
    """Stores a silence under an id of its own, and who made it; returns it with its id. Raises StoreError."""
    digest = sha256(document_of_silence(draft).body).hexdigest()
    for length in range(_DIGITS, len(digest)):
        silence = replace(draft, id=digest[:length])
        change = _change(ChangeAction.ADDED, silence, draft.made, draft.author, draft.reason)
        if await store.run(partial(put_with_change, document=document_of_silence(silence), change=change)):
            return silence
    raise StoreError("no id is left for a silence")


async def change_silence(
    store: Store,
    id: str,
    action: ChangeAction,
    author: str,
    now: datetime,
    change: Callable[[Silence], Silence],
) -> Silence:
    """Stores what a function makes of a silence, made again of what is stored by then where another change was faster.

    Returns it as it is stored then. Raises StoreError, and whatever the function raises.
    """
    for _ in range(_TRIES):
        async with store.session() as tx:
            document = await find_document(tx, DocumentKind.SILENCE, id)
        if document is None or (silence := find_silence_in(document)) is None:
            raise BadUsage(f"{id}: is no silence that can be read; see alert-router silences list")
        changed = change(silence)
        entry = _change(action, changed, now, author, changed.reason)
        if await store.run(
            partial(put_with_change, document=document_of_silence(changed, document.version), change=entry)
        ):
            return changed
    raise StoreError(f"silence {id}: others change it all the time; try again")


def _change(action: ChangeAction, silence: Silence, at: datetime, author: str, reason: str) -> StoredDocument:
    return document_of_change(
        ChangeEntry(
            subject=ChangeSubject.SILENCE,
            id=silence.id,
            stream=silence.stream,
            action=action,
            at=at,
            author=author,
            reason=reason,
            until=silence.end,
        )
    )
