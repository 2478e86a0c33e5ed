"""The groups of each destination: its admission state, and the states of members, groups and windows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Any

from router.domain.groups import AdmissionState, AggregationState, Deferred, GroupState
from router.store.aggregation_entries import (
    TAGS,
    AggregationEntry,
    entries_of,
    entry_of,
    last_used_at,
    standing_in,
    waiting_in,
)
from router.store.codec import decode, encode
from router.store.damaged_rows import read_sound
from router.store.engine import Engine, Transaction
from router.store.instants import Clock, micros
from router.store.row_reader import Columns
from router.store.stored_names import ADMISSION_STATE, GROUP_STATE

_PAGE = 200
"""States of groups that are read at a time while all are walked."""

_ADMISSION = "SELECT * FROM groupings WHERE stream=? AND destination=?"

_ENSURE = "INSERT INTO groupings (stream, destination, body) VALUES (?,?,?) ON CONFLICT DO NOTHING"

_WRITE_ADMISSION = """
INSERT INTO groupings (stream, destination, body) VALUES (?,?,?)
ON CONFLICT (stream, destination) DO UPDATE SET body=excluded.body
"""

_ENTRIES = "SELECT * FROM cards WHERE stream=? AND destination=? AND type=? AND key = ANY(?)"

_STANDING = """
SELECT * FROM cards WHERE stream=? AND destination=? AND type=? AND key>? AND standing<>0 ORDER BY key LIMIT ?
"""

_WRITE = """
INSERT INTO cards (stream, destination, type, key, standing, at, body) VALUES (?,?,?,?,?,?,?)
ON CONFLICT (stream, destination, type, key) DO UPDATE SET
standing=excluded.standing, at=excluded.at, body=excluded.body, reduced=0
"""


class SqlGroups:
    """Admission states in the table `groupings`, and entries in the table `cards`; every method raises StoreError."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def lock_admission(self, tx: Transaction, stream: str, destination: str) -> AdmissionState:
        """Return the admission state of a destination, which no other worker changes before the transaction ends."""
        await tx.execute(_ENSURE, stream, destination, encode(AdmissionState()))
        await tx.execute(f"{_ADMISSION} FOR UPDATE", stream, destination)
        return await self.read_admission(stream, destination)

    async def read_admission(self, stream: str, destination: str) -> AdmissionState:
        """Return the admission state of a destination; an empty one where nothing is stored yet."""
        place = (stream, destination)
        if found := await read_sound(self._engine, self._clock, "groupings", _ADMISSION, place, _admission_in):
            return found[0]
        # One that was lost begins anew, with the groups that wait for room.
        standing = [one async for one in self.standing_groups(stream, destination)]
        return AdmissionState(waiting=waiting_in(standing), deferred=None if standing else Deferred())

    async def read_aggregation(
        self,
        stream: str,
        destination: str,
        *,
        members: Collection[str] = (),
        groups: Collection[str] = (),
        windows: Collection[str] = (),
    ) -> AggregationState:
        """Return the states of some members, groups and windows of a destination, as far as there are any."""
        asked = [(tag, list(keys)) for tag, keys in zip(TAGS, (members, groups, windows), strict=True) if keys]
        found: dict[str, dict[str, Any]] = {tag: {} for tag in TAGS}
        if asked:
            sql = " UNION ALL ".join([_ENTRIES] * len(asked))
            values = [value for tag, keys in asked for value in (stream, destination, tag, keys)]
            for tag, key, entry in await read_sound(self._engine, self._clock, "cards", sql, values, _entry_in):
                found[tag][key] = entry
        return AggregationState(*found.values())

    async def standing_groups(self, stream: str, destination: str) -> AsyncIterator[tuple[str, GroupState]]:
        """Yield the groups of a destination in which anything stands, by their keys."""
        after = ""
        while True:
            values = (stream, destination, GROUP_STATE, after, _PAGE)
            keys: list[str] = []

            def group_in(row: Columns, keys: list[str] = keys) -> tuple[str, GroupState]:
                keys.append(row.text("key"))
                return row.text("key"), decode(GROUP_STATE, row.body("body"))

            for key, state in await read_sound(self._engine, self._clock, "cards", _STANDING, values, group_in):
                if state.group.standing > 0:
                    yield key, state
            if len(keys) < _PAGE:
                return
            after = keys[-1]

    async def find_grouped_destinations(self, stream: str) -> Collection[str]:
        """Return the destinations of a stream that have, or had, groups, whatever its policy names."""
        async with self._engine.session() as tx:
            rows = await tx.fetch("SELECT destination FROM groupings WHERE stream=? ORDER BY destination", stream)
        return [row.text("destination") for row in rows]

    async def write_aggregation(
        self, tx: Transaction, stream: str, destination: str, admission: AdmissionState, states: AggregationState
    ) -> None:
        """Write an admission state, which the transaction has locked, and some states."""
        entries = sorted(entries_of(states), key=lambda one: one[:2])
        await tx.execute_many(_WRITE, [_values_of(stream, destination, *one) for one in entries])
        await tx.execute(_WRITE_ADMISSION, stream, destination, encode(admission))


def _values_of(stream: str, destination: str, tag: str, key: str, entry: AggregationEntry) -> tuple[object, ...]:
    return stream, destination, tag, key, standing_in(entry), micros(last_used_at(entry)), encode(entry)


def _admission_in(row: Columns) -> AdmissionState:
    admission: AdmissionState = decode(ADMISSION_STATE, row.body("body"))
    return admission


def _entry_in(row: Columns) -> tuple[str, str, AggregationEntry]:
    return row.text("type"), row.text("key"), entry_of(row.text("type"), row.body("body"))
