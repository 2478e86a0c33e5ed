"""A store over an engine of which some statements fail, and some come late."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from router.domain.errors import StoreError
from router.store.engine import Engine, ResultSet, Transaction
from router.store.store import Store

STATEMENTS = {
    "claim": "SKIP LOCKED",
    "settle": "UPDATE deliveries .* state<>'sent'",
    "pauses": r"FROM destinations\s+WHERE stream=\? AND probe_at",
    "pause": "INSERT INTO destinations .*paused_since",
    "first_due": "AS first",
    "beside": "receipt FROM deliveries|FROM lookups|LEFT JOIN notices p ON .* WHERE d.id",
    "abandon": "destination <> ALL",
}
"""By what a statement is known, under the names that tests give them."""


class FaultyEngine:
    """An engine of which some statements find storage down, and whose claims at some destinations come late.

    down   the names of the statements that fail; `faults` says how many did
    late   for each destination whose claims come late, what they wait for once they are made; `made` says how many do
    hung   the names of the statements that are never answered
    seen   how often each statement was asked
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.down: set[str] = set()
        self.hung: set[str] = set()
        self.late: dict[str, asyncio.Event] = {}
        self.made = 0
        self.faults = 0
        self.seen: dict[str, int] = dict.fromkeys(STATEMENTS, 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def run[T](self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        late: set[str] = set()
        done = await self._engine.run(lambda tx: work(_Watched(tx, self, late)))
        await self._wait_for(late)
        return done

    async def _wait_for(self, late: set[str]) -> None:
        for name in late:
            self.made += 1
            await self.late[name].wait()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._engine.transaction() as tx:
            yield _Watched(tx, self, set())

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Transaction]:
        late: set[str] = set()
        async with self._engine.session() as tx:
            yield _Watched(tx, self, late)
        await self._wait_for(late)

    async def look_at(self, sql: str) -> None:
        """Raises StoreError where a statement finds storage down."""
        for name, words in STATEMENTS.items():
            if re.search(words, sql, re.DOTALL):
                self.seen[name] += 1
                if name in self.down:
                    self.faults += 1
                    raise StoreError("storage is down")
                if name in self.hung:
                    await asyncio.Event().wait()


class _Watched(Transaction):
    def __init__(self, tx: Transaction, engine: FaultyEngine, late: set[str]) -> None:
        super().__init__(tx.now)
        self._tx, self._engine, self._late = tx, engine, late

    async def ask(self, sql: str, values: Sequence[object], *, is_last: bool = False) -> ResultSet:
        await self._engine.look_at(sql)
        found = await self._tx.ask(sql, values, is_last=is_last)
        if found[1] and re.search(STATEMENTS["claim"], sql):
            self._late |= {one for one in values if isinstance(one, str)} & self._engine.late.keys()
        return found

    async def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        await self._engine.look_at(sql)
        return await self._tx.execute_many(sql, rows)


def faulty(store: Store) -> tuple[Store, FaultyEngine]:
    """The same store over an engine that fails as a test says, and that engine."""
    engine = FaultyEngine(store.engine)
    return Store(cast(Engine, engine)), engine
