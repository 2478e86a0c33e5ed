"""A worker that dies: a store whose engine fails at one statement or commit, before or after that took effect."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from router.domain.errors import StoreError
from router.store.engine import Engine, ResultSet, Transaction
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
        super().__init__(cast(Engine, self._deadly))

    @property
    def died(self) -> bool:
        """Whether it is dead."""
        return self._deadly.died

    def revive(self) -> None:
        """Let the state answer again, for ever: it was the state that failed, and not the worker."""
        self._deadly.died = False


class DeadlyEngine:
    """The engine of such a worker."""

    def __init__(self, engine: Engine, dies_at: int, is_done: bool) -> None:
        self._engine, self._left, self._is_done = engine, dies_at, is_done
        self._open: list[Transaction] = []
        self.died = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

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


class _DeadlyTransaction(Transaction):
    def __init__(self, tx: Transaction, engine: DeadlyEngine) -> None:
        super().__init__(tx.now)
        self._tx, self._engine = tx, engine

    async def ask(self, sql: str, values: Sequence[object], *, is_last: bool = False) -> ResultSet:
        self._engine.before()
        answered = await self._tx.ask(sql, values, is_last=is_last)
        self._engine.after()
        return answered

    async def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        self._engine.before()
        written = await self._tx.execute_many(sql, rows)
        self._engine.after()
        return written
