"""Which rows of the ledger a rule holds, by rulebook and rule, so that nobody looks through all of them.

An entry is written before the ledger's row, so that none is missing; what it says is judged against that row.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime

from router.domain.ledger import Row
from router.store.azure_storage.shards import named
from router.store.azure_storage.tables import AFTER, Entity, Step, Table, version_of, written_at

_COLUMNS = ("PartitionKey", "RowKey", "rule", "rulebook", "signal")


class HeldIndex:
    """The table `held`: a partition for each stream, in it an entry for each rulebook, rule and signal."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def add(self, rows: Sequence[Row]) -> None:
        """Enters the rows that hold something, before the ledger has them."""
        await self._table.write([(Step("put", entry),) for row in rows for entry in _entries(row)])

    async def remove(self, entries: Sequence[Entity]) -> None:
        """Takes out those entries that nobody has entered anew since they were read."""
        await self._table.write([(Step("delete", entry, version_of(entry)),) for entry in entries])

    async def older(self, than: datetime) -> AsyncIterator[Entity]:
        """The entries that were made before an instant."""
        async for entry in self._table.query("PartitionKey ge ''", (*_COLUMNS, "Timestamp")):
            if written_at(entry) < than:
                yield entry

    async def in_doubt(self, stream: str, rulebook: str, active: Collection[str]) -> AsyncIterator[Entity]:
        """What is entered under another rulebook, or under a rule that is not among the active ones."""
        async for entry in self._table.rows(stream, high=f"{rulebook}.", select=_COLUMNS):
            yield entry
        async for entry in self._table.rows(stream, low=f"{rulebook}.{AFTER}", select=_COLUMNS):
            yield entry
        async for rule in self._rules(stream, rulebook):
            if rule not in active:
                low = _prefix(rulebook, rule)
                async for entry in self._table.rows(stream, low, low + AFTER, select=_COLUMNS):
                    yield entry

    async def _rules(self, stream: str, rulebook: str) -> AsyncIterator[str]:
        """The rules of a rulebook that have entries: one look-up for each, however many those are."""
        low, high = f"{rulebook}.", f"{rulebook}.{AFTER}"
        while (entry := await self._table.first(stream, low, high, select=_COLUMNS)) is not None:
            yield entry["rule"]
            low = _prefix(rulebook, entry["rule"]) + AFTER


def _prefix(rulebook: str, rule: str) -> str:
    return f"{rulebook}.{named(rule)}."


def _entries(row: Row) -> list[Entity]:
    if (held := row.held) is None:
        return []
    place = {"PartitionKey": row.stream, "RowKey": _prefix(held.rulebook, held.rule) + row.key}
    return [{**place, "rule": held.rule, "rulebook": held.rulebook, "signal": row.key}]
