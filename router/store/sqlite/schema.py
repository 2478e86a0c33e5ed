"""The tables, and times as they stand in them: whole microseconds since 1970, UTC."""

from __future__ import annotations

from pathlib import Path

from router.store import engine
from router.store.engine import sqlite_schema
from router.store.instants import EPOCH, instant, micros

__all__ = ["EPOCH", "instant", "micros"]

VERSION = 1
"""The version of the form below, which the database says as its `user_version`."""

_TIME = "BETWEEN -62135596800000000 AND 253402300799999999"
"""What stands for an instant of the years that this program knows."""

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

_BESIDE = f"""
CREATE TABLE IF NOT EXISTS commits (number BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS odd_rows ON ledger (stream) WHERE {ODD_ROW};
CREATE INDEX IF NOT EXISTS acted_on ON deliveries (settled) WHERE {ACTED_ON}
"""
"""What the modules that have not come over to the engines need beside the schema of both."""

SCHEMA = [*sqlite_schema(Path(engine.__file__).with_name("schema.sql").read_text("utf-8")), *_BESIDE.split(";")]
"""The statements that make the tables and indexes."""
