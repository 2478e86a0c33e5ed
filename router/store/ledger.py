"""The ledger: the latest state of each signal, what rules can match of it, and what holds it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import batched

from router.domain.damage import ORIGIN
from router.domain.decisions import Outcome
from router.domain.errors import Undecodable
from router.domain.holders import find_silence_id
from router.domain.ledger import Arrival, LedgerRow, Seen, State
from router.domain.snapshots import Appeared
from router.store.appearances import COLUMN, appearances_in, written_appearances
from router.store.codec import encode, readable
from router.store.damaged_rows import read_sound, set_aside
from router.store.instants import micros
from router.store.ledger_rows import COLUMNS, held_in, held_values_of, row_in, values_of
from router.store.row_reader import MOST_TURNS, Columns
from router.store.standing import StandingSignals

_FIND = (
    f"SELECT {', '.join(f'l.{name}' for name in COLUMNS)}, h.rule, h.until, h.hold FROM ledger l "
    "LEFT JOIN held h ON h.key=l.key AND l.outcome='suppressed' WHERE l.key = ANY(?)"
)

# A row that is written is not looked at by retention before its signal is old again.
_WRITE = (
    f"INSERT INTO ledger ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))}) ON CONFLICT (key) DO UPDATE SET "
    f"{', '.join(f'{name}=excluded.{name}' for name in COLUMNS[2:])}, review_at=NULL"
)

_LAST_TURNS = (
    "SELECT key, turn FROM deliveries WHERE key = ANY(?) "
    "UNION ALL SELECT signal, turn FROM members WHERE signal = ANY(?)"
)

_HOLD = """
INSERT INTO held (key, stream, rule, until, rulebook, source, body, hold) VALUES (?,?,?,?,?,?,?,?)
ON CONFLICT (key) DO UPDATE SET stream=excluded.stream, rule=excluded.rule, until=excluded.until,
rulebook=excluded.rulebook, source=excluded.source, body=excluded.body, hold=excluded.hold
"""

_FIELDS = "INSERT INTO rule_fields (key, body) VALUES (?,?) ON CONFLICT (key) DO UPDATE SET body=excluded.body"

_IN_DOUBT = """
SELECT key FROM held WHERE (stream=? OR stream NOT IN ('cwpp', 'cspm'))
AND (rulebook<>? OR rule <> ALL(?) OR (until<=? AND rule = ANY(?)))
"""

_HELD = """
SELECT h.key, h.rule, h.until, h.rulebook, h.source, h.body, h.hold, l.key AS known
FROM held h LEFT JOIN ledger l ON l.key=h.key WHERE h.key = ANY(?)
"""

_APPEARED = "SELECT key, stream, resolved, snapshots FROM ledger WHERE key>? ORDER BY key LIMIT ?"

_AT_A_TIME = 200
"""Rows that are read together with what they hold."""

_IN_PASSING = 2_000
"""Rows of which only some columns are read, at a time."""


class SqlLedger(StandingSignals):
    """The latest state of each signal; every method raises StoreError."""

    async def find_rows(self, keys: Collection[str]) -> Mapping[str, LedgerRow]:
        """Return the rows of those signals that are known, with what holds them, without its body.

        One that cannot be decoded is set aside, and its signal is unknown then.
        """
        if not keys:
            return {}
        found = await read_sound(self._engine, self._clock, "ledger", _FIND, (list(keys),), row_in)
        return {row.key: row for row in found}

    async def find_last_turns(self, keys: Collection[str]) -> Mapping[str, int]:
        """Return the highest turns of those signals of which deliveries or memberships in groups are kept."""
        async with self._engine.session() as tx:
            found = await tx.fetch(_LAST_TURNS, list(keys), list(keys))
        turns: dict[str, int] = {}
        for row in found:
            key, turn = row.text("key"), readable(0, row.whole, "turn", 1, MOST_TURNS)
            turns[key] = max(turn, turns.get(key, 0))
        return turns

    async def write_rows(self, rows: Iterable[LedgerRow]) -> None:
        """Write rows of signals."""
        written = sorted(rows, key=lambda row: row.key)
        async with self._engine.transaction() as tx:
            await tx.execute_many(_WRITE, map(values_of, written))
            # Also where the row is new: what was held may have outlived a row that was lost.
            await tx.execute("DELETE FROM held WHERE key = ANY(?)", [row.key for row in written if row.held is None])
            await tx.execute_many(_HOLD, [held_values_of(row, row.held) for row in written if row.held is not None])
            fields = [(row.key, encode(row.fields)) for row in written if row.fields is not None]
            await tx.execute_many(_FIELDS, fields)

    async def write_appearances(self, rows: Iterable[LedgerRow]) -> None:
        """Write of rows only when messages named them."""
        written = sorted((row.key, written_appearances(row.appearances)) for row in rows)
        async with self._engine.transaction() as tx:
            await tx.execute_many(
                "UPDATE ledger SET snapshots=? WHERE key=?", [(snapshots, key) for key, snapshots in written]
            )

    async def drop_held(self, turns: Iterable[tuple[str, int]]) -> None:
        """Drop what is held of some signals, by their keys, that are still at those turns."""
        gone = "DELETE FROM held WHERE key=? AND EXISTS (SELECT 1 FROM ledger l WHERE l.key=held.key AND l.turn=?)"
        async with self._engine.transaction() as tx:
            await tx.execute_many(gone, sorted(turns))

    async def walk_appearances(self, stream: str) -> AsyncIterator[Sequence[Appeared]]:
        """Yield when messages named the findings of a stream, some of them at a time."""
        after = ""
        while True:
            async with self._engine.session() as tx:
                rows = await tx.fetch(_APPEARED, after, _IN_PASSING)
            if not rows:
                return
            # A damaged row is set aside when its signal is asked for.
            found = (readable(None, _appeared_in, row) for row in rows if row.raw("stream") == stream)
            yield [one for one in found if one is not None]
            after = rows[-1].raw("key")

    async def held_in_doubt(
        self, stream: str, rulebook: str, active: Collection[str], now: datetime
    ) -> AsyncIterator[LedgerRow]:
        """Yield the rows held by what is not among the active ones, under another rulebook, or by a silence until now.

        What is held of a signal whose own row was lost is among them.
        """
        silences = [one for one in active if find_silence_id(one)]
        async with self._engine.session() as tx:
            found = await tx.fetch(_IN_DOUBT, stream, rulebook, list(active), micros(now), silences)
        for some in batched([row.raw("key") for row in found], _AT_A_TIME, strict=False):
            async with self._engine.transaction() as tx:
                held = await tx.fetch(_HELD, list(some))
                orphans = [row for row in held if row.raw("known") is None]
                lost = Undecodable("key: is no signal's in the ledger")
                await set_aside(tx, self._clock, "held", [(row, lost) for row in orphans])
                rows = await self.find_rows(some)
            for one in held:
                row = rows.get(one.raw("key"))
                if row is not None and row.stream == stream:
                    yield replace(row, held=held_in(one), held_by=None)
            for one in orphans:
                yield _row_for_orphan(one, stream)


def _appeared_in(row: Columns) -> Appeared:
    return Appeared(
        key=row.text("key"),
        resolved=row.flag("resolved"),
        appearances=appearances_in(row.raw(COLUMN)),
    )


def _row_for_orphan(held: Columns, stream: str) -> LedgerRow:
    """A row by which what is held of a signal whose own row was lost is decided again."""
    key = held.words("key")
    return LedgerRow(
        key=key,
        stream=stream,
        state=State(resolved=False, status="", severity=None),
        seen=Seen(None, Arrival(f"{ORIGIN}/{key}", 0)),
        turn=1,
        outcome=Outcome.SUPPRESSED,
        held=held_in(held),
    )
