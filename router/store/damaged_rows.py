"""Sets rows that cannot be decoded aside in the quarantine, whole, so that the rows beside them can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from router.domain.damage import DamagedRow, quarantine_entry_of
from router.domain.errors import Undecodable
from router.domain.signals import Stream
from router.store.codec import attempt
from router.store.engine import Engine, Transaction
from router.store.instants import Clock
from router.store.quarantine import keep
from router.store.row_reader import Columns, printable

PLACES = {
    "signals": ("key",),
    "destinations": ("stream", "name"),
    "groups": ("stream", "destination", "key"),
    "members": ("stream", "destination", "signal"),
    "claims": ("stream", "destination", "key"),
    "progress": ("hub", "partition"),
    "taken": ("origin", "last", "first"),
    "marks": ("origin", "last", "first", "process"),
    "losses": ("hub", "partition", "epoch", "first"),
    "sweeps": ("hub",),
    "partitions": ("namespace", "hub", "readers", "partition"),
    "record": ("key",),
    "lookups": ("signal",),
    "counts": ("hour", "id"),
    "hits": ("stream", "rule"),
    "documents": ("kind", "id"),
}
"""The columns under which the rows of each table lie."""


async def read_sound[T](
    engine: Engine, clock: Clock, table: str, sql: str, values: Sequence[object], read: Callable[[Columns], T]
) -> list[T]:
    """Return the values of the rows of a table that a query finds. Rows that cannot be decoded are set aside."""
    async with engine.session() as tx:
        rows = await tx.fetch(sql, *values)
    found = [(row, attempt(read, row)) for row in rows]
    damaged = [(row, fault) for row, fault in found if isinstance(fault, Undecodable)]
    if damaged:
        async with engine.transaction() as tx:
            await set_aside(tx, clock, table, damaged)
    return [value for _, value in found if not isinstance(value, Undecodable)]


async def set_aside(tx: Transaction, clock: Clock, table: str, damaged: Iterable[tuple[Columns, Undecodable]]) -> None:
    """Put damaged rows whole in the quarantine, and take them out of their table.

    A row whose key is no text stays: only a hand that wrote into a file can make one, and it is set aside once.
    """
    names = PLACES[table]
    where = " AND ".join(f"{name}=?" for name in names)
    for row, why in damaged:
        place = [row.raw(name) for name in names]
        whole = await tx.find(f"SELECT * FROM {table} WHERE {where}", *place) or row
        await keep(tx, [quarantine_entry_of(_damaged_row(table, whole, why), clock())])
        await tx.execute(f"DELETE FROM {table} WHERE {where}", *place)


def _damaged_row(table: str, row: Columns, why: Undecodable) -> DamagedRow:
    stream = attempt(row.word, "stream", Stream)
    return DamagedRow(
        table=table,
        key="/".join(printable(row.raw(name)) for name in PLACES[table]),
        why=str(why),
        stream=stream.value if isinstance(stream, Stream) else None,
        row=row.whole_row(),
    )
