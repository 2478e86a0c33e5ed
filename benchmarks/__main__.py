"""`python -m benchmarks [decision] [rules] [path] [start] [forgetting] [growth] [hub] [state] [coverage] [way] [--write]`:
measures, and prints a table.

With --write the table also replaces the one in docs/benchmarks.md. `quick`, first, is another program: quick.py.
"""

from __future__ import annotations

import argparse
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import coverage, decision, forgetting, growth, hub, path, quick, rules, start, state, way
from benchmarks.table import Row, markdown

MEASUREMENTS = {
    "decision": decision.measure,
    "rules": rules.measure,
    "path": path.measure,
    "start": start.measure,
    "forgetting": forgetting.measure,
    "growth": growth.measure,
    "hub": hub.measure,
    "state": state.measure,
    "coverage": coverage.measure,
    "way": way.measure,
}
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
RESULTS = re.compile(r"(<!-- results -->\n).*?(<!-- end of results -->)", re.DOTALL)


def main() -> int:
    """Measures what is asked for, and prints the table whatever it says: a number is for people to judge."""
    if sys.argv[1:2] == ["quick"]:
        return quick.main(sys.argv[2:])
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures the speeds that the design promises.",
        epilog="`python -m benchmarks quick --help`: against another commit, in two minutes",
    )
    parser.add_argument("names", nargs="*", type=_known, help=f"{', '.join(MEASUREMENTS)} (default: all of them)")
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/{PAGE.name}")
    options = parser.parse_args()
    if options.write and options.names:
        parser.error("--write replaces the whole table, so it measures everything: name nothing beside it")
    rows: list[Row] = []
    for name in options.names or MEASUREMENTS:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        rows.extend(MEASUREMENTS[name]())
    table = markdown(rows)
    print(table)
    if options.write:
        _write(table)
    return 0


def _known(name: str) -> str:
    if name not in MEASUREMENTS:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(MEASUREMENTS)}")
    return name


def _write(table: str) -> None:
    results = f"Measured on {datetime.now(UTC):%Y-%m-%d}.\n\n{table}\n"
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(RESULTS.sub(lambda found: f"{found[1]}{results}{found[2]}", page), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
