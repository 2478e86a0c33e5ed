"""The ledger in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import batched
from typing import Any

import orjson

from router.domain.damage import ORIGIN
from router.domain.decisions import Outcome
from router.domain.errors import Undecodable
from router.domain.groups import MemberState
from router.domain.holders import find_silence_id
from router.domain.holds import HeldBy
from router.domain.ledger import Arrival, Held, LedgerRow, Seen, State, Turn, Version
from router.domain.lookback import HeldCounts, StandingPage
from router.domain.rule_fields import RuleFields
from router.domain.signals import Stream
from router.domain.snapshots import Appeared
from router.store.appearances import COLUMN, appearances_in, written_appearances
from router.store.codec import decode, encode, readable
from router.store.holds import COLUMN as HOLD
from router.store.holds import with_hold, written_hold
from router.store.row_reader import MOST_STEPS, MOST_TURNS, Columns, printable
from router.store.sqlite.connection import Clock, Connection
from router.store.sqlite.damaged_rows import set_aside, sound
from router.store.sqlite.schema import EPOCH, ODD_ROW, micros
from router.store.sqlite.selecting import columns_of
from router.store.sqlite.standing import SqliteStanding
from router.store.stored_names import MEMBER_STATE, RULE_FIELDS, TURN

_COLUMNS = (
    "key, stream, resolved, status, severity, measure, changed, origin, place, part, enqueued, deleted, "
    "turn, outcome, open, grouped, forwarded, intent, closed_at, heard, snapshots, version"
)
_INSERT = f"INSERT INTO ledger ({_COLUMNS}) VALUES ({', '.join('?' * 22)}) ON CONFLICT DO NOTHING"
# Whoever writes a row says when retention has to look at it: not before its signal is old again.
_UPDATE = (
    "UPDATE ledger SET resolved=?, status=?, severity=?, measure=?, changed=?, origin=?, place=?, part=?, enqueued=?, "
    "deleted=?, turn=?, outcome=?, open=?, grouped=?, forwarded=?, intent=?, closed_at=?, heard=?, snapshots=?, "
    "version=?, review_at=NULL WHERE key=? AND version=?"
)
_AT_A_TIME = 200
"""Rows that are read together with what they hold."""

_APPEARED = (
    "SELECT key, stream, resolved, outcome, intent IS NOT NULL AS pending, snapshots FROM ledger "
    "WHERE key>? ORDER BY key LIMIT ?"
)
_IN_PASSING = 2_000
"""Rows of which only some columns are read, at a time."""

_LAST_TURNS = (
    "SELECT key, turn, NULL AS body FROM deliveries WHERE key IN (SELECT value FROM json_each(?)) "
    "UNION ALL SELECT key, NULL, body FROM cards WHERE type=? AND key IN (SELECT value FROM json_each(?))"
)
_HELD = "key, stream, rule, until, rulebook, source, body, hold"
_UNHOLD = "DELETE FROM held WHERE key IN (SELECT value FROM json_each(?))"
_HELD_BY = "SELECT key, rule, until, hold FROM held WHERE key IN (SELECT value FROM json_each(?))"


class SqliteLedger:
    """The latest state of each signal, in the tables `ledger` and `held`."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._standing = SqliteStanding(connection, self.read_fields)

    async def find_rows(self, keys: Collection[str]) -> Mapping[str, LedgerRow]:
        """The rows of those signals that are known; what they hold and their fields are left out: no transition asks for them.

        One that cannot be decoded is set aside, and its signal is unknown then.
        """
        return self._with_holders({**self.rows_of(keys)})

    async def find_last_turns(self, keys: Collection[str]) -> Mapping[str, int]:
        """The highest turns of those signals of which deliveries or memberships in groups are kept."""
        with self._connection.reading() as db:
            found = columns_of(db.execute(_LAST_TURNS, (_json(keys), MEMBER_STATE, _json(keys))))
        turns: dict[str, int] = {}
        for row in found:
            key, turn = row.text("key"), readable(0, _turn_in, row)
            turns[key] = max(turn, turns.get(key, 0))
        return turns

    def _with_holders(self, rows: dict[str, LedgerRow]) -> Mapping[str, LedgerRow]:
        """Those rows, each of a signal that is held with what holds it."""
        if suppressed := [key for key, row in rows.items() if row.outcome is Outcome.SUPPRESSED]:
            with self._connection.reading() as db:
                held = columns_of(db.execute(_HELD_BY, (_json(suppressed),)))
            for one in held:
                row = rows[one.text("key")]
                rows[row.key] = replace(row, held_by=_held_by(one, row.turn))
        return rows

    def rows_of(self, keys: Collection[str]) -> Mapping[str, LedgerRow]:
        """The rows of those signals that are known, for retention, which is inside a transaction."""
        return {row.key: row for row in self._rows("key IN (SELECT value FROM json_each(?))", _json(keys))}

    async def find_pending_rows(self, stream: str) -> Sequence[LedgerRow]:
        """The rows of a stream that carry a pending turn."""
        return [row for row in self._rows("stream=? AND intent IS NOT NULL", stream) if row.pending is not None]

    async def read_fields(self, keys: Collection[str]) -> Mapping[str, RuleFields]:
        """What rules can match of those signals of which it is kept."""
        where = "key IN (SELECT value FROM json_each(?))"
        return dict(sound(self._connection, self._clock, "rule_fields", where, (_json(keys),), _fields_of))

    async def walk_appearances(self, stream: str) -> AsyncIterator[Sequence[Appeared]]:
        """When messages named the findings of a stream, some of them at a time."""
        after = ""
        while True:
            with self._connection.reading() as db:
                rows = columns_of(db.execute(_APPEARED, (after, _IN_PASSING)))
            if not rows:
                return
            mine = [row for row in rows if row.raw("stream") == stream]
            # A damaged row is set aside when its signal is asked for.
            yield [one for row in mine if (one := readable(None, _appeared, row)) is not None]
            after = rows[-1].raw("key")

    def walk_standing(self, stream: str, types: Collection[str] | None = None) -> AsyncIterator[StandingPage]:
        """The signals of a stream that stand and that rules could match, in pages."""
        return self._standing.walk_standing(stream, types)

    async def held_counts(self, stream: str) -> HeldCounts:
        """How many signals of a stream each rule or silence holds now that still stand, by its name."""
        return await self._standing.held_counts(stream)

    def walk_held(self, stream: str, name: str) -> AsyncIterator[StandingPage]:
        """The signals of a stream that a rule or silence holds now, in pages."""
        return self._standing.walk_held(stream, name)

    async def held_in_doubt(
        self, stream: str, rulebook: str, active: Collection[str], now: datetime
    ) -> AsyncIterator[LedgerRow]:
        """The rows of a stream held by what is not among the active ones, under another rulebook, or by a silence until now."""
        doubted = (
            "SELECT rowid FROM held WHERE (stream=? OR stream NOT IN ('cwpp', 'cspm')) "
            "AND (rulebook<>? OR rule NOT IN (SELECT value FROM json_each(?)) "
            "OR (until<=? AND rule IN (SELECT value FROM json_each(?))))"
        )
        names, silences = json.dumps(list(active)), json.dumps([one for one in active if find_silence_id(one)])
        with self._connection.reading() as db:
            rowids = [rowid for (rowid,) in db.execute(doubted, (stream, rulebook, names, micros(now), silences))]
        for some in batched(rowids, _AT_A_TIME, strict=False):
            held, orphans = self._held(some)
            for row in (await self.find_rows(held.keys())).values():
                if row.stream == stream:
                    yield replace(row, held=_held_of(held[row.key], row.turn), held_by=None)
            for row in orphans:
                yield replace(row, stream=stream)

    def _held(self, rowids: Sequence[int]) -> tuple[dict[str, Columns], list[LedgerRow]]:
        """What is held, as it is stored, by signal; and rows for what is held of unknown signals, which is set aside too."""
        with self._connection.reading() as db:
            found = columns_of(
                db.execute(
                    f"SELECT rowid, {_HELD}, EXISTS (SELECT 1 FROM ledger l WHERE l.key=held.key) AS is_known "
                    "FROM held WHERE rowid IN (SELECT value FROM json_each(?))",
                    (json.dumps(list(rowids)),),
                )
            )
        orphans = [row for row in found if not row.raw("is_known")]
        if orphans:
            with self._connection.writing() as db:
                for row in orphans:
                    set_aside(db, self._clock, "held", row, Undecodable("key: is no signal's in the ledger"))
                    db.execute("DELETE FROM held WHERE rowid=?", (row.raw("rowid"),))
        return {row.text("key"): row for row in found if row.raw("is_known")}, [_row_for_orphan(row) for row in orphans]

    async def write_rows(self, rows: Sequence[LedgerRow]) -> Mapping[str, Version]:
        """Writes rows, each only if its stored version is still `version`; returns the new versions of those written."""
        # Nobody ever sees a pending turn that is cleared in the transaction that wrote it, so it need not be written.
        is_seen = not self._connection.is_writing
        with self._connection.writing() as db:
            lost = _write(db, [_values(row, is_seen) for row in rows])
            won = [row for row in rows if row.key not in lost]
            # Also where the row is new: what was held may have outlived a row that was lost.
            db.execute(_UNHOLD, (_json([row.key for row in won if row.held is None]),))
            db.executemany(
                f"INSERT OR REPLACE INTO held ({_HELD}) VALUES (?,?,?,?,?,?,?,?)",
                [
                    (
                        row.key,
                        row.stream,
                        one.rule,
                        micros(one.until),
                        one.rulebook,
                        one.source,
                        one.body,
                        written_hold(row),
                    )
                    for row in won
                    if (one := row.held) is not None
                ],
            )
            db.executemany(
                "INSERT OR REPLACE INTO rule_fields (key, body) VALUES (?,?)",
                [(row.key, encode(row.fields)) for row in won if row.fields is not None],
            )
        return {row.key: _next_version(row) for row in won}

    async def write_appearances(self, rows: Sequence[LedgerRow]) -> Mapping[str, Version]:
        """Writes of rows only when messages named them, each only if its stored version is still `version`."""
        sql = "UPDATE ledger SET snapshots=?, version=? WHERE key=? AND version=?"
        with self._connection.writing() as db:
            return {
                row.key: _next_version(row)
                for row in rows
                if db.execute(
                    sql, (written_appearances(row.appearances), _next_version(row), row.key, row.version)
                ).rowcount
            }

    async def clear_pending(self, versions: Mapping[str, Version]) -> None:
        """Clears the pending turns of rows still at those versions; their version stays, since nothing else changed."""
        with self._connection.writing() as db:
            db.executemany(
                "UPDATE ledger SET intent=NULL WHERE key=? AND version=? AND intent IS NOT NULL", list(versions.items())
            )

    def _rows(self, where: str, *values: object) -> list[LedgerRow]:
        return sound(self._connection, self._clock, "ledger", where, values, _row, _COLUMNS)

    def set_odd_aside(self) -> None:
        """Sets rows aside whose columns hold what no row has, before retention goes by them."""
        self._rows(ODD_ROW)


