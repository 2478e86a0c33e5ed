"""`python -m tests.house`: prints the figures of this tree, beside DESIGN's budgets or another commit's figures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

from benchmarks.checkouts import ROOT, commit_of, tree_of
from benchmarks.table import drawn
from tests.house.figures import ALL, BUDGETS, Figures, Size, figures, find_excesses


def main() -> int:
    """Print the table, for people to judge; with `--gate`, only rooms that hold more than they may, and return 1 for any."""
    parser = argparse.ArgumentParser(prog="python -m tests.house", description=__doc__)
    parser.add_argument("--against", type=commit_of, metavar="COMMIT", help="show the figures of this commit, too")
    parser.add_argument(
        "--gate", action="store_true", help="only name the rooms that hold more than they may; 1 if any does"
    )
    options = parser.parse_args()
    if options.gate:
        excesses = list(find_excesses(figures(ROOT)))
        print(*excesses, sep="\n", end="\n" if excesses else "")
        return 1 if excesses else 0
    columns = {"this tree": figures(ROOT)}
    if options.against is not None:
        with tree_of(options.against) as tree:
            columns[options.against] = figures(tree)
    print(drawn([("what", *columns, "budget"), *_rows(list(columns.values()))]))
    return 0


def _rows(columns: Sequence[Figures]) -> Iterator[Sequence[str]]:
    rooms = dict.fromkeys(room for found in columns for room in found.rooms) | dict.fromkeys(BUDGETS)
    for room in sorted(rooms):
        held = [found.rooms.get(room) for found in columns]
        yield f"router/{room}: files, lines", *map(_pair, held), _pair(BUDGETS.get(room))
    yield "router, all: files, lines", *(_pair(found.router) for found in columns), _pair(ALL)
    yield "the median file: lines", *(f"{found.median:,.0f}" for found in columns), "-"
    yield "README and docs: words", *(f"{found.words:,}" for found in columns), "-"
    yield "tests: lines", *(f"{found.test_lines:,}" for found in columns), "-"
    yield "whoever, nobody, somebody, anybody", *(f"{found.voice:,}" for found in columns), "-"


def _pair(pair: Size | None) -> str:
    return "-" if pair is None else f"{pair[0]:,}, {pair[1]:,}"


if __name__ == "__main__":
    sys.exit(main())
