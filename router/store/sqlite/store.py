"""The store in one SQLite file, and the file that says who holds the state."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager, ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO

from router.domain.counts import Rule
from router.domain.errors import BadFile, StateInUse
from router.domain.retention import Forgotten, Retention
from router.domain.state_report import StateReport
from router.store.deliveries import SqlOutbox
from router.store.describing import describe
from router.store.documents import SqlDocuments
from router.store.engine import SqliteEngine
from router.store.groups import SqlGroups
from router.store.journal import SqlJournal
from router.store.ledger import SqlLedger
from router.store.quarantine import SqlQuarantine
from router.store.record import SqlRecord
from router.store.sqlite.connection import Clock, Connection
from router.store.sqlite.forgetting import SqliteForgetting
from router.store.sqlite.ledger import SqliteLedger
from router.store.sqlite.private import open_private
from router.store.sqlite.unchanged import opened_unchanged

_CLOCK = partial(datetime.now, UTC)

_AT_WORK = b"a run is at work, or did not come to its end\n"


class SqliteStore:
    """Everything kept in `router.db` in a directory; raises BadFile if it cannot be opened."""

    def __init__(self, directory: Path, clock: Clock = _CLOCK) -> None:
        self._directory = directory
        self._path = directory / "router.db"
        self._held = ExitStack()
        self._connection = Connection(self._path)
        self.engine = SqliteEngine(self._connection)
        self.outbox = SqlOutbox(self.engine, clock)
        self.groups = SqlGroups(self.engine, clock)
        self.ledger = SqlLedger(self.engine, clock)
        self._forgetting = SqliteForgetting(self._connection, SqliteLedger(self._connection, clock))
        self.documents = SqlDocuments(self.engine, clock)
        self.record = SqlRecord(self.engine, clock)
        self.quarantine = SqlQuarantine(self.engine)
        self.journal = SqlJournal(self.engine, clock)

    @staticmethod
    def is_in(directory: Path) -> bool:
        """Whether a directory holds a state, or what is left of one."""
        return any((directory / name).exists() for name in ("router.db", "router.commit"))

    @staticmethod
    async def describe_in(directory: Path, now: datetime, retention: Retention) -> StateReport | None:
        """What is in a directory's state, without a change to it; None where it holds nothing yet.

        Raises BadFile where it is damaged, or of another version.
        """
        with opened_unchanged(directory / "router.db") as file:
            return await describe(SqliteEngine(file), now, retention)

    def hold(self) -> None:
        """Makes this process the one that works on the state, until `close`.

        Raises StateInUse if another does. Where the last one did not come to its end the whole file is checked, and BadFile
        says what is wrong with it.
        """
        path = self._directory / "router.lock"
        try:
            lock = self._held.enter_context(os.fdopen(open_private(path), "r+b"))
        except OSError as fault:
            raise BadFile(f"{path}: cannot be opened: {fault.strerror}; only one run at a time may hold it") from fault
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            raise StateInUse(f"{self._directory}: another run is at work on this state; wait for it to end") from fault
        if lock.read(1):
            self._connection.check()
        else:
            lock.write(_AT_WORK)
            lock.flush()
            os.fsync(lock.fileno())
        self._held.callback(self._note_the_end, lock)

    def _note_the_end(self, lock: IO[bytes]) -> None:
        """Takes the note away that a run is at work; where it came upon damage the next one is to check the whole file."""
        if not self._connection.is_damaged:
            lock.truncate(0)

    def atomically(self) -> AbstractAsyncContextManager[object]:
        """A transaction."""
        return self.engine.transaction()

    async def forget(self, now: datetime, retention: Retention, rules: Collection[Rule], most: int) -> Forgotten:
        """Takes away what is old enough, in at most so many steps, each a short transaction."""
        return self._forgetting.forget(now, retention, rules, most)

    async def describe(self, now: datetime, retention: Retention) -> StateReport | None:
        """What is in the state."""
        return await describe(self.engine, now, retention)

    async def close(self) -> None:
        """Lets go of the file, and of the state."""
        self._connection.close()
        self._held.close()