def _json(keys: Collection[str]) -> str:
    return json.dumps(list(keys))


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


def _next_version(row: LedgerRow) -> int:
    return 1 if row.version is None else int(row.version) + 1


def _values(row: LedgerRow, with_pending: bool) -> tuple[Any, ...]:
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
        encode(row.pending) if row.pending is not None and with_pending else None,
        micros(row.closed_at),
        micros(row.heard),
        written_appearances(row.appearances),
        _next_version(row),
    )


def _row(row: Columns) -> LedgerRow:
    return LedgerRow(
        key=row.text("key"),
        stream=row.word("stream", Stream).value,
        state=_state(row),
        seen=_seen(row),
        turn=row.whole("turn", 1, MOST_TURNS),
        outcome=row.word("outcome", Outcome),
        open=row.turns("open"),
        grouped=row.names("grouped"),
        forwarded=row.flag("forwarded"),
        pending=_pending(row),
        closed_at=row.find_time("closed_at"),
        heard=row.find_time("heard"),
        appearances=appearances_in(row.raw(COLUMN)),
        version=row.whole("version", 1, MOST_STEPS),
    )


def _appeared(row: Columns) -> Appeared:
    return Appeared(
        key=row.text("key"),
        resolved=row.flag("resolved"),
        outcome=row.word("outcome", Outcome),
        is_pending=row.flag("pending"),
        appearances=appearances_in(row.raw(COLUMN)),
    )


