"""A decision in its row of the record, and what it leaves beside that: its count, its rule's hit, what finds its signal."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from router.domain.counts import counted, hits_in
from router.domain.decisions import Outcome
from router.domain.lookups import ending
from router.domain.notices import RecordEntry
from router.store.cells import text_of
from router.store.codec import decision_in
from router.store.row_reader import Columns
from router.store.sqlite.schema import micros

_LOOKUP = """
INSERT INTO lookups (signal, stream, id_end, resource_end, type, sample) VALUES (?,?,?,?,?,?) ON CONFLICT (signal) DO UPDATE
SET id_end=excluded.id_end, resource_end=excluded.resource_end, type=excluded.type, sample=excluded.sample
WHERE id_end<>excluded.id_end OR resource_end IS NOT excluded.resource_end OR type IS NOT excluded.type
OR sample IS NOT excluded.sample
"""

_COUNT = """
INSERT INTO counts (hour, cell, count) VALUES (?,?,?) ON CONFLICT (hour, cell) DO UPDATE SET count=count+excluded.count
"""

_HITS = """
INSERT INTO hits (stream, rule, total, first, last) VALUES (?,?,?,?,?) ON CONFLICT (stream, rule) DO UPDATE
SET total=total+excluded.total, first=min(first, excluded.first), last=max(last, excluded.last)
"""


def enter(db: sqlite3.Connection, entries: Sequence[RecordEntry]) -> None:
    """Counts decisions that are on record now, and enters what finds their signals."""
    db.executemany(_LOOKUP, [row for entry in entries if (row := _lookup_of(entry)) is not None])
    cells = [
        (micros(hour), text_of(cell), count)
        for hour, counts in counted(entries).items()
        for cell, count in counts.items()
    ]
    db.executemany(_COUNT, cells)
    hits = [(*rule, one.total, micros(one.first), micros(one.last)) for rule, one in hits_in(entries).items()]
    db.executemany(_HITS, hits)


def _lookup_of(entry: RecordEntry) -> tuple[object, ...] | None:
    """What finds the signal of a decision; a repeat's is known from before."""
    if entry.signal is None or entry.id is None or entry.outcome == Outcome.REPEAT:
        return None
    resource = ending(entry.resource or "") or None
    return entry.signal, entry.stream, ending(entry.id), resource, entry.type, entry.sample


def entry_in(row: Columns) -> RecordEntry:
    """The decision that a row of the record has; raises Undecodable."""
    return decision_in(row.body("body"))
