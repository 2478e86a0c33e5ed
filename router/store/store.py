"""The store: everything kept, by one SQL over either engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Self

from router.domain.counts import Rule
from router.domain.retention import Forgotten, Retention
from router.store.describing import StateReport, describe
from router.store.engine import CLOCK, Clock, Engine, Transaction
from router.store.forgetting import forget
from router.store.sqlite import StateFile, opened_unchanged


class Store:
    """Everything kept; every method raises StoreError.

    Attributes:
        engine: the database.
        now: tells the time by the state's clock, which all who work on it share.
        is_shared: whether other processes work on it beside this one, as on a server; a directory is opened by `of`.
    """

    def __init__(self, engine: Engine, file: StateFile | None = None) -> None:
        self.engine = engine
        self.now = engine.now
        self.is_shared = file is None
        self._file = file

    @classmethod
    def of(cls, directory: Path, clock: Clock = CLOCK) -> Self:
        """Return the store in a directory, which is made where it is missing; raises BadFile if it cannot be opened."""
        file = StateFile(directory, clock)
        return cls(file, file)

    @staticmethod
    def is_in(directory: Path) -> bool:
        """Return whether a directory holds a state, or what is left of one."""
        return any((directory / name).exists() for name in ("router.db", "router.commit"))

    @staticmethod
    async def describe_in(directory: Path, now: datetime, retention: Retention) -> StateReport | None:
        """Return what is in a directory's state, without a change to it; None where it holds nothing yet. Raises BadFile."""
        with opened_unchanged(directory) as engine:
            return await describe(engine, now, retention)

    async def prepare(self) -> None:
        """Carry the state forward where it is behind; raises StoreError where there is none, or a newer program wrote it."""
        await self.engine.prepare()

    async def upgrade(self) -> int:
        """Make the tables where there are none, and carry the state forward; return how many steps that took."""
        return await self.engine.upgrade()

    def hold(self) -> None:
        """Make this process the one that works on a directory, until `close`; a server is shared, and is not held.

        Raises StateInUse if another process does. Where the last one did not come to its end the whole file is checked, and
        BadFile says what is wrong with it.
        """
        if self._file is not None:
            self._file.hold()

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Begin a transaction: all of it is kept, or none."""
        return self.engine.transaction()

    def session(self) -> AbstractAsyncContextManager[Transaction]:
        """Return the transaction that this task is in; outside one each statement stands by itself."""
        return self.engine.session()

    async def run[T](self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run work in a transaction, and again, whole, where the server breaks that off."""
        return await self.engine.run(work)

    async def refuse_unwritable(self) -> None:
        """Raise StoreError where nothing can be written now: a server may be read-only, or have no room on its disk."""

        async def write(tx: Transaction) -> None:
            await tx.write("UPDATE meta SET value=value WHERE name='version'")
            if self.is_shared:
                # A row may find room where no file can grow, so a query writes 300 KB to a temporary one.
                await tx.write("SET LOCAL work_mem = '64kB'")
                await tx.fetch("SELECT count(*) FROM generate_series(1, 10000)")

        await self.run(write)

    async def forget(self, now: datetime, retention: Retention, rules: Collection[Rule], most: int) -> Forgotten:
        """Take away what is old enough, in at most so many steps, each a short transaction."""
        return await forget(self.engine, now, retention, rules, most)

    async def describe(self, now: datetime, retention: Retention) -> StateReport | None:
        """Return what is in the state; None where there is none."""
        return await describe(self.engine, now, retention)

    async def close(self) -> None:
        """Let go of the database, and of the directory."""
        await self.engine.close()
