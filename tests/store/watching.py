"""A store of which each statement is shown to a test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from router.store.engine import Engine, ResultSet, Transaction
from router.store.store import Store

type Watch = Callable[[str, Sequence[Any]], object]
"""Is shown a statement, and its values, or those of all its rows, before it is carried out; what it raises is the answer."""


def watched(store: Store, watch: Watch) -> Store:
    """The same store; each statement is shown to a test."""
    return Store(cast(Engine, WatchedEngine(store.engine, watch)))


class WatchedEngine:
    """An engine of which each statement is shown to a test."""

    def __init__(self, engine: Engine, watch: Watch) -> None:
        self._engine, self._watch = engine, watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def run[T](self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        return await self._engine.run(lambda tx: work(_WatchedTransaction(tx, self._watch)))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._engine.transaction() as tx:
            yield _WatchedTransaction(tx, self._watch)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Transaction]:
        async with self._engine.session() as tx:
            yield _WatchedTransaction(tx, self._watch)


class _WatchedTransaction(Transaction):
    def __init__(self, tx: Transaction, watch: Watch) -> None:
        super().__init__(tx.now)
        self._tx, self._watch = tx, watch

    async def ask(self, sql: str, values: Sequence[object], *, is_last: bool = False) -> ResultSet:
        self._watch(sql, values)
        return await self._tx.ask(sql, values, is_last=is_last)

    async def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        bound = list(rows)
        if bound:
            self._watch(sql, bound)
        return await self._tx.execute_many(sql, bound)
