"""The aggregation of destinations in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import replace
from typing import Any

from router.domain.groups import AdmissionState, AggregationState, GroupState
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
from router.store.row_reader import MOST_STEPS, Columns, is_sound
from router.store.sqlite.connection import Clock, Connection
from router.store.sqlite.damaged_rows import sound
from router.store.sqlite.schema import micros
from router.store.stored_names import ADMISSION_STATE, GROUP_STATE

_PAGE = 200
"""States of groups that are read at a time while all are walked."""


class SqliteGroups:
    """Admission states in the table `groupings`, and entries in the table `cards`."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def read_admission(self, stream: str, destination: str) -> AdmissionState:
        """The admission state of a destination; an empty one where nothing is stored yet."""
        where, place = "stream=? AND destination=?", (stream, destination)
        if found := sound(self._connection, self._clock, "groupings", where, place, _admission):
            return found[0]
        # One that was lost begins anew, with the groups that wait for room.
        standing = [(key, state) async for key, state in self.standing_groups(stream, destination)]
        admission = AdmissionState(waiting=waiting_in(standing))
        if standing and await self.write_aggregation(stream, destination, admission, AggregationState()):
            return replace(admission, version=1)
        return admission

    async def read_aggregation(
        self,
        stream: str,
        destination: str,
        *,
        members: Collection[str] = (),
        groups: Collection[str] = (),
        windows: Collection[str] = (),
    ) -> AggregationState:
        """The states of some members, groups and windows of a destination, as far as there are any."""
        asked = zip(TAGS, (members, groups, windows), strict=True)
        return AggregationState(*(self._read_entries(stream, destination, tag, keys) for tag, keys in asked))

    def _read_entries(self, stream: str, destination: str, tag: str, keys: Collection[str]) -> dict[str, Any]:
        if not keys:
            return {}
        where = "stream=? AND destination=? AND type=? AND key IN (SELECT value FROM json_each(?))"
        values = (stream, destination, tag, json.dumps(list(keys)))
        return dict(sound(self._connection, self._clock, "cards", where, values, _keyed_entry))

    async def standing_groups(self, stream: str, destination: str) -> AsyncIterator[tuple[str, GroupState]]:
        """The groups of a destination in which somebody stands, by their keys."""
        sql = (
            "SELECT key FROM cards WHERE stream=? AND destination=? AND type=? AND key>? AND standing<>0 "
            "ORDER BY key LIMIT ?"
        )
        after = ""
        while True:
            with self._connection.reading() as db:
                found = db.execute(sql, (stream, destination, GROUP_STATE, after, _PAGE)).fetchall()
            keys = [key for (key,) in found if isinstance(key, str) and is_sound(key)]
            states = self._read_entries(stream, destination, GROUP_STATE, keys)
            for key, state in states.items():
                if state.group.standing > 0:
                    yield key, state
            if len(found) < _PAGE or not keys:
                return
            after = keys[-1]

    async def find_grouped_destinations(self, stream: str) -> Collection[str]:
        """The destinations of a stream that have, or had, groups, whatever its policy names."""
        with self._connection.reading() as db:
            found = db.execute("SELECT destination FROM groupings WHERE stream=?", (stream,)).fetchall()
        return [name for (name,) in found if isinstance(name, str) and is_sound(name)]

    async def write_aggregation(
        self, stream: str, destination: str, admission: AdmissionState, states: AggregationState
    ) -> bool:
        """Writes an admission state and some states, all or none; False if somebody wrote the admission state meanwhile."""
        with self._connection.writing() as db:
            version = int(admission.version or 0)
            body = encode(replace(admission, version=None))
            if version == 0:
                sql = (
                    "INSERT INTO groupings (body, version, stream, destination) VALUES (?,1,?,?) ON CONFLICT DO NOTHING"
                )
                written = db.execute(sql, (body, stream, destination)).rowcount
            else:
                sql = "UPDATE groupings SET body=?, version=version+1 WHERE stream=? AND destination=? AND version=?"
                written = db.execute(sql, (body, stream, destination, version)).rowcount
            if written:
                _put(db, stream, destination, entries_of(states))
        return bool(written)


def _put(
    db: sqlite3.Connection, stream: str, destination: str, entries: Iterable[tuple[str, str, AggregationEntry]]
) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO cards (stream, destination, type, key, standing, at, body) VALUES (?,?,?,?,?,?,?)",
        [
            (stream, destination, tag, key, standing_in(entry), micros(last_used_at(entry)), encode(entry))
            for tag, key, entry in entries
        ],
    )


def _admission(row: Columns) -> AdmissionState:
    admission: AdmissionState = decode(ADMISSION_STATE, row.body("body"))
    return replace(admission, version=row.whole("version", 1, MOST_STEPS))


def _keyed_entry(row: Columns) -> tuple[str, AggregationEntry]:
    return row.text("key"), _entry(row)


def _entry(row: Columns) -> Any:
    return entry_of(row.text("type"), row.body("body"))
