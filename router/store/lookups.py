"""What finds signals by what people have in hand: an id or a resource, whole or its end."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import batched

from router.domain.decisions import Outcome
from router.domain.errors import Undecodable
from router.domain.lookups import SignalAtResource, SignalLookup, ending, written
from router.domain.notices import RecordEntry
from router.store.codec import attempt
from router.store.engine import Engine, Transaction, storable
from router.store.instants import Clock
from router.store.quarantine import read_sound
from router.store.row_reader import Columns

_BEYOND = "\U0010ffff"
"""Sorts after every text that begins as what stands before it."""

_ENTER = """
INSERT INTO lookups (signal, stream, id_end, resource_end, type, sample) VALUES (?,?,?,?,?,?) ON CONFLICT (signal) DO UPDATE
SET id_end=excluded.id_end, resource_end=excluded.resource_end, type=excluded.type, sample=excluded.sample
WHERE lookups.id_end<>excluded.id_end OR lookups.resource_end IS DISTINCT FROM excluded.resource_end
OR lookups.type IS DISTINCT FROM excluded.type OR lookups.sample IS DISTINCT FROM excluded.sample
"""

_AT_A_TIME = 100
"""Resources that one statement asks for."""

_AT_RESOURCE = """
SELECT l.signal, l.id_end, l.resource_end, l.type, l.sample, (
    SELECT r.decided FROM record r WHERE r.signal=l.signal AND r.outcome<>'repeat' ORDER BY r.decided DESC LIMIT 1
) AS decided FROM lookups l WHERE l.resource_end=? AND l.stream=? LIMIT ?
"""


class SqlLookups:
    """Finds signals in the table `lookups`; every method raises StoreError."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def find_signals(self, id: str, most: int, stream: str | None = None) -> Sequence[SignalLookup]:
        """Return signals of a stream, or of any, of that id, or whose id ends so, whatever its case; whole ids first."""
        return await self._look_up("id_end", ending(id), most, stream)

    async def find_signals_at(self, resource: str, most: int, stream: str | None = None) -> Sequence[SignalLookup]:
        """Return signals of a stream, or of any, at that resource, or one whose id ends so, whatever its case."""
        return await self._look_up("resource_end", ending(resource), most, stream)

    async def signals_at_each(
        self, stream: str, resources: Collection[str], most: int
    ) -> Mapping[str, Sequence[SignalAtResource]]:
        """Return signals of a stream at exactly each of some resources, whatever their case, at most so many of each."""
        asked = {resource: end for resource in resources if (end := str(storable(ending(resource))))}
        found: dict[str, list[SignalAtResource]] = {}
        for ends in batched(sorted(set(asked.values())), _AT_A_TIME, strict=False):
            sql = " UNION ALL ".join([f"SELECT * FROM ({_AT_RESOURCE}) AS there"] * len(ends))
            async with self._engine.session() as tx:
                rows = await tx.fetch(sql, *(value for end in ends for value in (end, stream, most)))
            for row in rows:
                if not isinstance(one := attempt(_at_resource_in, row), Undecodable):
                    found.setdefault(row.words("resource_end"), []).append(one)
        return {resource: found.get(end, ()) for resource, end in asked.items()}

    async def _look_up(self, column: str, end: str, most: int, stream: str | None) -> list[SignalLookup]:
        if not end:
            return []
        of_stream, only = ("AND stream=? ", [stream]) if stream is not None else ("", [])
        sql = f"SELECT * FROM lookups WHERE {column}>=? AND {column}<? {of_stream}ORDER BY {column}, signal LIMIT ?"
        values = (end, end + _BEYOND, *only, most)
        async with self._engine.session() as tx:
            return await read_sound(tx, "lookups", sql, values, _lookup_in)


async def enter_lookups(tx: Transaction, entries: Sequence[RecordEntry]) -> None:
    """Enter what finds the signals of decisions; a repeat's is known from before."""
    latest = {
        entry.signal: (entry.signal, entry.stream, ending(entry.id), end, entry.type, entry.sample)
        for entry in entries
        if entry.signal is not None and entry.id is not None and entry.outcome != Outcome.REPEAT
        for end in [ending(entry.resource or "") or None]
    }
    await tx.execute_many(_ENTER, [latest[signal] for signal in sorted(latest)])


def _lookup_in(row: Columns) -> SignalLookup:
    resource = row.find_text("resource_end") or ""
    return SignalLookup(row.text("signal"), row.text("stream"), written(row.text("id_end")), written(resource))


def _at_resource_in(row: Columns) -> SignalAtResource:
    return SignalAtResource(
        row.text("signal"),
        written(row.text("id_end")),
        row.find_text("type"),
        row.flag("sample"),
        row.find_time("decided"),
    )
