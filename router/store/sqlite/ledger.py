"""The ledger in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from router.domain.decisions import Outcome
from router.domain.ledger import Arrival, Held, Row, Seen, State
from router.store.codec import decode, encode
from router.store.sqlite.connection import Connection
from router.store.sqlite.schema import instant, micros

_COLUMNS = (
    "key, stream, resolved, status, severity, measure, changed, origin, place, part, enqueued, deleted, "
    "turn, outcome, open, forwarded, intent, closed_at, version"
)
_INSERT = f"INSERT INTO ledger ({_COLUMNS}) VALUES ({', '.join('?' * 19)}) ON CONFLICT DO NOTHING"  # noqa: S608
_UPDATE = (
    "UPDATE ledger SET resolved=?, status=?, severity=?, measure=?, changed=?, origin=?, place=?, part=?, enqueued=?, "
    "deleted=?, turn=?, outcome=?, open=?, forwarded=?, intent=?, closed_at=?, version=? WHERE key=? AND version=?"
)
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

    async def held_in_doubt(self, stream: str, rulebook: str, active: Collection[str]) -> Sequence[Row]:
        """The rows of a stream held by a rule that is not among the active ones, or under another rulebook."""
        with self._connection.reading() as db:
            found = db.execute(
                f"SELECT {_HELD} FROM held WHERE stream=? AND (rulebook<>? OR rule NOT IN (SELECT value FROM json_each(?)))",  # noqa: S608
                (stream, rulebook, json.dumps(list(active))),
            ).fetchall()
        held = {
            key: Held(rule=rule, until=instant(until), rulebook=rulebook, source=source, body=body)
            for key, _, rule, until, rulebook, source, body in found
        }
        rows = await self.find(held.keys())
        return [replace(row, held=held[row.key]) for row in rows.values()]

    async def write(self, rows: Sequence[Row]) -> Collection[str]:
        """Writes rows, each only if its stored version is still `version`; returns the keys that lost such a race."""
        with self._connection.writing() as db:
            lost = _write(db, rows)
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
        return lost

    def _rows(self, where: str, *values: object) -> list[Row]:
        with self._connection.reading() as db:
            return [_row(found) for found in db.execute(f"SELECT {_COLUMNS} FROM ledger WHERE {where}", values)]  # noqa: S608


def _write(db: sqlite3.Connection, rows: Sequence[Row]) -> set[str]:
    """The keys of the rows whose stored version was another one; all the others are written."""
    new = [_values(row) for row in rows if not row.version]
    known = [(*_values(row)[2:], row.key, row.version) for row in rows if row.version]
    db.execute("SAVEPOINT rows")
    written = db.executemany(_INSERT, new).rowcount + db.executemany(_UPDATE, known).rowcount
    lost: set[str] = set()
    if written != len(rows):
        # Somebody wrote in between, which is rare: find out where, one by one.
        db.execute("ROLLBACK TO rows")
        lost = {row.key for row in rows if not _is_written(db, row)}
    db.execute("RELEASE rows")
    return lost


def _is_written(db: sqlite3.Connection, row: Row) -> bool:
    values = _values(row)
    if not row.version:
        return bool(db.execute(_INSERT, values).rowcount)
    return bool(db.execute(_UPDATE, (*values[2:], row.key, row.version)).rowcount)


def _values(row: Row) -> tuple[object, ...]:
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
        json.dumps(dict(row.open)),
        row.forwarded,
        encode(row.intent) if row.intent is not None else None,
        micros(row.closed_at),
        row.version + 1,
    )


def _row(found: Iterable[Any]) -> Row:
    (key, stream, resolved, status, severity, measure, changed, origin, place, part, enqueued, deleted,
     turn, outcome, open, forwarded, intent, closed_at, version) = found  # fmt: skip
    return Row(
        key=key,
        stream=stream,
        state=State(bool(resolved), status, severity, measure),
        seen=Seen(_instant(changed), Arrival(origin, place, _instant(enqueued), part), bool(deleted)),
        turn=turn,
        outcome=Outcome(outcome),
        open=json.loads(open),
        forwarded=bool(forwarded),
        intent=decode("Turn", intent) if intent is not None else None,
        closed_at=_instant(closed_at),
        version=version,
    )


def _instant(value: int | None) -> Any:
    return instant(value) if value is not None else None
