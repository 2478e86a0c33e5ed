"""Runs `alert-router` and prints, last, how many statements it gave to SQLite: `python -m benchmarks.counted run ...`.

The seam is `sqlite3.connect`. A state in another engine is not seen here: count that engine's round trips beside these.
"""

from __future__ import annotations

import runpy
import sqlite3
import sys
from collections import Counter
from typing import Any

given = Counter[str]()


def _counting(connect: Any) -> Any:
    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.set_trace_callback(lambda statement: given.update(statements=1))
        return connection

    return connected


if __name__ == "__main__":
    sqlite3.connect = _counting(sqlite3.connect)
    try:
        runpy.run_module("router", run_name="__main__", alter_sys=True)
    finally:
        print(given["statements"], file=sys.stderr, flush=True)
