"""What rows of version 3 say in the columns and tables that version 4 added."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from router.domain.counts import decided_at
from router.domain.decisions import Outcome
from router.domain.deliveries import Receipt
from router.domain.keys import signal_key, written_key
from router.domain.notices import RecordEntry
from router.domain.signals import Kind
from router.store.codec import decode, readable
from router.store.row_reader import Columns
from router.store.sqlite.record_rows import enter
from router.store.sqlite.schema import micros
from router.store.sqlite.selecting import columns_of
from router.store.stored_names import RECEIPT, RECORD_ENTRY

_AT_A_TIME = 1000
"""Rows of the record that are in memory together."""

_PAGE = (
    "SELECT rowid, key, at, outcome, body FROM record WHERE rowid>? AND decided IS NULL ORDER BY rowid "
    f"LIMIT {_AT_A_TIME}"
)


class _Old(NamedTuple):
    """A row of the record: its number, and the entry as far as it can be read; None where not even its instant can."""

    rowid: int
    entry: RecordEntry | None


def fill(db: sqlite3.Connection, now: datetime) -> None:
    """Fills what version 4 added, from what version 3 kept, unless it is filled; part of a transaction.

    Where a row says not when it was decided, or when its signal was heard of, that counts as now.
    """
    db.execute("UPDATE ledger SET heard=? WHERE closed_at IS NULL AND heard IS NULL", (micros(now),))
    db.create_function("reference_of", 1, _reference_of, deterministic=True)
    # As bytes, since a text that is not UTF-8 would end the statement.
    db.execute(
        "UPDATE deliveries SET reference=reference_of(CAST(receipt AS BLOB)) WHERE receipt IS NOT NULL AND reference IS NULL"
    )
    for page in _pages(db):
        _fill(db, page, now)


def _pages(db: sqlite3.Connection) -> Iterator[list[_Old]]:
    """The record in pieces, as it was written."""
    last = -(2**63)
    while rows := columns_of(db.execute(_PAGE, (last,))):
        yield [_Old(row.raw("rowid"), readable(None, _entry, row)) for row in rows]
        last = rows[-1].raw("rowid")


def _fill(db: sqlite3.Connection, page: Sequence[_Old], now: datetime) -> None:
    keys = {one.rowid: _keys_of(one.entry) for one in page if one.entry is not None}
    wanted = json.dumps([key for some in keys.values() for key in some])
    found = db.execute("SELECT key FROM ledger WHERE key IN (SELECT value FROM json_each(?))", (wanted,))
    known = {key for (key,) in found}
    entries: list[RecordEntry] = []
    values: list[tuple[object, ...]] = []
    for rowid, entry in page:
        if entry is None:
            values.append((None, None, micros(now), rowid))
            continue
        signal = _signal_of(keys[rowid], known)
        entries.append(replace(entry, signal=signal))
        values.append((entry.stream, signal, micros(decided_at(entry)), rowid))
    db.executemany("UPDATE record SET stream=?, signal=?, decided=? WHERE rowid=?", values)
    enter(db, entries)


def _keys_of(entry: RecordEntry) -> Sequence[str]:
    """The keys that the signal of a decision may have; the first is that of a signal that nobody knows yet.

    It has another one where its id came in before ids were compared in one form, or where it came in as an incident before.
    """
    if entry.id is None or entry.stream is None:
        return ()
    kinds = [entry.kind]
    if entry.kind in Kind and (other := Kind(entry.kind).other) is not None:
        kinds.append(other)
    return [make(entry.stream, kind, entry.id) for kind in kinds for make in (signal_key, written_key)]


def _signal_of(keys: Sequence[str], known: set[str]) -> str | None:
    return next((key for key in keys if key in known), keys[0] if keys else None)


def _entry(row: Columns) -> RecordEntry:
    """The entry that a row holds, or what its columns say where its body is damaged; raises Undecodable."""
    entry = readable(None, _decoded, row)
    if entry is not None:
        return entry
    at, outcome = row.written("at"), row.word("outcome", Outcome)
    return RecordEntry(
        key=row.words("key"),
        at=at.isoformat(),
        id=None,
        stream=None,
        kind="unknown",
        type=None,
        title=None,
        severity=None,
        status=None,
        plan=None,
        resource=None,
        sample=False,
        outcome=outcome.value,
        reason="",
        notice=None,
        suppressed_by=None,
        suppressed_until=None,
        tactics=(),
        techniques=(),
        routes=(),
        destinations=(),
        rulebook="",
        source="",
    )


def _decoded(row: Columns) -> RecordEntry:
    entry: RecordEntry = decode(RECORD_ENTRY, row.body("body"))
    Columns({"at": entry.at}).written("at")
    return entry


def _reference_of(receipt: bytes) -> str | None:
    """What a receipt is known by at its vendor, as far as it can be read."""
    found: Receipt | None = readable(None, decode, RECEIPT, receipt)
    return found.reference if found is not None else None
