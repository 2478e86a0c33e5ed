"""Rows of a table: read by key or by range, and written in transactions.

A partition takes 2,000 rows a second: https://learn.microsoft.com/azure/storage/tables/scalability-targets
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from router.store.azure.account import storing
from router.store.azure.transactions import MOST_ROWS, Entity, Step, Unit, Versions, operation, packs

if TYPE_CHECKING:
    from azure.data.tables.aio import TableClient

__all__ = [
    "AFTER", "MOST_ROWS", "Entity", "RowPage", "Step", "Table", "Unit", "Versions", "each", "keys_of", "quoted", "version_of",
    "written_at",
]  # fmt: skip

AT_ONCE = 32
"""Requests to one table that are under way at a time."""

AFTER = "~"
"""Sorts after every character that stands in a row key of ours."""


class Table:
    """One table; raises StoreError."""

    def __init__(self, client: TableClient) -> None:
        self._client = client
        self._requests = asyncio.Semaphore(AT_ONCE)

    async def prepare(self) -> None:
        """Makes the table unless it is there."""
        from azure.core.exceptions import ResourceExistsError

        async with storing(self._client.table_name):
            try:
                await self._client.create_table(retry_on_methods=_RETRIED)
            except ResourceExistsError:
                return

    async def find(self, partition: str, row: str, select: Collection[str] | None = None) -> Entity | None:
        """One row, or those of its columns that were asked for."""
        from azure.core.exceptions import ResourceNotFoundError

        async with self._requests, storing(self._client.table_name):
            try:
                return await self._client.get_entity(partition, row, select=list(select) if select else None)
            except ResourceNotFoundError as fault:
                if getattr(fault, "error_code", None) != "ResourceNotFound":  # the table itself is missing
                    raise
                return None

    async def find_all(
        self, keys: Iterable[tuple[str, str]], select: Collection[str] | None = None
    ) -> dict[tuple[str, str], Entity]:
        """Those of many rows that are there."""
        wanted = list(dict.fromkeys(keys))
        found = await asyncio.gather(*(self.find(*key, select) for key in wanted))
        return {key: entity for key, entity in zip(wanted, found, strict=True) if entity is not None}

    async def rows(
        self,
        partition: str,
        low: str = "",
        high: str = AFTER,
        *,
        where: str | None = None,
        select: Collection[str] | None = None,
    ) -> AsyncIterator[Entity]:
        """The rows of a partition from one key to below another, in order; `where` is a further OData condition."""
        within = _within(partition, low, high)
        async for entity in self.query(f"{within} and ({where})" if where else within, select):
            yield entity

    async def query(self, filter: str, select: Collection[str] | None = None) -> AsyncIterator[Entity]:
        """The rows that an OData filter lets through, in order of partition and row."""
        found = self._client.query_entities(filter, select=list(select) if select else None)
        pages = found.by_page()
        while True:
            async with storing(self._client.table_name):
                try:
                    async with self._requests:
                        page = [entity async for entity in await anext(pages)]
                except StopAsyncIteration:
                    return
            for entity in page:
                yield entity

    async def some(
        self,
        partition: str,
        low: str,
        high: str,
        most: int,
        *,
        where: str | None = None,
        select: Collection[str] | None = None,
    ) -> list[Entity]:
        """The first rows of a range, at most so many."""
        within = _within(partition, low, high)
        page = await self.page(f"{within} and ({where})" if where else within, None, most, select)
        while page.next is not None and len(page.rows) < most:
            more = await self.page(
                f"{within} and ({where})" if where else within, page.next, most - len(page.rows), select
            )
            page = RowPage([*page.rows, *more.rows], more.next)
        return page.rows

    async def page(
        self,
        filter: str | None,
        after: Mapping[str, str] | None,
        most: int = 1000,
        select: Collection[str] | None = None,
    ) -> RowPage:
        """One page of rows that an OData filter lets through, from where another page ended."""
        columns: dict[str, Any] = {"select": list(select)} if select else {}
        if filter is None:
            found = self._client.list_entities(results_per_page=most, **columns)
        else:
            found = self._client.query_entities(filter, results_per_page=most, **columns)
        pages: Any = found.by_page(continuation_token=dict(after) if after is not None else None)  # type: ignore[arg-type]
        async with self._requests, storing(self._client.table_name):
            rows = [entity async for entity in await anext(pages, _nothing())]
        token = pages.continuation_token
        return RowPage(rows, {name: str(token[name]) for name in _TOKEN if token.get(name)} if token else None)

    async def first(
        self, partition: str, low: str = "", high: str = AFTER, *, select: Collection[str] | None = None
    ) -> Entity | None:
        """The first row of a range."""
        within = _within(partition, low, high)
        found = self._client.query_entities(within, select=list(select) if select else None, results_per_page=1)
        async with self._requests, storing(self._client.table_name):
            return await anext(aiter(found), None)

    async def find_partition(self, low: str, high: str) -> str | None:
        """The first partition from one to another, both included, that has a row."""
        within = f"PartitionKey ge '{quoted(low)}' and PartitionKey le '{quoted(high)}'"
        page = await self.page(within, None, 1, ("PartitionKey",))
        while not page.rows and page.next is not None:
            page = await self.page(within, page.next, 1, ("PartitionKey",))
        return str(page.rows[0]["PartitionKey"]) if page.rows else None

    async def write(self, units: Sequence[Unit]) -> list[Versions]:
        """Writes units, many in one transaction; returns the versions that each unit's rows have now.

        None stands for a unit that was not written, because a row of it was there already, is gone, or has another version.
        No row may be in two units.
        """
        results = await asyncio.gather(*(self._write(units, pack) for pack in packs(units)))
        written = {index: versions for result in results for index, versions in result.items()}
        return [written[index] for index in range(len(units))]

    async def _write(self, units: Sequence[Unit], pack: Sequence[int], apart: int = 0) -> dict[int, Versions]:
        """What became of each unit of a pack; `apart` counts how often those in the way were taken out of it."""
        owners = [index for index in pack for _ in units[index]]
        answer = await self._transaction([step for index in pack for step in units[index]])
        if not isinstance(answer, _Conflict):
            versions: dict[int, Versions] = dict.fromkeys(pack, ())
            for index, version in zip(owners, answer, strict=True):
                versions[index] = (*(versions[index] or ()), version)
            return versions
        if len(pack) == 1:
            return {pack[0]: None}
        # Most often one alone is in the way, and the answer names it. Where more are, each goes by itself.
        culprit = owners[answer.step]
        smaller = (
            [[culprit], [index for index in pack if index != culprit]] if not apart else [[index] for index in pack]
        )
        results = await asyncio.gather(*(self._write(units, one, apart + 1) for one in smaller))
        return {index: versions for result in results for index, versions in result.items()}

    async def _transaction(self, steps: Sequence[Step]) -> list[str] | _Conflict:
        """The versions that rows have after a transaction, or which of them was not as it should be."""
        from azure.data.tables import TableTransactionError

        async with self._requests, storing(self._client.table_name):
            try:
                answers = await self._client.submit_transaction(map(operation, steps), retry_on_methods=_RETRIED)
            except TableTransactionError as fault:
                if getattr(fault, "error_code", None) in _CONFLICTS:
                    return _Conflict(min(fault.index, len(steps) - 1))
                raise
        return [str(answer.get("etag", "")) for answer in answers]


class RowPage(NamedTuple):
    """Some rows, and where those after them begin; None where there are no more."""

    rows: list[Entity]
    next: Mapping[str, str] | None


_TOKEN = ("PartitionKey", "RowKey")


async def _nothing() -> AsyncIterator[Entity]:
    return
    yield


class _Conflict(NamedTuple):
    """A transaction that was not made, because of one step, as far as the service says which."""

    step: int


# What is written is safe to repeat: what was done already is then a conflict.
_RETRIED = frozenset({"GET", "POST"})
_CONFLICTS = frozenset({"EntityAlreadyExists", "UpdateConditionNotSatisfied", "ConditionNotMet", "ResourceNotFound"})


def keys_of(entity: Entity) -> dict[str, str]:
    """The partition and the key of a row, as columns."""
    return {"PartitionKey": entity["PartitionKey"], "RowKey": entity["RowKey"]}


async def each(rows: Iterable[Entity]) -> AsyncIterator[Entity]:
    """Rows that were read, one after the other."""
    for row in rows:
        yield row


def version_of(entity: Any) -> str:
    """The version under which a row was read, also where only some of its columns were asked for."""
    # The service gives it with every selection: https://github.com/Azure/azure-sdk-for-net/issues/16771
    return str(entity.metadata["etag"])


def written_at(entity: Any) -> datetime:
    """When the service last wrote a row that was read with its `Timestamp`."""
    at: datetime = entity.metadata["timestamp"]
    return at


def _within(partition: str, low: str, high: str) -> str:
    return f"PartitionKey eq '{quoted(partition)}' and RowKey ge '{quoted(low)}' and RowKey lt '{quoted(high)}'"


def quoted(text: str) -> str:
    """A text as it stands between the quotes of an OData filter."""
    return text.replace("'", "''")
