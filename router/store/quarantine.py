"""The quarantine: what was not understood, and the rows of the state that cannot be decoded, so that their neighbours can."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from router.domain.decisions import Code, Reason
from router.domain.errors import Undecodable
from router.domain.hubs import Arrival
from router.domain.keys import quarantine_id
from router.domain.signals import Quarantined, Stream
from router.domain.values import Value
from router.store.codec import EPOCH, Columns, PageEnd, RowForm, attempt, insert, printable, readable
from router.store.store import TABLES, Transaction


class QuarantineEntry(Value, kw_only=True):
    """A body in quarantine: a message that was not understood, or a damaged row of the state.

    Attributes:
        id: the short id that people call it by.
        source: where it came from, as text for people.
        arrival: where in its source it stood, which is what a retake decides by.
        stream: the stream that it came in on, where that is known.
        quarantined: the reason, the field at fault, and the body.
    """

    id: str
    source: str
    arrival: Arrival
    stream: str | None
    at: datetime
    quarantined: Quarantined


_ARRIVAL = RowForm(Arrival, left_out=["again"])
_ENTRY = RowForm(QuarantineEntry, arrival=_ARRIVAL, quarantined=RowForm(Quarantined, reason=RowForm(Reason)))
_INSERT = insert("quarantine", _ENTRY.columns, ["id"])
_WITHOUT_BODY = f"""
SELECT {", ".join(name for name in _ENTRY.columns if name != "body")}, length(body) AS size FROM quarantine
"""
_DAMAGED = "SELECT count(*) FROM quarantine WHERE code='damaged' AND (stream IS NULL OR stream=?)"

ORIGIN = "state"
"""The origin of damaged rows, which never came in as messages."""

_KEY = re.compile(r"PRIMARY KEY \((.*)\)|(\w+) TEXT (?:PRIMARY KEY|NOT NULL UNIQUE)")
KEYS = {
    table: [name.strip() for name in (key[1] or key[2]).split(",")] if (key := _KEY.search(columns)) else ["place"]
    for table, columns in TABLES.items()
}
"""The columns under which the rows of each table lie: their number, where none is unique."""


async def put_in_quarantine(tx: Transaction, entries: Iterable[QuarantineEntry]) -> None:
    """Store entries, create-if-absent by their id."""
    await tx.write_many(_INSERT, [_ENTRY.values(one) for one in sorted(entries, key=lambda one: one.id)])


class ListedEntry(NamedTuple):
    """An entry without its body, of which only the size is known, and where a page ends that it is the last of."""

    entry: QuarantineEntry
    size: int
    page_end: PageEnd


async def list_latest_quarantined(tx: Transaction, after: PageEnd | None, most: int) -> Sequence[ListedEntry]:
    """Return some entries, the latest first: no more than so many, after where a page ended, where that is given."""
    where, values = ("WHERE (at, id)<(?, ?) ", [after.at, after.row]) if after is not None else ("", [])
    rows = await tx.fetch(f"{_WITHOUT_BODY} {where}ORDER BY at DESC, id DESC LIMIT ?", *values, most)
    return [ListedEntry(_entry_in(row), row.whole("size"), PageEnd(row.raw("at"), row.words("id"))) for row in rows]


async def count_quarantined(tx: Transaction, most: int) -> int:
    """Return how many entries there are, counted up to so many."""
    return int(await tx.value("SELECT count(*) FROM (SELECT 1 FROM quarantine LIMIT ?) AS counted", most))


async def find_quarantined(tx: Transaction, ids: Collection[str]) -> Sequence[QuarantineEntry]:
    """Return those entries of some ids that are there still, oldest first."""
    rows = await tx.fetch("SELECT * FROM quarantine WHERE id = ANY(?) ORDER BY at, id", list(ids))
    return [_entry_in(row) for row in rows]


async def list_quarantined(tx: Transaction) -> Sequence[QuarantineEntry]:
    """Return all entries, oldest first; of an entry that is damaged itself, what can be read of it."""
    return [_entry_in(row) for row in await tx.fetch("SELECT * FROM quarantine ORDER BY at, id")]


async def discard_quarantined(tx: Transaction, id: str) -> bool:
    """Discard one; False if there is none."""
    return bool(await tx.execute("DELETE FROM quarantine WHERE id=?", id))


async def count_damaged_rows(tx: Transaction, stream: str) -> int:
    """Return how many damaged rows there are, of a stream or of an unknown one."""
    return int(await tx.value(_DAMAGED, stream))


async def read_sound[T](
    tx: Transaction, table: str, sql: str, values: Sequence[object], read: Callable[[Columns], T]
) -> list[T]:
    """Return the values of the rows of a table that a query finds. Rows that cannot be decoded are set aside."""
    return await sound_in(tx, table, await tx.fetch(sql, *values), read)


async def sound_in[T](tx: Transaction, table: str, rows: Iterable[Columns], read: Callable[[Columns], T]) -> list[T]:
    """Return the values of rows of a table. Rows that cannot be decoded are set aside.

    A row whose key is no text stays: only a hand that wrote into a file can make one, and it is set aside once.
    """
    found = [(row, attempt(read, row)) for row in rows]
    names = KEYS[table]
    where = " AND ".join(f"{name}=?" for name in names)
    for row, why in found:
        if isinstance(why, Undecodable):
            place = [row.raw(name) for name in names]
            whole = await tx.find(f"SELECT * FROM {table} WHERE {where}", *place) or row
            key = "/".join(printable(whole.raw(name)) for name in names)
            await put_in_quarantine(tx, [damaged_entry(table, key, whole, why, tx.now)])
            await tx.write(f"DELETE FROM {table} WHERE {where}", *place)
    return [value for _, value in found if not isinstance(value, Undecodable)]


def damaged_entry(table: str, key: str, row: Columns, why: Undecodable, at: datetime) -> QuarantineEntry:
    """Return the entry under which a row is set aside that cannot be decoded; the same row gives the same entry."""
    name, words, whole = f"{table} {key}", str(why), row.whole_row()
    stream = attempt(row.word, "stream", Stream)
    return QuarantineEntry(
        id=quarantine_id(f"{name} {whole.decode()}"),
        source=f"{ORIGIN}: {name}",
        arrival=Arrival(ORIGIN, 0),
        stream=stream.value if isinstance(stream, Stream) else None,
        at=at,
        quarantined=Quarantined(reason=Reason(Code.DAMAGED, words), at_fault=words.partition(":")[0], body=whole),
    )


def _entry_in(row: Columns) -> QuarantineEntry:
    body, reason = row.raw("body"), Reason(readable(Code.DAMAGED, row.word, "code", Code), row.words("words"))
    return QuarantineEntry(
        id=row.words("id"),
        source=row.words("source"),
        arrival=readable(Arrival(ORIGIN, 0), _ARRIVAL.read, row),
        stream=row.words("stream") or None,
        at=readable(EPOCH, row.time, "at"),
        quarantined=Quarantined(
            reason=reason,
            body=body if isinstance(body, bytes) else printable(body).encode(),
            at_fault=row.words("at_fault") or None,
        ),
    )
