"""The store in one SQLite file: the record, the quarantine, retention, and the file that says who holds the state."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime
from pathlib import Path

from router.domain.decisions import Outcome
from router.domain.errors import BadFile, StateInUse
from router.domain.keeping import Kept, Purged, Retention
from router.domain.ledger import Arrival, message_of
from router.domain.notices import RecordEntry
from router.domain.reasons import Code, Reason
from router.domain.signals import Quarantined
from router.store.codec import encode
from router.store.sqlite.connection import Connection
from router.store.sqlite.groups import SqliteGroups
from router.store.sqlite.journal import SqliteJournal
from router.store.sqlite.ledger import SqliteLedger
from router.store.sqlite.outbox import SqliteOutbox
from router.store.sqlite.private import open_private
from router.store.sqlite.schema import instant, micros

_AT_WORK = b"a run is at work, or did not come to its end\n"


class SqliteStore:
    """Everything kept in `router.db` in a directory; raises BadFile if it cannot be opened."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._held = ExitStack()
        self._connection = Connection(directory / "router.db")
        self.ledger = SqliteLedger(self._connection)
        self.groups = SqliteGroups(self._connection)
        self.outbox = SqliteOutbox(self._connection)
        self.record = SqliteRecord(self._connection)
        self.quarantine = SqliteQuarantine(self._connection)
        self.journal = SqliteJournal(self._connection)

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
        self._held.callback(lock.truncate, 0)

    def atomically(self) -> AbstractContextManager[object]:
        """A transaction."""
        return self._connection.writing()

    async def purge(self, now: datetime, retention: Retention) -> Purged:
        """Takes away what retention allows; dead letters and the quarantine stay until discarded."""
        with self._connection.writing() as db:
            bodies = db.execute(
                # What still waits for its rule to end keeps its body, however long nobody looked.
                "DELETE FROM held WHERE until<=? AND NOT EXISTS "
                "(SELECT 1 FROM ledger l WHERE l.key=held.key AND l.outcome='suppressed')",
                (micros(now - retention.held),),
            ).rowcount
            db.execute(
                "DELETE FROM deliveries WHERE state IN ('sent', 'skipped') AND settled<=? AND NOT EXISTS "
                "(SELECT 1 FROM ledger l WHERE l.key=deliveries.key AND l.resolved=0) AND NOT EXISTS "
                "(SELECT 1 FROM cards c WHERE c.key=deliveries.key AND c.type='GroupCard' AND c.standing>0) "
                # What is owed needs the receipt of its opening, and a redriven dead letter what came after it.
                "AND key NOT IN (SELECT key FROM deliveries WHERE state IN ('owed', 'claimed', 'dead'))",
                (micros(now - retention.payloads),),
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
                # Its turns would start anew, so a row outlives every delivery and card that bears one of them.
                "DELETE FROM ledger WHERE closed_at<=? AND intent IS NULL "
                "AND NOT EXISTS (SELECT 1 FROM cards c WHERE c.key=ledger.key AND c.type='MemberCard') "
                "AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.key=ledger.key)",
                (micros(now - retention.resolved),),
            ).rowcount
        return Purged(rows=rows, bodies=bodies, payloads=payloads)

    async def close(self) -> None:
        """Lets go of the file, and of the state."""
        self._connection.close()
        self._held.close()


class SqliteRecord:
    """Every decision, in the table `record`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, entries: Sequence[RecordEntry]) -> None:
        """Puts decisions on record, create-if-absent by their key: a message's first outcome is its outcome."""
        if not entries:
            return
        with self._connection.writing() as db:
            db.executemany(
                "INSERT OR IGNORE INTO record (key, message, at, outcome, body) VALUES (?,?,?,?,?)",
                [(entry.key, message_of(entry.key), entry.at, entry.outcome, encode(entry)) for entry in entries],
            )

    async def find(self, keys: Collection[str]) -> Mapping[str, Outcome]:
        """The latest outcomes of those messages that are on record."""
        latest = "SELECT message, outcome FROM record WHERE message IN (SELECT value FROM json_each(?)) ORDER BY rowid"
        with self._connection.reading() as db:
            return {key: Outcome(outcome) for key, outcome in db.execute(latest, (json.dumps(list(keys)),))}


_KEPT = "id, source, stream, at, origin, place, part, enqueued, code, words, at_fault, body"


class SqliteQuarantine:
    """What was not understood, in the table `quarantine`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, kept: Sequence[Kept]) -> None:
        """Keeps bodies, create-if-absent by their id."""
        if not kept:
            return
        with self._connection.writing() as db:
            db.executemany(
                f"INSERT OR IGNORE INTO quarantine ({_KEPT}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",  # noqa: S608
                [
                    (
                        one.id,
                        one.source,
                        one.stream,
                        micros(one.at),
                        one.arrival.origin,
                        one.arrival.place,
                        one.arrival.part,
                        micros(one.arrival.enqueued),
                        one.quarantined.reason.code.value,
                        one.quarantined.reason.words,
                        one.quarantined.at_fault,
                        one.quarantined.body,
                    )
                    for one in kept
                ],
            )

    async def all(self) -> Sequence[Kept]:
        """What is kept, oldest first."""
        return self._select("1=1")

    async def find(self, id: str) -> Kept | None:
        """One kept body."""
        return next(iter(self._select("id=?", id)), None)

    async def remove(self, id: str) -> bool:
        """Discards one; False if there is none."""
        with self._connection.writing() as db:
            return bool(db.execute("DELETE FROM quarantine WHERE id=?", (id,)).rowcount)

    def _select(self, where: str, *values: object) -> list[Kept]:
        with self._connection.reading() as db:
            found = db.execute(f"SELECT {_KEPT} FROM quarantine WHERE {where} ORDER BY at, id", values).fetchall()  # noqa: S608
        return [
            Kept(
                id=id,
                source=source,
                stream=stream,
                at=instant(at),
                arrival=Arrival(origin, place, instant(enqueued) if enqueued is not None else None, part),
                quarantined=Quarantined(reason=Reason(Code(code), words), at_fault=at_fault, body=body),
            )
            for id, source, stream, at, origin, place, part, enqueued, code, words, at_fault, body in found
        ]
