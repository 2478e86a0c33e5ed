"""Documents in a table: a partition for each kind."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import Undecodable
from router.domain.ledger import Version
from router.domain.retention import document_age
from router.store.azure.bodies import Bodies, fresh_name
from router.store.azure.damaged_rows import RowQuarantine
from router.store.azure.shards import escaped, named, sorting
from router.store.azure.tables import AFTER, Entity, Step, Table, keys_of, version_of
from router.store.codec import attempted
from router.store.row_reader import Columns

TABLE = "documents"

FOLDER = "documents"
"""The folder of the bodies that a row cannot hold."""

_LONGEST_ID = 300
"""Characters of an id, as it is escaped, that stand in a row key."""

_AT_A_TIME = 200
"""Documents that one step forgets."""


class AzureDocuments:
    """The table `documents`; the version of a document is its row's etag. One that is damaged is set aside."""

    def __init__(self, table: Table, bodies: Bodies, aside: RowQuarantine) -> None:
        self._table = table
        self._bodies = bodies
        self._aside = aside

    async def put_document(self, document: StoredDocument) -> Version | None:
        """Writes a document if its stored version is still `version`; returns the new one, None if somebody was faster."""
        return (await self.put_documents([document])).get(document.id)

    async def put_documents(self, documents: Sequence[StoredDocument]) -> Mapping[str, Version]:
        """Writes documents of one kind, many in one transaction; returns the versions of those with which nobody was faster."""
        entities = await asyncio.gather(*map(self._entity, documents))
        written = await self._table.write(
            [(_step(entity, one.version),) for entity, one in zip(entities, documents, strict=True)]
        )
        lost = [
            entity["body"]
            for entity, versions in zip(entities, written, strict=True)
            if versions is None and isinstance(entity["body"], str)
        ]
        await asyncio.gather(*map(self._bodies.delete, lost))
        return {one.id: versions[0] for one, versions in zip(documents, written, strict=True) if versions is not None}

    async def _entity(self, document: StoredDocument) -> Entity:
        keys = _keys(document.kind, document.id)
        body = await self._bodies.column(document.body, fresh_name(FOLDER, "/".join(keys.values())))
        return {**keys, "id": document.id, "at": sorting(document.at), "body": body}

    async def find_document(self, kind: DocumentKind, id: str) -> StoredDocument | None:
        """One document."""
        row = await self._table.find(*_keys(kind, id).values())
        return await self._document(kind, row) if row is not None else None

    async def find_documents(self, kind: DocumentKind, ids: Collection[str]) -> Mapping[str, StoredDocument]:
        """Those of some documents of a kind that are there, by their ids."""
        keys = [_keys(kind, id) for id in ids]
        rows = await self._table.find_all((one["PartitionKey"], one["RowKey"]) for one in keys)
        found = await asyncio.gather(*(self._document(kind, row) for row in rows.values()))
        return {one.id: one for one in found if one is not None}

    async def list_documents(self, kind: DocumentKind, since: datetime | None = None) -> Sequence[StoredDocument]:
        """All documents of a kind, or those whose instant is not before another, by their ids."""
        where = f"at ge '{sorting(since)}'" if since is not None else None
        rows = [row async for row in self._table.rows(kind.value, where=where)]
        found = await asyncio.gather(*(self._document(kind, row) for row in rows))
        return sorted((one for one in found if one is not None), key=lambda one: one.id)

    async def _document(self, kind: DocumentKind, row: Entity) -> StoredDocument | None:
        document = await attempted(self._read(kind, row))
        if isinstance(document, Undecodable):
            await self._aside.put(TABLE, row, document)
            await self._table.write([(Step("delete", keys_of(row), version_of(row)),)])
            return None
        return document

    async def _read(self, kind: DocumentKind, row: Entity) -> StoredDocument:
        found = Columns(row)
        body = await self._bodies.read(row.get("body"))
        return StoredDocument(kind=kind, id=found.text("id"), at=found.time("at"), body=body, version=version_of(row))

    async def remove_document(self, document: StoredDocument) -> bool:
        """Removes a document if its stored version is still `version`; False if it is not."""
        if document.version is None:
            return False
        keys = _keys(document.kind, document.id)
        row = await self._table.find(keys["PartitionKey"], keys["RowKey"], ("body",))
        (gone,) = await self._table.write([(Step("delete", keys, str(document.version)),)])
        if gone is not None and row is not None:
            await self._bodies.delete(row.get("body"))
        return gone is not None

    async def owner(self, key: str) -> Entity | None:
        """The row of which a blob's name has the keys, as far as it names blobs."""
        kind, _, row = key.partition("/")
        return await self._table.find(kind, row, ("body",))

    async def forget(self, now: datetime) -> int:
        """Takes away some documents whose time is long over; returns how many, 0 where none is left."""
        gone = await asyncio.gather(*(self._forget(kind, now) for kind in DocumentKind))
        return sum(gone)

    async def _forget(self, kind: DocumentKind, now: datetime) -> int:
        old = f"at le '{sorting(now - document_age(kind))}'"
        rows = await self._table.some(kind.value, "", AFTER, _AT_A_TIME, where=old)
        written = await self._table.write([(Step("delete", keys_of(row), version_of(row)),) for row in rows])
        for row, done in zip(rows, written, strict=True):
            if done is not None:
                await self._bodies.delete(row.get("body"))
        return len(rows) - written.count(None)


def _step(entity: Entity, version: Version | None) -> Step:
    return Step("create", entity) if version is None else Step("replace", entity, str(version))


def _keys(kind: DocumentKind, id: str) -> dict[str, str]:
    """Where a document lies: an id may be a resource's."""
    row = escaped(id)
    return {
        "PartitionKey": kind.value,
        "RowKey": row if len(row) <= _LONGEST_ID else f"{row[:_LONGEST_ID]}~{named(id)}",
    }
