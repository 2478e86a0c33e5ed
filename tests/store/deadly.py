"""A worker that dies: a store whose engine fails at one statement or commit, before or after that took effect."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from router.domain.errors import StoreError
from router.store.engine import Engine, StateSizes, Transaction
from router.store.row_reader import Columns
from router.store.store import Store


class Deadly(Store):
    """A store of a worker that dies at its n-th statement or commit; after that it raises StoreError for everything.

    Args:
        store: the store that it works on.
        dies_at: which statement or commit, from 1.
        is_done: whether that takes effect: an answer is lost, or the question.
    """

    def __init__(self, store: Store, dies_at: int, is_done: bool) -> None:
        self._deadly = DeadlyEngine(store.engine, dies_at, is_done)
        super().__init__(self._deadly)

    @property
    def died(self) -> bool:
        """Whether it is dead."""
        return self._deadly.died


class DeadlyEngine:
    """The engine of such a worker."""

    def __init__(self, engine: Engine, dies_at: int, is_done: bool) -> None:
        self._engine, self._left, self._is_done = engine, dies_at, is_done
        self._open: list[Transaction] = []
        self.name = engine.name
        self.died = False

    def now(self) -> datetime:
        return self._engine.now()

    async def run[T](self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        is_inside = False

        async def dying(tx: Transaction) -> T:
            nonlocal is_inside
            is_inside = tx in self._open
            if is_inside:
                return await work(_DeadlyTransaction(tx, self))
            self._open.append(tx)
            try:
                found = await work(_DeadlyTransaction(tx, self))
            finally:
                self._open.remove(tx)
            self.before()
            return found

        found = await self._engine.run(dying)
        if not is_inside:
            self.after()
        return found

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._engine.transaction() as tx:
            is_inside = tx in self._open
            self._open.append(tx)
            try:
                yield _DeadlyTransaction(tx, self)
            finally:
                self._open.remove(tx)
            if not is_inside:
                self.before()
        if not is_inside:
            self.after()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Transaction]:
        async with self._engine.session() as tx:
            yield _DeadlyTransaction(tx, self)

    async def make(self, schema: str) -> None:
        await self._engine.make(schema)

    async def table_names(self) -> set[str]:
        return await self._engine.table_names()

    async def measure(self) -> StateSizes:
        return await self._engine.measure()

    async def close(self) -> None:
        await self._engine.close()

    def before(self) -> None:
        self._left -= 1
        if self.died or (self._left == 0 and not self._is_done):
            self._die()

    def after(self) -> None:
        if self._left == 0:
            self._die()

    def _die(self) -> None:
        self.died = True
        raise StoreError("the worker is dead")


class _DeadlyTransaction:
    def __init__(self, tx: Transaction, engine: DeadlyEngine) -> None:
        self._tx, self._engine, self.now = tx, engine, tx.now

    async def _do[T](self, statement: Coroutine[Any, Any, T]) -> T:
        try:
            self._engine.before()
        except StoreError:
            statement.close()  # A coroutine that is never awaited warns.
            raise
        found = await statement
        self._engine.after()
        return found

    async def fetch(self, sql: str, *values: object) -> list[Columns]:
        return await self._do(self._tx.fetch(sql, *values))

    async def find(self, sql: str, *values: object) -> Columns | None:
        return await self._do(self._tx.find(sql, *values))

    async def value(self, sql: str, *values: object) -> Any:
        return await self._do(self._tx.value(sql, *values))

    async def execute(self, sql: str, *values: object) -> int:
        return await self._do(self._tx.execute(sql, *values))

    async def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        return await self._do(self._tx.execute_many(sql, rows))
