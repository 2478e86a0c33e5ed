"""The store in one SQLite file: the record, the quarantine, retention, and the file that says who holds the state."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO

from router.domain.decisions import Outcome
from router.domain.errors import BadFile, StateInUse
from router.domain.ledger import message_of
from router.domain.notices import RecordEntry
from router.domain.retention import Purged, Retention
from router.store.codec import encode
from router.store.row_reader import Columns
from router.store.sqlite.connection import Clock, Connection
from router.store.sqlite.damaged_rows import sound
from router.store.sqlite.delivery_rows import see_to_odd
from router.store.sqlite.groups import SqliteGroups
from router.store.sqlite.journal import SqliteJournal
from router.store.sqlite.ledger import SqliteLedger
from router.store.sqlite.outbox import SqliteOutbox
from router.store.sqlite.private import open_private
from router.store.sqlite.quarantine import SqliteQuarantine
from router.store.sqlite.schema import micros
from router.store.stored_names import GROUP_STATE, MEMBER_STATE

_CLOCK = partial(datetime.now, UTC)

_AT_WORK = b"a run is at work, or did not come to its end\n"


class SqliteStore:
    """Everything kept in `router.db` in a directory; raises BadFile if it cannot be opened."""

    def __init__(self, directory: Path, clock: Clock = _CLOCK) -> None:
        self._directory = directory
        self._held = ExitStack()
        self._connection = Connection(directory / "router.db")
        self.outbox = SqliteOutbox(self._connection, clock)
        self.groups = SqliteGroups(self._connection, clock, self.outbox.past)
        self.ledger = SqliteLedger(self._connection, clock, self.outbox, self.groups)
        self.record = SqliteRecord(self._connection, clock)
        self.quarantine = SqliteQuarantine(self._connection)
        self.journal = SqliteJournal(self._connection, clock)

    @staticmethod
    def is_in(directory: Path) -> bool:
        """Whether a directory holds a state, or what is left of one."""
        return any((directory / name).exists() for name in ("router.db", "router.commit"))

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

    def atomically(self) -> AbstractContextManager[object]:
        """A transaction."""
        return self._connection.writing()

    async def purge(self, now: datetime, retention: Retention) -> Purged:
        """Takes away what retention allows; dead letters and the quarantine stay until discarded."""
        with self._connection.writing() as db:
            see_to_odd(db, now)
            self.ledger.set_odd_aside()
            bodies = db.execute(
                # What still waits for its rule to end keeps its body, however long nobody looked.
                "DELETE FROM held WHERE until<=? AND NOT EXISTS "
                "(SELECT 1 FROM ledger l WHERE l.key=held.key AND l.outcome='suppressed')",
                (micros(now - retention.held),),
            ).rowcount
            # An older program did not say who took a delivery, and what says so may go now.
            db.execute(
                "INSERT OR IGNORE INTO reached SELECT DISTINCT stream, destination FROM deliveries WHERE state='sent'"
            )
            db.execute(
                "DELETE FROM deliveries WHERE state IN ('sent', 'skipped') AND settled<=? AND NOT EXISTS "
                "(SELECT 1 FROM ledger l WHERE l.key=deliveries.key AND l.resolved=0) AND NOT EXISTS "
                "(SELECT 1 FROM cards c WHERE c.key=deliveries.key AND c.type=? AND c.standing>0) "
                # What is owed needs the receipt of its opening, and a redriven dead letter what came after it.
                "AND key NOT IN (SELECT key FROM deliveries WHERE state IN ('owed', 'claimed', 'dead'))",
                (micros(now - retention.payloads), GROUP_STATE),
            )
            payloads = db.execute(
                "DELETE FROM payloads WHERE NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.key=payloads.key "
                "AND d.turn=payloads.turn AND d.type=payloads.type "
                "AND (d.state IN ('owed', 'claimed', 'dead') OR d.settled>?)) "
                # Asked once for all: a group has thousands of turns under one key, and each would ask for itself.
                "AND key NOT IN (SELECT key FROM deliveries WHERE state IN ('owed', 'claimed', 'dead'))",
                (micros(now - retention.payloads),),
            ).rowcount
            db.execute("DELETE FROM cards WHERE standing=0 AND at<=?", (micros(now - retention.resolved),))
            rows = db.execute(
                # Its turns would start anew, so a row outlives every delivery and membership that bears one of them.
                "DELETE FROM ledger WHERE closed_at<=? AND intent IS NULL "
                "AND NOT EXISTS (SELECT 1 FROM cards c WHERE c.key=ledger.key AND c.type=?) "
                "AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.key=ledger.key)",
                (micros(now - retention.resolved), MEMBER_STATE),
            ).rowcount
        return Purged(rows=rows, bodies=bodies, payloads=payloads)

    async def close(self) -> None:
        """Lets go of the file, and of the state."""
        self._connection.close()
        self._held.close()


class SqliteRecord:
    """Every decision, in the table `record`."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def put_on_record(self, entries: Sequence[RecordEntry]) -> None:
        """Puts decisions on record, create-if-absent by their key: a message's first outcome is its outcome."""
        if not entries:
            return
        with self._connection.writing() as db:
            db.executemany(
                "INSERT OR IGNORE INTO record (key, message, at, outcome, body) VALUES (?,?,?,?,?)",
                [(entry.key, message_of(entry.key), entry.at, entry.outcome, encode(entry)) for entry in entries],
            )

    async def find_outcomes(self, keys: Collection[str]) -> Mapping[str, Outcome]:
        """The latest outcomes of those messages that are on record; one that is damaged is set aside, and on record no more."""
        where = "message IN (SELECT value FROM json_each(?)) ORDER BY rowid"
        values = (json.dumps(list(keys)),)
        return dict(sound(self._connection, self._clock, "record", where, values, _outcome, "key, message, outcome"))


def _outcome(row: Columns) -> tuple[str, Outcome]:
    return row.text("message"), row.word("outcome", Outcome)
