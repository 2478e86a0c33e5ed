"""The tables, and times as they stand in them: whole microseconds since 1970, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import overload

VERSION = 3

SCHEMA = """
CREATE TABLE IF NOT EXISTS ledger (
    key TEXT PRIMARY KEY, stream TEXT NOT NULL,
    resolved INTEGER NOT NULL, status TEXT, severity INTEGER, measure TEXT,
    changed INTEGER, origin TEXT NOT NULL, place INTEGER NOT NULL, part INTEGER NOT NULL, enqueued INTEGER,
    deleted INTEGER NOT NULL,
    turn INTEGER NOT NULL, outcome TEXT NOT NULL, open TEXT NOT NULL, grouped TEXT NOT NULL,
    forwarded INTEGER NOT NULL,
    intent BLOB, closed_at INTEGER, version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS unfinished ON ledger (stream) WHERE intent IS NOT NULL;
CREATE INDEX IF NOT EXISTS closed ON ledger (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS held (
    key TEXT PRIMARY KEY, stream TEXT NOT NULL, rule TEXT NOT NULL, until INTEGER NOT NULL,
    rulebook TEXT NOT NULL, source TEXT NOT NULL, body BLOB NOT NULL
);

CREATE TABLE IF NOT EXISTS payloads (
    key TEXT NOT NULL, turn INTEGER NOT NULL, type TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (key, turn, type)
);

CREATE TABLE IF NOT EXISTS deliveries (
    id TEXT PRIMARY KEY, stream TEXT NOT NULL, destination TEXT NOT NULL, lane TEXT NOT NULL,
    key TEXT NOT NULL, turn INTEGER NOT NULL, change TEXT NOT NULL, opened INTEGER NOT NULL, type TEXT NOT NULL,
    state TEXT NOT NULL, attempts INTEGER NOT NULL, redriven INTEGER NOT NULL,
    born INTEGER NOT NULL, due INTEGER NOT NULL, settled INTEGER, receipt BLOB, error TEXT,
    lost INTEGER NOT NULL DEFAULT 0, trace TEXT
);
CREATE INDEX IF NOT EXISTS due ON deliveries (stream, destination, due) WHERE state IN ('owed', 'claimed');
CREATE INDEX IF NOT EXISTS turns ON deliveries (key, destination, turn);
CREATE INDEX IF NOT EXISTS payload ON deliveries (key, turn);
CREATE INDEX IF NOT EXISTS resolutions ON deliveries (stream, destination) WHERE state = 'owed' AND change = 'resolved';
CREATE INDEX IF NOT EXISTS updates ON deliveries (stream, destination) WHERE state = 'owed' AND change = 'updated';
CREATE INDEX IF NOT EXISTS dead ON deliveries (settled) WHERE state = 'dead';

CREATE TABLE IF NOT EXISTS births (id TEXT PRIMARY KEY, born INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS record (
    key TEXT PRIMARY KEY, message TEXT NOT NULL, at TEXT NOT NULL, outcome TEXT NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS messages ON record (message);

CREATE TABLE IF NOT EXISTS quarantine (
    id TEXT PRIMARY KEY, source TEXT NOT NULL, stream TEXT, at INTEGER NOT NULL,
    origin TEXT NOT NULL, place INTEGER NOT NULL, part INTEGER NOT NULL, enqueued INTEGER,
    code TEXT NOT NULL, words TEXT NOT NULL, at_fault TEXT, body BLOB NOT NULL
);

CREATE TABLE IF NOT EXISTS groupings (
    stream TEXT NOT NULL, destination TEXT NOT NULL, body BLOB NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (stream, destination)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS cards (
    stream TEXT NOT NULL, destination TEXT NOT NULL, type TEXT NOT NULL, key TEXT NOT NULL,
    standing INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (stream, destination, type, key)
);
CREATE INDEX IF NOT EXISTS carded ON cards (key, type);

CREATE TABLE IF NOT EXISTS pauses (
    stream TEXT NOT NULL, destination TEXT NOT NULL, since INTEGER NOT NULL, probe INTEGER NOT NULL, error TEXT NOT NULL,
    PRIMARY KEY (stream, destination)
);

CREATE TABLE IF NOT EXISTS progress (
    hub TEXT NOT NULL, partition TEXT NOT NULL, epoch INTEGER NOT NULL, settled INTEGER, top INTEGER, top_enqueued INTEGER,
    created INTEGER, version INTEGER NOT NULL,
    PRIMARY KEY (hub, partition)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS taken (
    origin TEXT NOT NULL, last INTEGER NOT NULL, first INTEGER NOT NULL, enqueued INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (origin, last, first)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS marks (
    origin TEXT NOT NULL, last INTEGER NOT NULL, first INTEGER NOT NULL, process TEXT NOT NULL, alone INTEGER NOT NULL,
    PRIMARY KEY (origin, last, first, process)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS losses (
    hub TEXT NOT NULL, partition TEXT NOT NULL, epoch INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    at INTEGER NOT NULL, why TEXT NOT NULL,
    PRIMARY KEY (hub, partition, epoch, first)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS sweeps (hub TEXT PRIMARY KEY, at INTEGER NOT NULL);

CREATE TABLE IF NOT EXISTS commits (number BLOB NOT NULL);
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@overload
def micros(time: datetime) -> int: ...
@overload
def micros(time: None) -> None: ...
def micros(time: datetime | None) -> int | None:
    """A time as a column holds it."""
    return (time - _EPOCH) // _MICROSECOND if time is not None else None


def instant(value: int) -> datetime:
    """The time that a column holds."""
    return _EPOCH + timedelta(microseconds=value)
