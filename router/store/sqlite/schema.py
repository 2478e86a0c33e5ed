"""The tables, and times as they stand in them: whole microseconds since 1970, UTC."""

from __future__ import annotations

from router.store.instants import EPOCH, instant, micros

__all__ = ["EPOCH", "instant", "micros"]

VERSION = 1
"""The version of the form below, which the database says as its `user_version`."""

_TIME = "BETWEEN -62135596800000000 AND 253402300799999999"
"""What stands for an instant of the years that this program knows."""

_SINCE = "BETWEEN 946684800000000 AND 253402300799999999"
"""What stands for an instant since 2000: nothing was owed before."""

_BOOKKEEPING = (
    "state IN ('owed', 'claimed', 'sent', 'skipped', 'dead') AND typeof(attempts)='integer' AND attempts BETWEEN 0 AND 999999 "
    "AND typeof(redriven)='integer' AND redriven BETWEEN 0 AND 999999 AND typeof(lost)='integer' "
    f"AND lost BETWEEN 0 AND 999999 AND typeof(born)='integer' AND born {_SINCE} AND typeof(due)='integer' AND due {_TIME} "
    f"AND (settled IS NULL OR (typeof(settled)='integer' AND settled {_TIME}))"
)
_IDENTITY = (
    "typeof(id)='text' AND stream IN ('cwpp', 'cspm') AND typeof(destination)='text' AND lane IN ('page', 'ticket', 'rows') "
    "AND typeof(key)='text' AND typeof(turn)='integer' AND turn BETWEEN 1 AND 999999 "
    "AND change IN ('opened', 'updated', 'resolved') AND typeof(opened)='integer' AND opened BETWEEN 1 AND 999999 "
    "AND typeof(type)='text'"
)

ODD_DELIVERY = f"(NOT ({_BOOKKEEPING}) OR (state IN ('owed', 'claimed') AND NOT ({_IDENTITY})))"
"""Deliveries whose columns hold what no delivery has; an index of its own finds them among however many."""

ODD_ROW = (
    "NOT (typeof(key)='text' AND stream IN ('cwpp', 'cspm') AND typeof(resolved)='integer' AND resolved IN (0, 1) "
    "AND typeof(turn)='integer' AND outcome IN ('resolved', 'noted', 'below_floor', 'suppressed', 'routed') "
    f"AND (closed_at IS NULL OR (typeof(closed_at)='integer' AND closed_at {_TIME})) "
    f"AND (heard IS NULL OR (typeof(heard)='integer' AND heard {_TIME})) "
    f"AND (review_at IS NULL OR (typeof(review_at)='integer' AND review_at {_TIME})) "
    "AND typeof(open)='text' AND typeof(version)='integer')"
)
"""Rows of the ledger whose columns hold what no row has, as far as queries go by them."""

ACTED_ON = "destination='record' AND state IN ('sent', 'skipped') AND (redriven>0 OR state='skipped')"
"""What the record's second home was owed, and somebody redrove or discarded: it may have outlived its decision."""

