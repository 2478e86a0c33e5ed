"""What importing the doors costs, against importing what they cannot do without."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.table import Row

ROOT = Path(__file__).parent.parent
PAIRS = 11
OURS = "import function_app"
THEIRS = "import azure.functions; from pydantic import BaseModel"


def measure() -> Iterator[Row]:
    """The row of the start; both sides are taken alternately, in fresh processes whose modules are compiled."""
    for code in (OURS, THEIRS):
        _cpu(code)
    nothing = min(_cpu("pass") for _ in range(PAIRS))
    pairs = [(_cpu(OURS) - nothing, _cpu(THEIRS) - nothing) for _ in range(PAIRS)]
    ours, theirs = (median(one) for one in zip(*pairs, strict=True))
    ratio = median(one / other for one, other in pairs)
    yield Row(
        what="import function_app, against azure.functions and pydantic",
        measured=ratio,
        limit=2,
        seen=f"{ours * 1e3:.0f} ms against {theirs * 1e3:.0f} ms CPU",
    )


def _cpu(code: str) -> float:
    """CPU seconds of a fresh process."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
