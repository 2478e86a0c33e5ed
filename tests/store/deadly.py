"""A worker that dies: a store that fails at one statement or commit, before or after that took effect."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from router.domain.errors import StoreError
from router.store.store import Store, Transaction
from tests.store.watching import Around, AroundTransaction


class Deadly(Around):
    """A store of a worker that dies at its n-th statement or commit, from 1; after that it raises StoreError for everything.

    `is_done` says whether that takes effect: an answer is lost, or the question. One that `died` may be revived, where it was
    the state that failed, and not the worker. Nothing that another transaction breaks off is tried again.
    """

    def __init__(self, store: Store, dies_at: int, is_done: bool) -> None:
        super().__init__(store)
        self._left, self._is_done = dies_at, is_done
        self._open: list[Transaction] = []
        self.died = False

    async def run[T](self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        async with self.transaction() as tx:
            return await work(tx)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._store.transaction() as tx:
            is_inside = tx in self._open
            self._open.append(tx)
            try:
                yield AroundTransaction(tx, self)
            finally:
                self._open.remove(tx)
            if not is_inside:
                self._before()
        if not is_inside:
            self._after()

    async def asked[T](self, tx: Transaction, sql: str, values: Sequence[Any], ask: Callable[[], Awaitable[T]]) -> T:
        self._before()
        answered = await ask()
        self._after()
        return answered

    def _before(self) -> None:
        self._left -= 1
        if self.died or (self._left == 0 and not self._is_done):
            self._die()

    def _after(self) -> None:
        if self._left == 0:
            self._die()

    def _die(self) -> None:
        self.died = True
        raise StoreError("the worker is dead")
