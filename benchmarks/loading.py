"""Loads one rules directory and prints, as JSON, what it took: `python -m benchmarks.loading time|memory DIR`."""

from __future__ import annotations

import gc
import json
import sys
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from subprocess import run
from time import perf_counter, process_time

from benchmarks.decision import rulebook_in


def seconds_to_load(rules: Path) -> float:
    """Seconds from the first file to the finished rulebook; CPU, or wall-clock where waiting for the disk took longer."""
    wall, cpu = perf_counter(), process_time()
    rulebook_in(rules, datetime.now(UTC))
    return max(perf_counter() - wall, process_time() - cpu)


def bytes_retained_by(rules: Path) -> int:
    """Bytes of Python objects that stay allocated while the rulebook lives."""
    tracemalloc.start()
    rulebook = rulebook_in(rules, datetime.now(UTC))
    gc.collect()
    retained, _ = tracemalloc.get_traced_memory()
    assert rulebook.suppressions.by_name
    return retained


QUESTIONS = {"time": seconds_to_load, "memory": bytes_retained_by}


def ask(question: str, rules: Path) -> float:
    """The answer of a fresh process."""
    command = [sys.executable, "-m", "benchmarks.loading", question, str(rules)]
    answer = run(command, check=True, capture_output=True, text=True, timeout=120)
    return float(json.loads(answer.stdout))


if __name__ == "__main__":
    print(json.dumps(QUESTIONS[sys.argv[1]](Path(sys.argv[2]))))
