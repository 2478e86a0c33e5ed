"""The quarantine: what was not understood, and the rows of the state that cannot be decoded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from router.domain.damage import ORIGIN
from router.domain.ledger import Arrival
from router.domain.quarantine import QuarantineEntry
from router.domain.reasons import Code, Reason
from router.domain.signals import Quarantined
from router.store.codec import readable
from router.store.engine import Engine, Transaction
from router.store.instants import EPOCH, micros
from router.store.row_reader import Columns, printable

_INSERT = """
INSERT INTO quarantine (id, source, stream, at, origin, place, part, enqueued, code, words, at_fault, body)
VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING
"""
_DAMAGED = "SELECT count(*) FROM quarantine WHERE code='damaged' AND (stream IS NULL OR stream=?)"


class SqlQuarantine:
    """What was not understood, in the table `quarantine`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def put_in_quarantine(self, entries: Sequence[QuarantineEntry]) -> None:
        """Store entries, create-if-absent by their id."""
        if entries:
            async with self._engine.transaction() as tx:
                await keep(tx, entries)

    async def list_quarantined(self) -> Sequence[QuarantineEntry]:
        """Return all entries, oldest first; of an entry that is damaged itself, what can be read of it."""
        async with self._engine.session() as tx:
            return [_entry_in(row) for row in await tx.fetch("SELECT * FROM quarantine ORDER BY at, id")]

    async def find_quarantined(self, id: str) -> QuarantineEntry | None:
        """Return one entry."""
        async with self._engine.session() as tx:
            row = await tx.find("SELECT * FROM quarantine WHERE id=?", id)
        return _entry_in(row) if row is not None else None

    async def discard_quarantined(self, id: str) -> bool:
        """Discard one; False if there is none."""
        async with self._engine.transaction() as tx:
            return bool(await tx.execute("DELETE FROM quarantine WHERE id=?", id))

    async def count_damaged_rows(self, stream: str) -> int:
        """Return how many damaged rows there are, of a stream or of an unknown one."""
        async with self._engine.session() as tx:
            return int(await tx.value(_DAMAGED, stream))


async def keep(tx: Transaction, entries: Iterable[QuarantineEntry]) -> None:
    """Store entries, create-if-absent by their id."""
    rows = [
        (
            one.id,
            one.source,
            one.stream,
            micros(one.at),
            one.arrival.origin,
            one.arrival.place,
            one.arrival.part,
            micros(one.arrival.enqueued),
            one.quarantined.reason.code.value,
            one.quarantined.reason.words,
            one.quarantined.at_fault,
            one.quarantined.body,
        )
        for one in sorted(entries, key=lambda one: one.id)
    ]
    await tx.execute_many(_INSERT, rows)


def _entry_in(row: Columns) -> QuarantineEntry:
    body = row.raw("body")
    return QuarantineEntry(
        id=row.words("id"),
        source=row.words("source"),
        stream=row.words("stream") or None,
        at=readable(EPOCH, row.time, "at"),
        arrival=Arrival(
            readable(ORIGIN, row.text, "origin"),
            readable(0, row.whole, "place"),
            readable(None, row.find_time, "enqueued"),
            readable(0, row.whole, "part"),
        ),
        quarantined=Quarantined(
            reason=Reason(readable(Code.DAMAGED, row.word, "code", Code), row.words("words")),
            at_fault=row.words("at_fault") or None,
            body=body if isinstance(body, bytes) else printable(body).encode(),
        ),
    )
