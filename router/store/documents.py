"""Documents: silences, holds, facts, and what else is small and read by every worker. One that is damaged is set aside."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from router.domain.documents import DocumentKind, StoredDocument, Version
from router.store.codec import MOST_STEPS, Columns, micros
from router.store.quarantine import read_sound
from router.store.store import Transaction

_NEW = "INSERT INTO documents (kind, id, at, body, version) VALUES (?,?,?,?,0) ON CONFLICT (kind, id) DO NOTHING"
_VERSIONS = "SELECT id, version FROM documents WHERE kind=? AND id = ANY(?) ORDER BY id FOR UPDATE"
_WRITE = "UPDATE documents SET at=?, body=?, version=version+1 WHERE kind=? AND id=? AND version=?"


async def put_document(tx: Transaction, document: StoredDocument) -> Version | None:
    """Write a document if its stored version is still `version`; return the new one, None if another worker was faster."""
    return (await put_documents(tx, [document])).get(document.id)


async def put_documents(tx: Transaction, documents: Sequence[StoredDocument]) -> Mapping[str, Version]:
    """Write documents of one kind, each id once; return the new versions of those with which no other worker was faster."""
    if not documents:
        return {}
    kind, ordered = documents[0].kind.value, sorted(documents, key=lambda one: one.id)
    # A new one is locked as one that is there: first it gets a row, of version 0.
    new = [(kind, one.id, micros(one.at), one.body) for one in ordered if not one.version]
    await tx.write_many(_NEW, new)
    rows = await tx.fetch(_VERSIONS, kind, [one.id for one in ordered])
    stored = {row.raw("id"): row.raw("version") for row in rows}
    won = [one for one in ordered if stored.get(one.id) == (one.version or 0)]
    await tx.write_many(_WRITE, [(micros(one.at), one.body, kind, one.id, stored[one.id]) for one in won])
    return {one.id: stored[one.id] + 1 for one in won}


async def put_with_change(tx: Transaction, document: StoredDocument, change: StoredDocument) -> bool:
    """Write a document and who changed it; False if another worker was faster, and then neither."""
    if await put_document(tx, document) is None:
        return False
    await put_document(tx, change)
    return True


async def find_document(tx: Transaction, kind: DocumentKind, id: str) -> StoredDocument | None:
    """Return one document."""
    return next(iter(await _read(tx, "id=?", kind, id)), None)


async def find_documents(tx: Transaction, kind: DocumentKind, ids: Collection[str]) -> Mapping[str, StoredDocument]:
    """Return those of some documents of a kind that are there, by their ids."""
    found = await _read(tx, "id = ANY(?)", kind, list(ids)) if ids else []
    return {one.id: one for one in found}


async def list_documents(
    tx: Transaction, kind: DocumentKind, since: datetime | None = None
) -> Sequence[StoredDocument]:
    """Return all documents of a kind, or those whose instant is not before another, by their ids."""
    # In no order, which would have SQLite walk all of the kind by their ids, and not the index on instants.
    found = await (_read(tx, "at>=?", kind, micros(since)) if since is not None else _read(tx, "TRUE", kind))
    return sorted(found, key=lambda one: one.id)


async def _read(tx: Transaction, where: str, kind: DocumentKind, *values: object) -> list[StoredDocument]:
    def document(row: Columns) -> StoredDocument:
        return StoredDocument(
            kind=kind,
            id=row.text("id"),
            at=row.time("at"),
            body=row.body("body"),
            version=row.whole("version", 1, MOST_STEPS),
        )

    sql = f"SELECT * FROM documents WHERE kind=? AND {where}"
    return await read_sound(tx, "documents", sql, (kind.value, *values), document)
