"""The table `counts`: how many decisions each hour had of which sort."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import orjson

from router.domain.counts import Cell, counted
from router.domain.keys import fingerprint_of
from router.domain.notices import RecordEntry
from router.store.codec import decode, readable
from router.store.store import Transaction

_ADD = """
INSERT INTO counts (hour, id, cell, count) VALUES (?,?,?,?)
ON CONFLICT (hour, id) DO UPDATE SET count=counts.count+excluded.count
"""

# One row for each cell of each part: how many hours there are, only the database sees.
_SUM = """
SELECT part, min(cell) AS cell, CAST(sum(count) AS BIGINT) AS many FROM (
    SELECT CASE WHEN hour<? THEN -1 ELSE (hour-?)/? END AS part, id, cell, count FROM counts WHERE hour>=? AND hour<?
) AS parts GROUP BY part, id ORDER BY part, id
"""


class CellCount(NamedTuple):
    """How many decisions are in a cell, in one of the parts that a span of time was cut into; what was before is part -1."""

    part: int
    cell: Cell
    many: int


async def add_counts(tx: Transaction, entries: Iterable[RecordEntry]) -> None:
    """Count decisions; each is to come once."""
    cells = (
        (hour, orjson.dumps(tuple(cell)).decode(), count)
        for hour, counts in counted(entries).items()
        for cell, count in counts.items()
    )
    await tx.write_many(_ADD, sorted((hour, fingerprint_of(text), text, count) for hour, text, count in cells))


async def read_counts(
    tx: Transaction, since: datetime, begins: datetime, until: datetime, origin: datetime, step: timedelta
) -> Sequence[CellCount]:
    """Return what was decided from one hour to before another: what was before `begins` as one, the rest in parts.

    Those have a length, and are counted from `origin`, which is not after `begins`. What cannot be decoded is left out. Raises
    StoreError.
    """
    rows = await tx.fetch(_SUM, begins, origin, step // timedelta(microseconds=1), since, until)
    cells = {text: readable(None, decode, Cell, text.encode()) for text in {row.words("cell") for row in rows}}
    found = ((row.raw("part"), cells[row.words("cell")], row.whole("many")) for row in rows)
    return [CellCount(part, cell, many) for part, cell, many in found if cell is not None]


async def find_first_counted(tx: Transaction) -> datetime | None:
    """Return the first hour in which anything is counted; None where nothing is."""
    row = await tx.find("SELECT min(hour) AS hour FROM counts")
    return readable(None, row.find_time, "hour") if row is not None else None
