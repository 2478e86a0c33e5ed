"""Statements and the rows that they read: whatever a program asks of a state, at one size and at a smaller one."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from router.store.sqlite import StateFile
from router.store.store import Store, Transaction
from tests.store.watching import Around

COPIED = {
    "signals": ("key",),
    "lookups": ("signal", "id", "id_end", "resource", "resource_end"),
    "decisions": ("key", "signal"),
    "deliveries": ("id", "key", "reference"),
    "notices": ("key",),
}
"""The tables that grow with signals, and the columns by which a copy differs."""

MOST = 5_000
"""Rows that no execution of a statement reads: a page has fewer."""

_MANY = "WITH RECURSIVE many (n) AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT n+1 FROM many WHERE n<?)"

_READ = """
SELECT COALESCE(sum(COALESCE(seq_tup_read, 0) + COALESCE(idx_tup_fetch, 0)), 0)::bigint FROM pg_stat_xact_user_tables
"""


async def copy_signals(store: Store, many: int) -> None:
    """Makes so many copies of all that a state holds of its signals, and has the engine look at what it holds."""
    async with store.transaction() as tx:
        for table, keys in COPIED.items():
            row = await tx.find(f"SELECT * FROM {table} LIMIT 1")  # noqa: S608
            assert row is not None
            columns = [name for name in row._row if name != "place" or table == "signals"]
            named = ", ".join(columns)
            made = ", ".join(f"t.{name} || '~' || CAST(n AS TEXT)" if name in keys else f"t.{name}" for name in columns)
            copies = f"SELECT {made} FROM {table} t, many WHERE t.{keys[0]} NOT LIKE '%~%'"  # noqa: S608
            await tx.execute(f"{_MANY} INSERT INTO {table} ({named}) {copies}", 1, many)
    async with store.session() as tx:
        await tx.execute("ANALYZE")


async def forget_copies(store: Store, after: int) -> None:
    """Takes away the copies beyond some; what the engine knows of its tables stays, and so do its plans."""
    async with store.transaction() as tx:
        for table, (key, *_) in COPIED.items():
            number = f"CAST(substr({key}, {'strpos' if store.is_shared else 'instr'}({key}, '~') + 1) AS BIGINT)"
            await tx.execute(f"DELETE FROM {table} WHERE {key} LIKE '%~%' AND {number}>?", after)  # noqa: S608


async def rows_read(store: Store, scenario: Callable[[Store], Awaitable[None]]) -> Counter[str]:
    """What each statement of a scenario reads: rows, or in SQLite steps. All that the scenario does is taken back.

    A scenario that is run for the first time reads some more.
    """
    meter = _Meter(store)
    try:
        async with store.transaction():
            await scenario(meter)
            raise _TakenBack
    except _TakenBack:
        return meter.read


class _TakenBack(Exception):
    pass


class _Meter(Around):
    """A store that counts what statements read."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._one_at_a_time = asyncio.Lock()
        self.read: Counter[str] = Counter()

    async def asked[T](self, tx: Transaction, sql: str, values: Sequence[Any], ask: Callable[[], Awaitable[T]]) -> T:
        async with self._one_at_a_time:
            if not isinstance(self._store, StateFile):
                before = await tx.value(_READ)
                answer = await ask()
                read = await tx.value(_READ) - before
                assert read < MOST, f"one execution reads {read} rows: {sql}"
                self.read[_name_of(sql)] += read
                return answer
            steps = 0

            def step() -> int:
                nonlocal steps
                steps += 1
                return 0

            self._store.db.set_progress_handler(step, 1)
            answer = await ask()
            self._store.db.set_progress_handler(None, 1)
            self.read[_name_of(sql)] += steps
            return answer


def _name_of(sql: str) -> str:
    """A statement in a line, each part of a union once."""
    parts = dict.fromkeys(" ".join(part.split()) for part in sql.split(" UNION ALL "))
    return re.sub(r"(\(\?(,\s?\?)*\),?\s*)+", "(?) ", " UNION ALL ".join(parts))
