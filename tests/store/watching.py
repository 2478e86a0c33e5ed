"""Stores around another one, whose statements a test sees, delays or refuses."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any

from router.store.store import ResultSet, StateSizes, Store, Transaction

type Watch = Callable[[str, Sequence[Any]], object]
"""Is shown a statement, and its values, or those of all its rows, before it is carried out; what it raises is the answer."""


class Around(Store):
    """A store around another one, through whose `asked` each statement goes."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.name)
        self._store, self.is_shared = store, store.is_shared
        self._TABLES, self._DIALECT = store._TABLES, store._DIALECT

    async def asked[T](self, tx: Transaction, sql: str, values: Sequence[Any], ask: Callable[[], Awaitable[T]]) -> T:
        """The answer to a statement with its values, or those of all its rows."""
        return await ask()

    def now(self) -> datetime:
        return self._store.now()

    async def run[T](self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        return await self._store.run(lambda tx: work(AroundTransaction(tx, self)))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._store.transaction() as tx:
            yield AroundTransaction(tx, self)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Transaction]:
        async with self._store.session() as tx:
            yield AroundTransaction(tx, self)

    async def measure(self) -> StateSizes:
        return await self._store.measure()

    async def close(self) -> None:
        await self._store.close()

    def _begin(self) -> AbstractAsyncContextManager[Transaction]:
        raise NotImplementedError


class AroundTransaction(Transaction):
    """A transaction around one of the store inside."""

    def __init__(self, tx: Transaction, store: Around) -> None:
        super().__init__(tx.now)
        self._tx, self._store = tx, store

    async def ask(self, sql: str, values: Sequence[object], *, is_last: bool = False) -> ResultSet:
        return await self._store.asked(self._tx, sql, values, lambda: self._tx.ask(sql, values, is_last=is_last))

    async def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        bound = list(rows)
        return await self._store.asked(self._tx, sql, bound, lambda: self._tx.execute_many(sql, bound)) if bound else 0


def watched(store: Store, watch: Watch) -> Store:
    """The same store; each statement is shown to a test."""
    return _Watched(store, watch)


class _Watched(Around):
    def __init__(self, store: Store, watch: Watch) -> None:
        super().__init__(store)
        self._watch = watch

    async def asked[T](self, tx: Transaction, sql: str, values: Sequence[Any], ask: Callable[[], Awaitable[T]]) -> T:
        self._watch(sql, values)
        return await ask()
