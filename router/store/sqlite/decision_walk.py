"""Walks over decisions from the latest to earlier ones, in SQLite: by an index, a page in memory at a time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection
from datetime import datetime
from heapq import merge
from itertools import islice

from router.domain.decisions import Outcome
from router.domain.lookback import DecisionPage, Looked
from router.store.sqlite.connection import Clock, Connection
from router.store.sqlite.damaged_rows import sound
from router.store.sqlite.record_rows import entry_in
from router.store.sqlite.schema import instant, micros

_PAGE = 500
"""Decisions of a page."""

_EARLIER = (
    "SELECT decided, rowid FROM record WHERE outcome=? AND decided>=? AND (decided, rowid)<(?, ?) AND stream=? "
    "ORDER BY decided DESC, rowid DESC LIMIT ?"
)

_WHOLE = "rowid IN (SELECT value FROM json_each(?)) ORDER BY decided DESC, rowid DESC"

type _Row = tuple[int, int]
"""When a decision was made, and the number of its row, which tells it from those of the same instant."""


class SqliteDecisionWalk:
    """Gives pages of so many decisions. One that is damaged is set aside."""

    def __init__(self, connection: Connection, clock: Clock, page: int = _PAGE) -> None:
        self._connection = connection
        self._clock = clock
        self._page = page

    async def pages(
        self, stream: str, since: datetime, until: datetime, outcomes: Collection[Outcome]
    ) -> AsyncIterator[DecisionPage]:
        """The decisions of a stream in a span of time, with one of some outcomes, the latest first."""
        before = (micros(until), -1)
        while True:
            rows = self._earlier(stream, micros(since), before, outcomes)
            numbers = json.dumps([number for _, number in rows])
            entries = sound(self._connection, self._clock, "record", _WHOLE, (numbers,), entry_in)
            if len(rows) < self._page:
                yield DecisionPage(entries, Looked(since, is_whole=True))
                return
            before = rows[-1]
            yield DecisionPage(entries, Looked(instant(before[0]), is_whole=False))

    def _earlier(self, stream: str, since: int, before: _Row, outcomes: Collection[Outcome]) -> list[_Row]:
        """The latest decisions before one, a page of them."""
        with self._connection.reading() as db:
            found = [
                db.execute(_EARLIER, (outcome.value, since, *before, stream, self._page)).fetchall()
                for outcome in outcomes
            ]
        return list(islice(merge(*found, reverse=True), self._page))