def _fields_of(row: Columns) -> tuple[str, RuleFields]:
    return row.text("key"), decode(RULE_FIELDS, row.body("body"))


def _state(row: Columns) -> State:
    severity = row.raw("severity")
    return State(
        resolved=row.flag("resolved"),
        status=row.text("status"),
        severity=row.whole("severity", -1) if severity is not None else None,
        measure=row.find_text("measure"),
    )


def _seen(row: Columns) -> Seen:
    arrival = Arrival(row.text("origin"), row.whole("place"), row.find_time("enqueued"), row.whole("part"))
    return Seen(row.find_time("changed"), arrival, row.flag("deleted"))


def _pending(row: Columns) -> Turn | None:
    if row.raw("intent") is None:
        return None
    turn: Turn = decode(TURN, row.body("intent"))
    return turn


def _row_for_orphan(row: Columns) -> LedgerRow:
    """A row by which what is held of a signal whose own row was lost is decided again."""
    key = row.words("key")
    return LedgerRow(
        key=key,
        stream=Stream.CWPP.value,
        state=State(resolved=False, status="", severity=None),
        seen=Seen(None, Arrival(f"{ORIGIN}/{key}", 0)),
        turn=1,
        outcome=Outcome.SUPPRESSED,
        held=_held_of(row, None),
    )


def _turn_in(row: Columns) -> int:
    """The turn of a delivery, or that of a membership."""
    if row.raw("body") is None:
        return row.whole("turn", 1, MOST_TURNS)
    member: MemberState = decode(MEMBER_STATE, row.body("body"))
    return member.turn


def _held_of(row: Columns, turn: int | None) -> Held:
    """What is held, whatever its columns hold: it is decided again from its body, which is quarantined if it is none."""
    body, by = row.raw("body"), _held_by(row, turn)
    return Held(
        rule=by.rule,
        until=by.until,
        rulebook=row.words("rulebook"),
        source=row.words("source"),
        body=body if isinstance(body, bytes) else printable(body).encode(),
        since=by.since,
        messages=by.messages,
    )


def _held_by(row: Columns, turn: int | None) -> HeldBy:
    return with_hold(HeldBy(rule=row.words("rule"), until=readable(EPOCH, row.time, "until")), row.raw(HOLD), turn)
