"""What was judged of each subscription's snapshots, as documents: findings remember only the last few."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from router.domain.documents import DocumentKind, StoredDocument
from router.domain.snapshots import JudgedSnapshot, SnapshotHistory, Stretch, instant_of
from router.store.documents import find_document, list_documents, put_document
from router.store.engine import Transaction
from router.store.store import Store


class SnapshotHistories:
    """The history of each subscription; raises StoreError. What cannot be read counts as not there, and is judged anew."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read_all(self) -> Mapping[str, SnapshotHistory]:
        """Every subscription's history."""
        async with self._store.session() as tx:
            found = await list_documents(tx, DocumentKind.SNAPSHOTS)
        return {document.id: history_in(document.body) for document in found}

    async def write(self, subscription: str, change: Callable[[SnapshotHistory], SnapshotHistory]) -> SnapshotHistory:
        """Writes what a change makes of a subscription's history, whoever else writes it, and returns that."""

        async def changed(tx: Transaction) -> SnapshotHistory | None:
            document = await find_document(tx, DocumentKind.SNAPSHOTS, subscription)
            before = history_in(document.body) if document is not None else SnapshotHistory()
            after = change(before)
            if after == before or not after.judged:
                return after
            stored = StoredDocument(
                kind=DocumentKind.SNAPSHOTS,
                id=subscription,
                at=instant_of(after.judged[-1].stretch.last),
                body=body_of(after),
                version=document.version if document is not None else None,
            )
            return after if await put_document(tx, stored) is not None else None

        while (after := await self._store.run(changed)) is None:
            pass
        return after


def body_of(history: SnapshotHistory) -> bytes:
    """A history as it is stored."""
    judged = [[one.stretch.first, one.stretch.last, one.rows, one.counts] for one in history.judged]
    return orjson.dumps({"judged": judged, "ended": history.ended})


def history_in(body: bytes) -> SnapshotHistory:
    """The history that was stored so; an empty one where the body is none."""
    try:
        stored: Any = orjson.loads(body)
        judged = [
            JudgedSnapshot(Stretch(int(first), int(last)), int(rows), bool(counts))
            for first, last, rows, counts in stored["judged"]
        ]
        return SnapshotHistory(tuple(sorted(judged)), int(stored["ended"]))
    except (ValueError, TypeError, KeyError):
        return SnapshotHistory()
