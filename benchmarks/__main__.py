"""`python -m benchmarks [NAME ...] [--scale SHARE] [--write]`: measures, and prints a table.

Each measurement is a process of its own with a time to end in, so that one which fails or hangs costs its own rows alone.
With --write the table also replaces the one in docs/benchmarks.md. `quick`, first, is another program: quick.py.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from math import nan
from pathlib import Path
from tempfile import TemporaryFile

from benchmarks import quick
from benchmarks.checkouts import ROOT, commit_of, is_dirty
from benchmarks.table import Row, markdown, replaced

MINUTES = {
    "decision": 2,
    "start": 3,
    "state": 4,
    "path": 10,
    "rules": 8,
    "hub": 8,
    "coverage": 2,
    "console": 8,
    "way": 1,
    "growth": 20,
}
"""The measurements, each a module here, and the minutes after which one is ended: about twice what it takes."""

PAGE = ROOT / "docs" / "benchmarks.md"


def main() -> int:
    """Measures what is asked for, and prints the table whatever it says: a number is for people to judge."""
    if sys.argv[1:2] == ["quick"]:
        return quick.main(sys.argv[2:])
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures the speeds that the design promises.",
        epilog="`python -m benchmarks quick --help`: against other commits, in minutes",
    )
    parser.add_argument("names", nargs="*", type=_known, help=f"{', '.join(MINUTES)} (default: all of them)")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="a share of the sizes, to try a measurement out (default: 1)"
    )
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/{PAGE.name}")
    parser.add_argument("--here", action="store_true", help="measure one thing in this process, and print rows as JSON")
    options = parser.parse_args()
    if options.write and (options.names or options.scale != 1):
        parser.error("--write replaces the whole table, so it measures everything: name nothing and no scale beside it")
    if options.here:
        for row in importlib.import_module(f"benchmarks.{options.names[0]}").measure(options.scale):
            print(json.dumps(asdict(row)), flush=True)
        return 0
    rows = [row for name in options.names or MINUTES for row in _measured(name, options.scale)]
    table = markdown(rows)
    print(table)
    if options.write:
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), f"{_conditions()}\n\n{table}"), encoding="utf-8")
    return 0


def _known(name: str) -> str:
    if name not in MINUTES:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(MINUTES)}")
    return name


def _measured(name: str, scale: float) -> Iterator[Row]:
    """The rows of a measurement; where it fails, those that it came to, and one that says why the others are missing."""
    print(f"measuring: {name}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "benchmarks", name, "--here", "--scale", str(scale)]
    with TemporaryFile("w+") as rows, TemporaryFile("w+") as words:
        process = subprocess.Popen(command, cwd=ROOT, stdout=rows, stderr=words, start_new_session=True)
        fault = ""
        try:
            if process.wait(MINUTES[name] * 60):
                words.seek(0)
                fault = words.read().strip().rpartition("\n")[2] or f"it ended with {process.returncode}"
        except subprocess.TimeoutExpired:
            fault = f"it did not end within {MINUTES[name]} minutes"
        finally:
            # It began a group of its own, and leaves nothing of that behind.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        rows.seek(0)
        for line in rows:
            row = Row(**json.loads(line))
            print(*row.cells(), sep="  ", file=sys.stderr, flush=True)
            yield row
    if fault:
        yield Row(what=f"{name}: its other rows", measured=nan, seen=fault)


def _conditions() -> str:
    """Where, when and by what the table was measured."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    machine = f"{os.cpu_count()} cores{f' of {models[0]}' if models else ''}, {platform.system()} {platform.release()}"
    commit = f"{commit_of('HEAD')}{', with changes that are not committed' if is_dirty() else ''}"
    return (
        f"By `make bench` (`python -m benchmarks --write`) on {datetime.now(UTC):%Y-%m-%d} at {commit}: {machine}, "
        f"Python {platform.python_version()}."
    )


if __name__ == "__main__":
    sys.exit(main())
