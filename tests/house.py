"""What there is in a tree, counted from its text, so that each change can be seen to make the house smaller or larger.

.venv/bin/python -m tests.house [--against COMMIT] [--gate]
"""

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.checkouts import ROOT, commit_of, tree_of
from benchmarks.table import drawn

SUFFIXES = {".py", ".sql", ".j2"}
VOICE = re.compile(r"\b(whoever|nobody|somebody|anybody)\b", re.IGNORECASE)


class Size(NamedTuple):
    """Files, and the whole lines in them."""

    files: int
    lines: int


BUDGETS = {
    "domain": Size(30, 3_500),
    "parse": Size(14, 2_400),
    "rulebook": Size(30, 5_200),
    "decide": Size(14, 2_600),
    "destinations": Size(30, 6_000),
    "store": Size(22, 3_800),
    "ingest": Size(22, 3_600),
    "deliver": Size(14, 1_900),
    "eventhubs": Size(7, 700),
    "coverage": Size(85, 12_000),
    "telemetry": Size(5, 600),
    "app": Size(18, 2_600),
    "cli": Size(38, 5_500),
    "console": Size(20, 3_000),
}
"""The most that each room may hold."""

ALL = Size(329, 50_400)
"""The most that `router` may hold; the console, which comes last, is not in it."""


GRANTED = {
    "": Size(2, 25),
    "app": Size(35, 6_549),
    "cli": Size(41, 6_095),
    "coverage": Size(77, 14_687),
    "destinations": Size(32, 6_791),
    "domain": Size(36, 5_171),
    "eventhubs": Size(7, 841),
    "store": Size(33, 7_001),
    "telemetry": Size(6, 850),
}
"""What rooms that are beyond their budgets may hold today: a change that makes one smaller lowers it here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of one tree.

    Attributes:
        rooms: what each directory of `router` holds; the files beside them are under "".
        median: lines of the median file of `router`.
        words: words of README.md and docs/.
        test_lines: lines of Python in tests/.
        voice: how often `router` says whoever, nobody, somebody or anybody.
    """

    rooms: Mapping[str, Size]
    median: float
    words: int
    test_lines: int
    voice: int

    @property
    def router(self) -> Size:
        """All of `router`."""
        return Size(sum(size.files for size in self.rooms.values()), sum(size.lines for size in self.rooms.values()))


def find_excesses(found: Figures) -> Iterator[str]:
    """Yield a line for each room that holds more than it may: a tenth over its budget, or what it was granted."""
    for room, size in found.rooms.items():
        budget, granted = BUDGETS.get(room, Size(0, 0)), GRANTED.get(room, Size(0, 0))
        most = Size(max(budget.files * 11 // 10, granted.files), max(budget.lines * 11 // 10, granted.lines))
        if size.files > most.files or size.lines > most.lines:
            yield f"router/{room}: {size.files} files, {size.lines} lines; it may hold {most.files} files, {most.lines} lines"


def figures(root: Path) -> Figures:
    """Return the figures of the tree at `root`."""
    files = {path: _text(path) for path in _files(root / "router", SUFFIXES)}
    lines = {path: text.count("\n") for path, text in files.items()}
    rooms = defaultdict[str, list[int]](list)
    for path, count in lines.items():
        room, *inside = path.relative_to(root / "router").parts
        rooms[room if inside else ""].append(count)
    papers = [root / "README.md", *_files(root / "docs", {".md"})]
    return Figures(
        rooms={room: Size(len(counts), sum(counts)) for room, counts in sorted(rooms.items())},
        median=median(lines.values()),
        words=sum(len(_text(paper).split()) for paper in papers),
        test_lines=sum(_text(path).count("\n") for path in _files(root / "tests", {".py"})),
        voice=sum(len(VOICE.findall(text)) for text in files.values()),
    )


def _files(directory: Path, suffixes: set[str]) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.suffix in suffixes and path.is_file())


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


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
