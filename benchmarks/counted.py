"""Runs `alert-router` and prints, last, what it asked of SQLite: `python -m benchmarks.counted run ...`.

The seam is `sqlite3.connect`: each statement and each commit of each connection counts. Where the state is in another
engine, nothing is counted here, and that engine's round trips are what its benchmark adds beside these.
"""

from __future__ import annotations

import json
import runpy
import sqlite3
import sys
from collections import Counter
from typing import Any

asked = Counter[str]()


def _count(statement: str) -> None:
    asked["statements"] += 1
    asked["commits"] += statement.strip().upper().startswith("COMMIT")


def _counting(connect: Any) -> Any:
    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.set_trace_callback(_count)
        return connection

    return connected


if __name__ == "__main__":
    sqlite3.connect = _counting(sqlite3.connect)
    try:
        runpy.run_module("router", run_name="__main__", alter_sys=True)
    finally:
        print(json.dumps(asked), file=sys.stderr, flush=True)
