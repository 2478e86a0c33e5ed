"""Documents: silences, holds, facts, and what else is small and read by every worker."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from router.domain.documents import DocumentKind, StoredDocument
from router.domain.ledger import Version
from router.store.damaged_rows import read_sound
from router.store.engine import Engine
from router.store.instants import Clock, micros
from router.store.row_reader import MOST_STEPS, Columns

_VERSIONS = "SELECT id, version FROM documents WHERE kind=? AND id = ANY(?)"
_WRITE = """
INSERT INTO documents (kind, id, at, body, version) VALUES (?,?,?,?,?)
ON CONFLICT (kind, id) DO UPDATE SET at=excluded.at, body=excluded.body, version=excluded.version
"""
_REMOVE = "DELETE FROM documents WHERE kind=? AND id=? AND version=?"


class SqlDocuments:
    """The table `documents`. One that is damaged is set aside."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def put_document(self, document: StoredDocument) -> Version | None:
        """Write a document if its stored version is still `version`; return the new one, None if somebody was faster."""
        return (await self.put_documents([document])).get(document.id)

    async def put_documents(self, documents: Sequence[StoredDocument]) -> Mapping[str, Version]:
        """Write documents of one kind; return the new versions of those with which nobody was faster."""
        if not documents:
            return {}
        kind = documents[0].kind.value
        async with self._engine.transaction() as tx:
            rows = await tx.fetch(_VERSIONS, kind, [one.id for one in documents])
            stored = {row.raw("id"): row.raw("version") for row in rows}
            won = [one for one in documents if (one.version or 0) == stored.get(one.id, 0)]
            written = {one.id: int(one.version or 0) + 1 for one in won}
            await tx.execute_many(
                _WRITE,
                [
                    (kind, one.id, micros(one.at), one.body, written[one.id])
                    for one in sorted(won, key=lambda one: one.id)
                ],
            )
        return written

    async def find_document(self, kind: DocumentKind, id: str) -> StoredDocument | None:
        """Return one document."""
        return next(iter(await self._read("id=?", kind, id)), None)

    async def find_documents(self, kind: DocumentKind, ids: Collection[str]) -> Mapping[str, StoredDocument]:
        """Return those of some documents of a kind that are there, by their ids."""
        found = await self._read("id = ANY(?)", kind, list(ids)) if ids else []
        return {one.id: one for one in found}

    async def list_documents(self, kind: DocumentKind, since: datetime | None = None) -> Sequence[StoredDocument]:
        """Return all documents of a kind, or those whose instant is not before another, by their ids."""
        # In no order, which would have SQLite walk all of the kind by their ids, and not the index on instants.
        found = await (self._read("at>=?", kind, micros(since)) if since is not None else self._read("TRUE", kind))
        return sorted(found, key=lambda one: one.id)

    async def remove_document(self, document: StoredDocument) -> bool:
        """Remove a document if its stored version is still `version`; False if it is not."""
        async with self._engine.transaction() as tx:
            return bool(await tx.execute(_REMOVE, document.kind.value, document.id, document.version))

    async def _read(self, where: str, kind: DocumentKind, *values: object) -> list[StoredDocument]:
        def document(row: Columns) -> StoredDocument:
            return StoredDocument(
                kind=kind,
                id=row.text("id"),
                at=row.time("at"),
                body=row.body("body"),
                version=row.whole("version", 1, MOST_STEPS),
            )

        sql = f"SELECT * FROM documents WHERE kind=? AND {where}"
        return await read_sound(self._engine, self._clock, "documents", sql, (kind.value, *values), document)
