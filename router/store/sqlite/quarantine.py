"""The quarantine in SQLite: what was not understood, and the rows of the state that could not be decoded."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from router.domain.damage import ORIGIN
from router.domain.ledger import Arrival
from router.domain.quarantine import QuarantineEntry
from router.domain.reasons import Code, Reason
from router.domain.signals import Quarantined
from router.store.codec import readable
from router.store.row_reader import Columns, printable
from router.store.sqlite.connection import Connection
from router.store.sqlite.schema import EPOCH, micros
from router.store.sqlite.selecting import columns_of

_COLUMNS = "id, source, stream, at, origin, place, part, enqueued, code, words, at_fault, body"
_INSERT = f"INSERT OR IGNORE INTO quarantine ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"

_UNNAMED = "row-"
"""Begins the id of one whose own cannot be read."""


class SqliteQuarantine:
    """What was not understood, in the table `quarantine`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put_in_quarantine(self, entries: Sequence[QuarantineEntry]) -> None:
        """Stores entries, create-if-absent by their id."""
        if not entries:
            return
        with self._connection.writing() as db:
            for one in entries:
                keep(db, one)

    async def list_quarantined(self) -> Sequence[QuarantineEntry]:
        """All entries, oldest first; of an entry that is damaged itself, what can be read of it."""
        with self._connection.reading() as db:
            found = columns_of(db.execute(f"SELECT rowid AS nr, {_COLUMNS} FROM quarantine"))
        return sorted(map(_entry_in, found), key=lambda one: (one.at, one.id))

    async def find_quarantined(self, id: str) -> QuarantineEntry | None:
        """One entry."""
        where, value = _named(id)
        with self._connection.reading() as db:
            found = columns_of(db.execute(f"SELECT rowid AS nr, {_COLUMNS} FROM quarantine WHERE {where}", (value,)))
        return _entry_in(found[0]) if found else None

    async def discard_quarantined(self, id: str) -> bool:
        """Discards one; False if there is none."""
        where, value = _named(id)
        with self._connection.writing() as db:
            return bool(db.execute(f"DELETE FROM quarantine WHERE {where}", (value,)).rowcount)

    async def count_damaged_rows(self, stream: str) -> int:
        """How many damaged rows there are, of a stream or of an unknown one."""
        with self._connection.reading() as db:
            found = db.execute(
                "SELECT count(*) FROM quarantine WHERE code='damaged' AND (stream IS NULL OR stream=?)", (stream,)
            )
            return int(found.fetchone()[0])


def keep(db: sqlite3.Connection, one: QuarantineEntry) -> None:
    """Stores one entry, create-if-absent by its id."""
    arrival, quarantined = one.arrival, one.quarantined
    db.execute(
        _INSERT,
        (
            one.id,
            one.source,
            one.stream,
            micros(one.at),
            arrival.origin,
            arrival.place,
            arrival.part,
            micros(arrival.enqueued),
            quarantined.reason.code.value,
            quarantined.reason.words,
            quarantined.at_fault,
            quarantined.body,
        ),
    )


def _named(id: str) -> tuple[str, str | int]:
    number = id.removeprefix(_UNNAMED)
    return ("rowid=?", int(number)) if id != number and number.isdecimal() else ("id=?", id)


def _entry_in(row: Columns) -> QuarantineEntry:
    body = row.raw("body")
    return QuarantineEntry(
        id=readable(None, row.find_text, "id") or f"{_UNNAMED}{row.raw('nr')}",
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
