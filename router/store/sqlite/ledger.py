"""The ledger in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import batched
from typing import Any

import orjson

from router.domain.decisions import Outcome
from router.domain.ledger import Arrival, Held, Row, Seen, State, Version
from router.store.codec import decode, encode
from router.store.sqlite.connection import Connection
from router.store.sqlite.schema import instant, micros

_COLUMNS = (
    "key, stream, resolved, status, severity, measure, changed, origin, place, part, enqueued, deleted, "
    "turn, outcome, open, grouped, forwarded, intent, closed_at, version"
)
_INSERT = f"INSERT INTO ledger ({_COLUMNS}) VALUES ({', '.join('?' * 20)}) ON CONFLICT DO NOTHING"  # noqa: S608
_UPDATE = (
    "UPDATE ledger SET resolved=?, status=?, severity=?, measure=?, changed=?, origin=?, place=?, part=?, enqueued=?, "
    "deleted=?, turn=?, outcome=?, open=?, grouped=?, forwarded=?, intent=?, closed_at=?, version=? WHERE key=? AND version=?"
)
_AT_A_TIME = 200
"""Rows that are read together with what they hold."""

_HELD = "key, stream, rule, until, rulebook, source, body"


class SqliteLedger:
    """The latest state of each signal, in the tables `ledger` and `held`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, keys: Collection[str]) -> Mapping[str, Row]:
        """The rows of those signals that are known; what they hold is left out, since nobody who folds asks for it."""
        return {row.key: row for row in self._rows("key IN (SELECT value FROM json_each(?))", json.dumps(list(keys)))}

    async def unfinished(self, stream: str) -> Sequence[Row]:
        """The rows of a stream that still carry an intent."""
        return self._rows("stream=? AND intent IS NOT NULL", stream)

    async def held_in_doubt(self, stream: str, rulebook: str, active: Collection[str]) -> AsyncIterator[Row]:
        """The rows of a stream held by a rule that is not among the active ones, or under another rulebook."""
        doubted = (
            "SELECT key FROM held WHERE stream=? AND (rulebook<>? OR rule NOT IN (SELECT value FROM json_each(?)))"
        )
        with self._connection.reading() as db:
            keys = [key for (key,) in db.execute(doubted, (stream, rulebook, json.dumps(list(active))))]
        for some in batched(keys, _AT_A_TIME, strict=False):
            held = self._held(some)
            for row in (await self.find(held.keys())).values():
                yield replace(row, held=held[row.key])

    def _held(self, keys: Collection[str]) -> dict[str, Held]:
        with self._connection.reading() as db:
            found = db.execute(
                f"SELECT {_HELD} FROM held WHERE key IN (SELECT value FROM json_each(?))",  # noqa: S608
                (json.dumps(list(keys)),),
            ).fetchall()
        return {
            key: Held(rule=rule, until=instant(until), rulebook=rulebook, source=source, body=body)
            for key, _, rule, until, rulebook, source, body in found
        }

    async def write(self, rows: Sequence[Row]) -> Mapping[str, Version]:
        """Writes rows, each only if its stored version is still `version`; returns the new versions of those written."""
        # Nobody ever sees an intent that is finished in the transaction that wrote it, so it need not be written.
        is_seen = not self._connection.is_writing
        with self._connection.writing() as db:
            lost = _write(db, [_values(row, is_seen) for row in rows])
            won = [row for row in rows if row.key not in lost]
            db.executemany(
                "DELETE FROM held WHERE key=?", [(row.key,) for row in won if row.held is None and row.version]
            )
            db.executemany(
                f"INSERT OR REPLACE INTO held ({_HELD}) VALUES (?,?,?,?,?,?,?)",  # noqa: S608
                [
                    (row.key, row.stream, one.rule, micros(one.until), one.rulebook, one.source, one.body)
                    for row in won
                    if (one := row.held) is not None
                ],
            )
        return {row.key: _next_version(row) for row in won}

    async def finish(self, versions: Mapping[str, Version]) -> None:
        """Clears the intents of rows that are still at those versions; their version stays, since nothing else changed."""
        with self._connection.writing() as db:
            db.executemany(
                "UPDATE ledger SET intent=NULL WHERE key=? AND version=? AND intent IS NOT NULL", list(versions.items())
            )

    def _rows(self, where: str, *values: object) -> list[Row]:
        with self._connection.reading() as db:
            return [_row(found) for found in db.execute(f"SELECT {_COLUMNS} FROM ledger WHERE {where}", values)]  # noqa: S608


def _write(db: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> set[str]:
    """The keys of the rows whose stored version was another one; all the others are written."""
    db.execute("SAVEPOINT rows")
    written = db.executemany(_INSERT, [row for row in rows if row[-1] == 1]).rowcount
    written += db.executemany(_UPDATE, [_update(row) for row in rows if row[-1] != 1]).rowcount
    lost: set[str] = set()
    if written != len(rows):
        # Somebody wrote in between, which is rare: find out where, one by one.
        db.execute("ROLLBACK TO rows")
        lost = {row[0] for row in rows if not _is_written(db, row)}
    db.execute("RELEASE rows")
    return lost


def _is_written(db: sqlite3.Connection, row: tuple[Any, ...]) -> bool:
    if row[-1] == 1:
        return bool(db.execute(_INSERT, row).rowcount)
    return bool(db.execute(_UPDATE, _update(row)).rowcount)


def _update(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """What the update of a row takes: its columns, and the key and version that it is written over."""
    return (*row[2:], row[0], row[-1] - 1)


def _next_version(row: Row) -> int:
    return 1 if row.version is None else int(row.version) + 1


def _values(row: Row, with_intent: bool) -> tuple[Any, ...]:
    state, seen = row.state, row.seen
    return (
        row.key,
        row.stream,
        state.resolved,
        state.status,
        state.severity,
        state.measure,
        micros(seen.changed),
        seen.arrival.origin,
        seen.arrival.place,
        seen.arrival.part,
        micros(seen.arrival.enqueued),
        seen.deleted,
        row.turn,
        row.outcome.value,
        orjson.dumps(row.open).decode(),
        orjson.dumps(sorted(row.grouped)).decode(),
        row.forwarded,
        encode(row.intent) if row.intent is not None and with_intent else None,
        micros(row.closed_at),
        _next_version(row),
    )


def _row(found: Iterable[Any]) -> Row:
    (key, stream, resolved, status, severity, measure, changed, origin, place, part, enqueued, deleted,
     turn, outcome, open, grouped, forwarded, intent, closed_at, version) = found  # fmt: skip
    return Row(
        key=key,
        stream=stream,
        state=State(bool(resolved), status, severity, measure),
        seen=Seen(_instant(changed), Arrival(origin, place, _instant(enqueued), part), bool(deleted)),
        turn=turn,
        outcome=Outcome(outcome),
        open=orjson.loads(open),
        grouped=frozenset(orjson.loads(grouped)),
        forwarded=bool(forwarded),
        intent=decode("Turn", intent) if intent is not None else None,
        closed_at=_instant(closed_at),
        version=version,
    )


def _instant(value: int | None) -> Any:
    return instant(value) if value is not None else None
