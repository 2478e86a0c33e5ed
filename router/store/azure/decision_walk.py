"""Walks over decisions from the latest to earlier ones, in the table `lookups`.

Rows come in ascending order of time and in no other, so the latest are found by looking at windows from the end of the span. A
window that has more rows than come in one page is not read on: a smaller one is looked at instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime, timedelta
from itertools import batched
from math import sqrt
from typing import NamedTuple

from router.domain.decisions import Outcome
from router.domain.lookback import Looked
from router.store.azure.damaged_rows import RowQuarantine
from router.store.azure.lookup_rows import instant_in, partitions_of, time_span
from router.store.azure.row_counts import PAGES, filter_of
from router.store.azure.tables import Entity, RowPage, Table, each
from router.store.codec import readable
from router.store.row_reader import Columns

PAGE = 1_000
"""Decisions of a page, and rows that one request brings at most."""

_LOOKS = 4
"""Windows that are looked at for each page that may be given."""

_INSTANT, _SECOND = timedelta(microseconds=1), timedelta(seconds=1)

_COLUMNS = ("PartitionKey", "RowKey", "key", "of")


class KeyPage(NamedTuple):
    """The keys on record of some decisions, the latest first, and how far back the walk has looked after them."""

    keys: Sequence[str]
    looked: Looked


class _Found(NamedTuple):
    """A decision's row."""

    at: datetime
    row: str
    key: str


class DecisionWalk:
    """Gives the keys of decisions; raises StoreError.

    It gives at most `pages` pages, each of `page` decisions, and looks at a few windows for each.
    """

    def __init__(self, table: Table, aside: RowQuarantine, pages: int = PAGES, page: int = PAGE) -> None:
        self._table = table
        self._aside = aside
        self._pages = pages
        self._page = page

    async def key_pages(
        self, stream: str, since: datetime, until: datetime, outcomes: Collection[Outcome]
    ) -> AsyncIterator[KeyPage]:
        """The decisions of a stream in a span of time, with one of some outcomes, until as many pages were looked at."""
        window, back_to, dense_until = max(until - since, _INSTANT), until, since
        left, looks = self._pages, self._pages * _LOOKS
        while outcomes and since < back_to and left > 0 and looks > 0:
            low, looks = max(since, back_to - window), looks - 1
            spans = [
                filter_of(partition, *time_span(outcome.value, low, back_to))
                for partition in partitions_of(stream)
                for outcome in outcomes
            ]
            pages = await asyncio.gather(*(self._table.page(span, None, self._page, _COLUMNS) for span in spans))
            if _is_cut(pages) and back_to - low > _INSTANT:
                dense_until = _end_of(pages, low)
                window = _smaller(low, dense_until, back_to)
                continue
            # No smaller window sets those of one instant apart.
            pages = await asyncio.gather(*(self._read_on(*one, left) for one in zip(spans, pages, strict=True)))
            found = sorted(await self._decisions([row for page in pages for row in page.rows]), reverse=True)
            given = found[: left * self._page]
            for some in batched(given, self._page, strict=False):
                yield KeyPage([one.key for one in some], Looked(some[-1].at, is_whole=False))
                left -= 1
            if _is_cut(pages) or len(given) < len(found):
                back_to = given[-1].at if given else back_to
                break
            window = _larger(window, max(len(page.rows) for page in pages) / self._page)
            # What was found to be dense is looked at by itself.
            back_to = low
            window = min(window, max(back_to - (dense_until if dense_until < back_to else since), _INSTANT))
        else:
            if not outcomes or back_to <= since:
                yield KeyPage((), Looked(since, is_whole=True))
                return
        yield KeyPage((), Looked(back_to, is_whole=False))

    async def _read_on(self, span: str, page: RowPage, most: int) -> RowPage:
        """The rows of a span from its first page on, at most so many pages."""
        for _ in range(most - 1):
            if page.next is None:
                break
            more = await self._table.page(span, page.next, self._page, _COLUMNS)
            page = RowPage([*page.rows, *more.rows], more.next)
        return page

    async def _decisions(self, rows: Sequence[Entity]) -> list[_Found]:
        # One that a wrong clock dated ahead has another row, by which it is forgotten; it is on record under its own time.
        own = [row for row in rows if not row.get("of")]
        return await self._aside.sound(self._table, "lookups", each(own), _found_in)


def _found_in(row: Columns) -> _Found:
    return _Found(instant_in(row.text("RowKey")), row.text("RowKey"), row.text("key"))


def _is_cut(pages: Sequence[RowPage]) -> bool:
    """Whether some span has more rows than were read."""
    return any(page.next is not None for page in pages)


def _end_of(pages: Sequence[RowPage], low: datetime) -> datetime:
    """The instant after the first page of that span which has most and more than a page."""
    ends = [
        readable(low, instant_in, str(page.rows[-1]["RowKey"])) if page.rows else low
        for page in pages
        if page.next is not None
    ]
    return min(ends) + _INSTANT


def _smaller(low: datetime, dense_until: datetime, back_to: datetime) -> timedelta:
    """A window to look at where that from `low` has too many rows, as many as a page has before `dense_until`.

    They may lie evenly, or together at either end: a window between those that would fit either comes near it in a few looks.
    """
    dense, rest = dense_until - low, back_to - dense_until
    between = timedelta(seconds=sqrt(dense / _SECOND * (max(rest, timedelta()) / _SECOND)))
    return max(_INSTANT, min(between, (back_to - low) / 2))


def _larger(window: timedelta, share: float) -> timedelta:
    """The next window, by how much of a page there was in the densest span of the one before."""
    return window * (64 if share < 1 / 100 else 8 if share < 1 / 10 else 2 if share < 1 / 3 else 1)
