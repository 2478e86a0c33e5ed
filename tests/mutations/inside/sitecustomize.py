"""Records which lines of a copy's `router/` each interpreter reaches that starts with MUTATIONS_REACH in its environment.

A process that a test starts writes its lines when it ends, for the test in PYTEST_CURRENT_TEST. A process that is killed writes
nothing, nor does one with an environment of its own.
"""

from __future__ import annotations

import atexit
import gzip
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import CodeType
from typing import Any

OUT = os.environ.get("MUTATIONS_REACH")
_ROUTER = f"{Path(__file__).parents[1] / 'checkout' / 'router'}{os.sep}"
_TOOL = sys.monitoring.COVERAGE_ID
_LINE, _CALL = sys.monitoring.events.LINE, sys.monitoring.events.PY_START

hits: list[tuple[str, int]] = []
"""The files and lines that were reached since the last `reset`, each once."""


def reset() -> None:
    """Forget what was reached."""
    hits.clear()
    sys.monitoring.restart_events()


def write(kind: str, test: str, seconds: float, reached: Iterable[tuple[str, int]]) -> None:
    """Append what a test reached to this process's file of a kind: of each file the lines, as the bits of a number."""
    masks: dict[str, int] = {}
    for file, line in reached:
        masks[file] = masks.get(file, 0) | 1 << line
    lines = {f"router/{file.removeprefix(_ROUTER)}": f"{mask:x}" for file, mask in masks.items()}
    with gzip.open(Path(str(OUT), f"{kind}-{os.getpid()}.gz"), "at", compresslevel=1) as records:
        records.write(json.dumps({"test": test, "seconds": seconds, "lines": lines}) + "\n")


def _called(code: CodeType, _: int) -> Any:
    if code.co_filename.startswith(_ROUTER):
        sys.monitoring.set_local_events(_TOOL, code, _LINE)
    return sys.monitoring.DISABLE


def _reached(code: CodeType, line: int) -> Any:
    hits.append((code.co_filename, line))
    return sys.monitoring.DISABLE


def _ended() -> None:
    for event in (_CALL, _LINE):
        sys.monitoring.register_callback(_TOOL, event, None)
    if hits and (test := os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]):
        write("child", test, 0, hits)


if OUT:
    sys.monitoring.use_tool_id(_TOOL, "mutations")
    sys.monitoring.register_callback(_TOOL, _CALL, _called)
    sys.monitoring.register_callback(_TOOL, _LINE, _reached)
    sys.monitoring.set_events(_TOOL, _CALL)
    os.register_at_fork(after_in_child=reset)
    atexit.register(_ended)
