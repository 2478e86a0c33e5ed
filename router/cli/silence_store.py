"""Silences as commands read and write them: over what was read, and with an entry of who made what of them when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from hashlib import sha256

from router.domain.changes import ChangeAction, ChangeEntry, ChangeSubject, document_of_change
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import BadUsage, StoreError
from router.domain.ports.store import Documents
from router.domain.silence_documents import ReadSilences, document_of_silence, find_silence_in, read_silences
from router.domain.silences import Silence

_TRIES = 20
"""How often a change is made again where somebody else was faster."""

_DIGITS = 6
"""Digits of an id; more where another silence has those already."""


async def stored_silences(documents: Documents, since: datetime | None) -> ReadSilences:
    """The silences that did not end before an instant, by their ids; all without one. Raises StoreError."""
    return read_silences(await documents.list_documents(DocumentKind.SILENCE, since))


async def add_silence(documents: Documents, draft: Silence) -> Silence:
    """Stores a silence under an id of its own, and who made it; returns it with its id. Raises StoreError."""
    digest = sha256(document_of_silence(draft).body).hexdigest()
    for length in range(_DIGITS, len(digest)):
        silence = replace(draft, id=digest[:length])
        if await documents.find_document(DocumentKind.SILENCE, silence.id) is not None:
            continue
        change = _change(ChangeAction.ADDED, silence, draft.made, draft.author, draft.reason)
        if await _store_both(documents, document_of_silence(silence), change):
            return silence
    raise StoreError("no id is left for a silence")


async def change_silence(
    documents: Documents,
    id: str,
    action: ChangeAction,
    author: str,
    now: datetime,
    change: Callable[[Silence], Silence],
) -> Silence:
    """Stores what a function makes of a silence, made again of what is stored by then where somebody else was faster.

    Returns it as it is stored then. Raises StoreError, and whatever the function raises.
    """
    for _ in range(_TRIES):
        document = await documents.find_document(DocumentKind.SILENCE, id)
        if document is None or (silence := find_silence_in(document)) is None:
            raise BadUsage(f"{id}: is no silence that can be read; see alert-router silences list")
        changed = change(silence)
        entry = _change(action, changed, now, author, changed.reason)
        if await _store_both(documents, document_of_silence(changed, document.version), entry):
            return changed
    raise StoreError(f"silence {id}: others change it all the time; try again")


async def _store_both(documents: Documents, silence: StoredDocument, change: StoredDocument) -> bool:
    """Stores a silence and its change; False where somebody else was faster, and then neither.

    The change is first: a death in between leaves one on record that came to nothing, and never a silence of nobody's.
    """
    version = await documents.put_document(change)
    if await documents.put_document(silence) is not None:
        return True
    if version is not None:
        await documents.remove_document(replace(change, version=version))
    return False


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
