"""Sets rows of a table that cannot be decoded aside in the quarantine, so that the rows beside them can be read."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable
from datetime import datetime

from router.domain.damage import DamagedRow, quarantine_entry_of
from router.domain.errors import Undecodable
from router.domain.signals import Stream
from router.store.azure.quarantine import AzureQuarantine
from router.store.azure.tables import Entity, Step, Table, version_of
from router.store.codec import attempt
from router.store.row_reader import Columns

type Clock = Callable[[], datetime]
"""Tells when a damaged row was found."""


class RowQuarantine:
    """Puts damaged rows in the quarantine; raises StoreError."""

    def __init__(self, quarantine: AzureQuarantine, clock: Clock) -> None:
        self._quarantine = quarantine
        self.clock = clock

    async def put(self, table: str, entity: Entity, why: Undecodable, stream: str | None = None) -> None:
        """Puts a damaged row whole in the quarantine; it stays in its table, too."""
        row = Columns(entity)
        known = attempt(row.word, "stream", Stream)
        one = DamagedRow(
            table=table,
            key=f"{row.words('PartitionKey')}/{row.words('RowKey')}",
            why=str(why),
            stream=known.value if isinstance(known, Stream) else stream,
            row=row.whole_row(),
        )
        await self._quarantine.put_in_quarantine([quarantine_entry_of(one, self.clock())])

    async def sound[T](
        self,
        table: Table,
        name: str,
        rows: AsyncIterable[Entity],
        read: Callable[[Columns], T],
        stream: str | None = None,
    ) -> list[T]:
        """The values of some rows, in their order. Rows that cannot be decoded are put in the quarantine and deleted."""
        found = [(row, attempt(read, Columns(row))) async for row in rows]
        for row, fault in found:
            if isinstance(fault, Undecodable):
                key = {"PartitionKey": row["PartitionKey"], "RowKey": row["RowKey"]}
                await self.put(name, await table.find(*key.values()) or row, fault, stream)
                await table.write([(Step("delete", key, version_of(row)),)])
        return [value for _, value in found if not isinstance(value, Undecodable)]