TABLES = """
CREATE TABLE IF NOT EXISTS ledger (
    key TEXT PRIMARY KEY, stream TEXT NOT NULL,
    resolved INTEGER NOT NULL, status TEXT, severity INTEGER, measure TEXT,
    changed INTEGER, origin TEXT NOT NULL, place INTEGER NOT NULL, part INTEGER NOT NULL, enqueued INTEGER,
    deleted INTEGER NOT NULL,
    turn INTEGER NOT NULL, outcome TEXT NOT NULL, open TEXT NOT NULL, grouped TEXT NOT NULL,
    forwarded INTEGER NOT NULL,
    intent BLOB, closed_at INTEGER, version INTEGER NOT NULL,
    heard INTEGER, review_at INTEGER, snapshots TEXT
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS rule_fields (key TEXT PRIMARY KEY, body BLOB NOT NULL);

CREATE TABLE IF NOT EXISTS held (
    key TEXT PRIMARY KEY, stream TEXT NOT NULL, rule TEXT NOT NULL, until INTEGER NOT NULL,
    rulebook TEXT NOT NULL, source TEXT NOT NULL, body BLOB NOT NULL, hold TEXT
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
    lost INTEGER NOT NULL DEFAULT 0, trace TEXT,
    reference TEXT, errors TEXT
);

CREATE TABLE IF NOT EXISTS reached (
    stream TEXT NOT NULL, destination TEXT NOT NULL, PRIMARY KEY (stream, destination)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS births (id TEXT PRIMARY KEY, born INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS record (
    key TEXT PRIMARY KEY, message TEXT NOT NULL, at TEXT NOT NULL, outcome TEXT NOT NULL, body BLOB NOT NULL,
    stream TEXT, signal TEXT, turn INTEGER, decided INTEGER
);

CREATE TABLE IF NOT EXISTS lookups (
    signal TEXT PRIMARY KEY, stream TEXT NOT NULL, id_end TEXT NOT NULL, resource_end TEXT, type TEXT, sample INTEGER
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS counts (
    hour INTEGER NOT NULL, cell TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (hour, cell)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS hits (
    stream TEXT NOT NULL, rule TEXT NOT NULL, total INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (stream, rule)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;

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
    reduced INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (stream, destination, type, key)
);

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

INDEXES = f"""
CREATE INDEX IF NOT EXISTS unfinished ON ledger (stream) WHERE intent IS NOT NULL;
CREATE INDEX IF NOT EXISTS closed ON ledger (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS aging ON ledger (outcome, heard) WHERE review_at IS NULL;
CREATE INDEX IF NOT EXISTS reviewing ON ledger (review_at) WHERE review_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS odd_rows ON ledger (stream) WHERE {ODD_ROW};

CREATE INDEX IF NOT EXISTS holding ON held (until);

CREATE INDEX IF NOT EXISTS due ON deliveries (stream, destination, due) WHERE state IN ('owed', 'claimed');
CREATE INDEX IF NOT EXISTS turns ON deliveries (key, destination, turn);
CREATE INDEX IF NOT EXISTS payload ON deliveries (key, turn);
CREATE INDEX IF NOT EXISTS dead ON deliveries (settled) WHERE state = 'dead';
CREATE INDEX IF NOT EXISTS referred ON deliveries (reference) WHERE reference IS NOT NULL;
CREATE INDEX IF NOT EXISTS acted_on ON deliveries (settled) WHERE {ACTED_ON};
CREATE INDEX IF NOT EXISTS odd_deliveries ON deliveries (state) WHERE {ODD_DELIVERY};

CREATE INDEX IF NOT EXISTS messages ON record (message);
CREATE INDEX IF NOT EXISTS decisions ON record (signal, decided) WHERE signal IS NOT NULL;
CREATE INDEX IF NOT EXISTS decided ON record (outcome, decided);

CREATE INDEX IF NOT EXISTS id_ends ON lookups (id_end);
CREATE INDEX IF NOT EXISTS resource_ends ON lookups (resource_end) WHERE resource_end IS NOT NULL;

CREATE INDEX IF NOT EXISTS last_hits ON hits (last);

CREATE INDEX IF NOT EXISTS carded ON cards (key, type);
CREATE INDEX IF NOT EXISTS aging_cards ON cards (at) WHERE reduced = 0;

CREATE INDEX IF NOT EXISTS set_aside ON quarantine (stream) WHERE code='damaged';

CREATE INDEX IF NOT EXISTS dated ON documents (kind, at);
"""

SCHEMA = TABLES + INDEXES

PLACES = {
    "ledger": ("key",),
    "held": ("key",),
    "rule_fields": ("key",),
    "pauses": ("stream", "destination"),
    "groupings": ("stream", "destination"),
    "cards": ("stream", "destination", "type", "key"),
    "progress": ("hub", "partition"),
    "taken": ("origin", "last", "first"),
    "marks": ("origin", "last", "first", "process"),
    "losses": ("hub", "partition", "epoch", "first"),
    "sweeps": ("hub",),
    "record": ("key",),
    "lookups": ("signal",),
    "counts": ("hour", "cell"),
    "hits": ("stream", "rule"),
    "documents": ("kind", "id"),
}
"""The columns under which the rows of each table lie."""
