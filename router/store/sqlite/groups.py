"""The aggregation of destinations in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from router.domain.damage import Past
from router.domain.errors import Undecodable
from router.domain.groups import AdmissionState, AggregationState, GroupState, MemberState
from router.store.aggregation_entries import (
    TAGS,
    AggregationEntry,
    entries_of,
    entry_of,
    last_used_at,
    mended_admission,
    mended_entry,
    standing_in,
)
from router.store.codec import attempt, decode, encode
from router.store.row_reader import MOST_STEPS, Columns, is_sound
from router.store.sqlite.connection import Clock, Connection
from router.store.sqlite.damaged_rows import set_aside, sound, take_out
from router.store.sqlite.schema import micros
from router.store.sqlite.selecting import columns_of
from router.store.stored_names import ADMISSION_STATE, GROUP_STATE, MEMBER_STATE

_PAGE = 200
"""States of groups that are read at a time while all are walked."""

type PastFor = Callable[[Collection[str]], Mapping[str, Sequence[Past]]]
"""Tells which deliveries were ever owed for some keys."""


class SqliteGroups:
    """Admission states in the table `groupings`, and entries in the table `cards`."""

    def __init__(self, connection: Connection, clock: Clock, past: PastFor) -> None:
        self._connection = connection
        self._clock = clock
        self._past = past

    async def read_admission(self, stream: str, destination: str) -> AdmissionState:
        """The admission state of a destination; an empty one where nothing is stored yet."""
        where, place = "stream=? AND destination=?", (stream, destination)
        if found := sound(self._connection, self._clock, "groupings", where, place, _admission):
            return found[0]
        # One that was damaged begins anew, with what the standing groups tell.
        admission = await mended_admission(self.standing_groups(stream, destination))
        if admission == AdmissionState():
            return admission
        if not await self.write_aggregation(stream, destination, admission, AggregationState()):
            return admission
        return replace(admission, version=1)

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
        with self._connection.reading() as db:
            rows = columns_of(db.execute(f"SELECT * FROM cards WHERE {where}", values))
        read = {row.text("key"): (row, attempt(_entry, row)) for row in rows}
        damaged = {key: one for key, one in read.items() if isinstance(one[1], Undecodable)}
        entries = {key: entry for key, (_, entry) in read.items() if key not in damaged}
        # A group is asked for by who is in it, so that one that is not there was damaged.
        gone = [key for key in keys if key not in read] if tag == GROUP_STATE else []
        if damaged or gone:
            entries |= self._mended(stream, destination, tag, damaged, gone)
        return entries

    def _mended(
        self,
        stream: str,
        destination: str,
        tag: str,
        damaged: Mapping[str, tuple[Columns, Any]],
        gone: Sequence[str],
    ) -> dict[str, Any]:
        """Sets damaged entries aside, and puts in the place of each what the other entries of its destination tell."""
        with self._connection.writing() as db:
            for row, fault in damaged.values():
                set_aside(db, self._clock, "cards", row, fault)
                take_out(db, "cards", row)
            rows = columns_of(db.execute("SELECT * FROM cards WHERE stream=? AND destination=?", (stream, destination)))
            read = [attempt(_keyed_entry, row) for row in rows]
            others = [one for one in read if not isinstance(one, Undecodable)]
            lost = [*damaged, *gone]
            past = self._past(lost) if tag == GROUP_STATE else {}
            entries = {key: mended_entry(tag, key, others, past.get(key, ()), self._clock()) for key in lost}
            known = {key: entry for key, entry in entries.items() if entry is not None}
            _put(db, stream, destination, [(tag, key, entry) for key, entry in known.items()])
        return known

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
        """The destinations of a stream where groups stand, whatever its policy names. Walks all states."""
        sql = "SELECT DISTINCT destination FROM cards WHERE stream=? AND type=? AND standing<>0"
        with self._connection.reading() as db:
            return [
                name for (name,) in db.execute(sql, (stream, GROUP_STATE)) if isinstance(name, str) and is_sound(name)
            ]

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

    def find_memberships(self, keys: Collection[str]) -> Mapping[str, Mapping[str, int]]:
        """Where some signals stand in groups, and with which of their turns, by key and destination."""
        with self._connection.reading() as db:
            rows = columns_of(
                db.execute(
                    "SELECT * FROM cards WHERE type=? AND key IN (SELECT value FROM json_each(?))",
                    (MEMBER_STATE, json.dumps(list(keys))),
                )
            )
        found: dict[str, dict[str, int]] = {}
        for row in rows:
            entry = attempt(_entry, row)
            if isinstance(entry, MemberState) and entry.stands:
                found.setdefault(row.text("key"), {})[row.words("destination")] = entry.turn
        return found


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
