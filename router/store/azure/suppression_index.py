"""Which rows of the ledger a rule holds, by rulebook and rule, so that nobody looks through all of them.

An entry is written before the ledger's row, so that none is missing; what it says is judged against that row.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime

from router.domain.holders import find_silence_id
from router.domain.ledger import LedgerRow
from router.store.azure.row_counts import filter_of
from router.store.azure.shards import named, sorting
from router.store.azure.tables import AFTER, Entity, RowPage, Step, Table, quoted, version_of
from router.store.codec import attempt
from router.store.row_reader import Columns

_HASH = re.compile(r"[0-9A-Za-z_-]*")
"""A rulebook's hash. A row that names another was damaged, and has its entry from before."""

_COLUMNS = ("PartitionKey", "RowKey")
"""All that is read of an entry: its key says everything, and cannot be damaged."""


class HeldIndex:
    """The table `held`: a partition for each stream, in it an entry for each rulebook, rule and signal."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def enter_rows(self, rows: Sequence[LedgerRow]) -> None:
        """Enters those rows that hold something, before the ledger has them."""
        await self._table.write([(Step("put", entry),) for row in rows for entry in _entries(row)])

    async def enter_entities(self, stream: str, entities: Sequence[Entity]) -> None:
        """Enters rows of the ledger as they are stored, under the rule that they name now."""
        rows = [Columns(entity) for entity in entities]
        entries = [
            _entry(stream, row.words("rulebook"), row.words("rule"), row.text("RowKey"), row.words("until"))
            for row in rows
        ]
        await self._table.write([(Step("put", entry),) for entry in entries])

    async def remove(self, entries: Sequence[Entity]) -> None:
        """Takes out those entries that nobody has entered anew since they were read."""
        await self._table.write([(Step("delete", entry, version_of(entry)),) for entry in entries])

    async def page(self, after: Mapping[str, str] | None, most: int) -> RowPage:
        """A page of all entries, with when each was made."""
        return await self._table.page(None, after, most, (*_COLUMNS, "Timestamp"))

    async def entries_of_stream(self, stream: str, after: Mapping[str, str] | None) -> RowPage:
        """A page of the entries of a stream."""
        return await self._table.page(f"PartitionKey eq '{quoted(stream)}'", after, select=_COLUMNS)

    async def entries_under(self, stream: str, rule: str) -> AsyncIterator[RowPage]:
        """The entries under a rule, whichever rulebook held the signals, in pages: some look-ups for each rulebook."""
        low = ""
        while (entry := await self._table.first(stream, low, select=_COLUMNS)) is not None:
            rulebook = entry["RowKey"].split(".")[0]
            prefix, after = _prefix(rulebook, rule), None
            while True:
                page = await self._table.page(filter_of(stream, prefix, prefix + AFTER), after, select=_COLUMNS)
                yield page
                if (after := page.next) is None:
                    break
            low = f"{rulebook}.{AFTER}"

    async def in_doubt(
        self, stream: str, rulebook: str, active: Collection[str], now: datetime
    ) -> AsyncIterator[Entity]:
        """What is entered under another rulebook, or under what is not among the active ones, or under a silence until now."""
        async for entry in self._table.rows(stream, high=f"{rulebook}.", select=_COLUMNS):
            yield entry
        async for entry in self._table.rows(stream, low=f"{rulebook}.{AFTER}", select=_COLUMNS):
            yield entry
        known = {named(rule): find_silence_id(rule) is not None for rule in active}
        async for rule in self._rules(stream, rulebook):
            if known.get(rule) is False:
                continue
            low = f"{rulebook}.{rule}."
            # Windows close, and silences are extended: only what one held until now is asked about again.
            where = f"until le '{sorting(now)}'" if rule in known else None
            async for entry in self._table.rows(stream, low, low + AFTER, where=where, select=_COLUMNS):
                yield entry

    async def _rules(self, stream: str, rulebook: str) -> AsyncIterator[str]:
        """The rules of a rulebook that have entries, as keys name them: one look-up for each, however many those are."""
        low, high = f"{rulebook}.", f"{rulebook}.{AFTER}"
        while (entry := await self._table.first(stream, low, high, select=_COLUMNS)) is not None:
            rule = entry["RowKey"].split(".")[1]
            yield rule
            low = f"{rulebook}.{rule}.{AFTER}"


def _prefix(rulebook: str, rule: str) -> str:
    return f"{rulebook}.{named(rule)}."


def _entries(row: LedgerRow) -> list[Entity]:
    if (held := row.held) is None or not _HASH.fullmatch(held.rulebook):
        return []
    return [_entry(row.stream, held.rulebook, held.rule, row.key, sorting(held.until))]


def _entry(stream: str, rulebook: str, rule: str, key: str, until: str) -> Entity:
    keys = {"PartitionKey": stream, "RowKey": _prefix(rulebook, rule) + key}
    return {**keys, "rule": rule, "rulebook": rulebook, "signal": key, "until": until}


def signal_of(entry: Entity) -> str:
    """The signal that an entry names."""
    return str(entry["RowKey"].split(".", 2)[2])


def is_named_by(entry: Entity, entity: Entity) -> bool:
    """Whether a row is still held under the rule and the rulebook under which the index names it, as far as it can be read."""
    row = Columns(entity)
    rule, rulebook, until = (attempt(row.text, name) for name in ("rule", "rulebook", "until"))
    if (
        isinstance(rule, str)
        and isinstance(rulebook, str)
        and isinstance(until, str)
        and until
        and _HASH.fullmatch(rulebook)
    ):
        return bool(entry["RowKey"].startswith(_prefix(rulebook, rule)))
    return any(entity.get(name) for name in ("rule", "rulebook", "until", "source", "held"))
