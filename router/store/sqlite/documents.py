"""Documents in SQLite."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from router.domain.documents import DocumentKind, StoredDocument
from router.domain.ledger import Version
from router.store.row_reader import MOST_STEPS, Columns
from router.store.sqlite.connection import Clock, Connection
from router.store.sqlite.damaged_rows import sound
from router.store.sqlite.schema import micros


class SqliteDocuments:
    """The table `documents`. One that is damaged is set aside."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def put_document(self, document: StoredDocument) -> Version | None:
        """Writes a document if its stored version is still `version`; returns the new one, None if somebody was faster."""
        version = int(document.version or 0)
        place, values = (document.kind.value, document.id), (micros(document.at), document.body)
        with self._connection.writing() as db:
            if version == 0:
                sql = "INSERT INTO documents (at, body, version, kind, id) VALUES (?,?,1,?,?) ON CONFLICT DO NOTHING"
                written = db.execute(sql, (*values, *place)).rowcount
            else:
                sql = "UPDATE documents SET at=?, body=?, version=version+1 WHERE kind=? AND id=? AND version=?"
                written = db.execute(sql, (*values, *place, version)).rowcount
        return version + 1 if written else None

    async def put_documents(self, documents: Sequence[StoredDocument]) -> Mapping[str, Version]:
        """Writes documents of one kind; returns the new versions of those with which nobody was faster."""
        with self._connection.writing():
            written = [(one.id, await self.put_document(one)) for one in documents]
        return {id: version for id, version in written if version is not None}

    async def find_document(self, kind: DocumentKind, id: str) -> StoredDocument | None:
        """One document."""
        return next(iter(self._read("kind=? AND id=?", kind, id)), None)

    async def find_documents(self, kind: DocumentKind, ids: Collection[str]) -> Mapping[str, StoredDocument]:
        """Those of some documents of a kind that are there, by their ids."""
        found = self._read("kind=? AND id IN (SELECT value FROM json_each(?))", kind, json.dumps(list(ids)))
        return {one.id: one for one in found}

    async def list_documents(self, kind: DocumentKind, since: datetime | None = None) -> Sequence[StoredDocument]:
        """All documents of a kind, or those whose instant is not before another, by their ids."""
        if since is None:
            return self._read("kind=? ORDER BY id", kind)
        # The plus keeps SQLite from walking all of the kind in the order of their ids, instead of the index on instants.
        return self._read("kind=? AND at>=? ORDER BY +id", kind, micros(since))

    async def remove_document(self, document: StoredDocument) -> bool:
        """Removes a document if its stored version is still `version`; False if it is not."""
        sql = "DELETE FROM documents WHERE kind=? AND id=? AND version=?"
        with self._connection.writing() as db:
            return bool(db.execute(sql, (document.kind.value, document.id, document.version)).rowcount)

    def _read(self, where: str, kind: DocumentKind, *values: object) -> list[StoredDocument]:
        def document(row: Columns) -> StoredDocument:
            return StoredDocument(
                kind=kind,
                id=row.text("id"),
                at=row.time("at"),
                body=row.body("body"),
                version=row.whole("version", 1, MOST_STEPS),
            )

        return sound(self._connection, self._clock, "documents", where, (kind.value, *values), document)
