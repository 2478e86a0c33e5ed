"""How the file forgets: each statement finds what is old by an index, however much there is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from router.domain.retention import Retention
from tests.builders import NOW
from tests.store.acts import run
from tests.store.opened import Store

TABLES = (
    "decisions",
    "signals",
    "groups",
    "members",
    "deliveries",
    "counts",
    "hits",
    "documents",
    "lookups",
    "notices",
)


def test_no_step_reads_a_table_from_one_end_to_the_other(tmp_path: Path, sqlite: Store) -> None:
    """As SQLite plans it without statistics, which no state has."""
    asked: list[str] = []
    assert sqlite._file is not None
    with sqlite._file.reading() as db:
        db.set_trace_callback(asked.append)
        run(sqlite.forget(NOW, Retention(), (), 100))
        db.set_trace_callback(None)
    statements = [one for one in asked if one.startswith(("SELECT", "DELETE", "UPDATE"))]
    assert len(statements) > 10
    with closing(sqlite3.connect(tmp_path / "router.db")) as db:
        plans = {one: [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {one}")] for one in statements}
    walked = [one for one, plan in plans.items() if any(step in {f"SCAN {table}" for table in TABLES} for step in plan)]
    assert walked == []
