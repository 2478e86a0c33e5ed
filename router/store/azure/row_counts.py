"""Rows counted page by page: never more than some pages of one kind, so that a count is whole or says that it is not."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from router.domain.errors import StoreError
from router.domain.state_report import Count
from router.store.azure.tables import AFTER, Entity, RowPage, Table, quoted

PAGES = 20
"""Pages that are looked at of rows of one kind; a page has 1,000 rows at most."""

type Span = tuple[str, str, str]
"""A partition, and the keys between which rows lie."""


class SomeRows(NamedTuple):
    """The first rows of a span, and whether those are all."""

    rows: list[Entity]
    is_whole: bool

    @property
    def counted(self) -> Count:
        """How many there are."""
        return Count(len(self.rows), self.is_whole)


async def some_rows(
    table: Table, spans: Sequence[Span | None], select: Collection[str], most: int = PAGES, *, where: str | None = None
) -> list[SomeRows]:
    """The first rows of spans, which share `most` pages, though each has its first; None stands for a whole table.

    `where` is a further OData condition. No rows where there is no table. Raises StoreError.
    """
    filters = [_with(where, filter_of(*span)) if span is not None else where for span in spans]
    columns = ("PartitionKey", *select)
    try:
        pages = await asyncio.gather(*(table.page(one, None, select=columns) for one in filters))
    except StoreError as fault:
        if not _is_missing(fault):
            raise
        return [SomeRows([], is_whole=True) for _ in spans]
    rows = [list(page.rows) for page in pages]
    waiting: deque[tuple[int, RowPage]] = deque(one for one in enumerate(pages) if one[1].next is not None)
    left = most - len(spans)
    # In turn, so that what is in one partition does not hide what is in the next.
    while waiting and left > 0:
        number, page = waiting.popleft()
        page, left = await table.page(filters[number], page.next, select=columns), left - 1
        rows[number] += page.rows
        if page.next is not None:
            waiting.append((number, page))
    broken_off = {number for number, _ in waiting}
    return [SomeRows(some, number not in broken_off) for number, some in enumerate(rows)]


def _with(where: str | None, within: str) -> str:
    return f"{within} and ({where})" if where is not None else within


async def is_there(table: Table) -> bool:
    """Whether there is such a table; raises StoreError."""
    try:
        await table.page(None, None, 1, ("RowKey",))
    except StoreError as fault:
        if not _is_missing(fault):
            raise
        return False
    return True


def _is_missing(fault: StoreError) -> bool:
    return getattr(fault.__cause__, "error_code", None) == "TableNotFound"


def filter_of(partition: str, low: str, high: str) -> str:
    """The OData filter that lets the rows of a span through."""
    return f"PartitionKey eq '{quoted(partition)}' and RowKey ge '{quoted(low)}' and RowKey lt '{quoted(high)}'"


def all_of(partition: str) -> Span:
    """All rows of a partition."""
    return partition, "", AFTER


def span_of_kind(*parts: str) -> tuple[str, str]:
    """The keys between which the rows lie whose keys begin with some parts."""
    low = ":".join((*parts, ""))
    return low, low + AFTER


def those(found: SomeRows, is_one: Callable[[Entity], bool]) -> Count:
    """How many of some rows are such rows."""
    return Count(sum(map(is_one, found.rows)), found.is_whole)


def is_whole_in(found: Iterable[SomeRows]) -> bool:
    """Whether all rows of some spans were seen."""
    return all(some.is_whole for some in found)


def number_in(found: Iterable[SomeRows]) -> int:
    """How many rows of some spans were seen."""
    return sum(len(some.rows) for some in found)


def different(found: Sequence[SomeRows], name: Callable[[str, str], object]) -> Count:
    """How many different names rows have, given their partition and key."""
    names = {name(str(row["PartitionKey"]), str(row["RowKey"])) for some in found for row in some.rows}
    return Count(len(names), is_whole_in(found))
