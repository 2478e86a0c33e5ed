"""Runs `alert-router` and prints, last, how many statements it gave to SQLite, and how many bytes it held at most:
`python -m benchmarks.counted run ...`.

The seam is `sqlite3.connect`. A state in another engine is not seen here: count that engine's round trips beside these.
"""

from __future__ import annotations

import json
import runpy
import sqlite3
import sys
from collections import Counter
from pathlib import Path
from typing import Any

given = Counter[str]()


def _counting(connect: Any) -> Any:
    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.set_trace_callback(lambda statement: given.update(statements=1))
        return connection

    return connected


def most_held() -> int:
    """The most bytes that this process ever held in memory. What the kernel tells a parent counts the parent's own, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    sqlite3.connect = _counting(sqlite3.connect)
    try:
        runpy.run_module("router", run_name="__main__", alter_sys=True)
    finally:
        print(json.dumps((given["statements"], most_held())), file=sys.stderr, flush=True)
