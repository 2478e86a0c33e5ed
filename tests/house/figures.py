"""What there is in a tree, counted from its text and its syntax; nothing of it is imported or run."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.house.way import Way, find_way

SUFFIXES = {".py", ".sql", ".j2"}
SMALL = 40
"""Lines of code below which a file is small: lines that are not blank, no comment, no docstring and no import."""

PROGRAM = ("router", "alert_router_demo", "function_app.py")
"""What imports count in."""

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
    "": Size(2, 24),
    "cli": Size(41, 7_280),
    "coverage": Size(76, 14_610),
    "destinations": Size(32, 6_790),
    "domain": Size(33, 5_005),
    "store": Size(28, 5_975),
}
"""What rooms that are beyond their budgets may hold today: a change that makes one smaller lowers it here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of one tree.

    Attributes:
        rooms: what each directory of `router` holds; the files beside them are under "".
        median: lines of the median file of `router`.
        small: the paths of small files of `router` that exactly one file imports.
        words: words of README.md and docs/.
        test_lines: lines of Python in tests/.
        voice: how often `router` says whoever, nobody, somebody or anybody.
        way: what one alert passes; None where it was not run.
    """

    rooms: Mapping[str, Size]
    median: float
    small: Sequence[str]
    words: int
    test_lines: int
    voice: int
    way: Way | None = None

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


def figures(root: Path, *, run: bool = True) -> Figures:
    """Return the figures of the tree at `root`; without `run` no alert is sent through it."""
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
        small=list(_small_with_one_importer(root)),
        words=sum(len(_text(paper).split()) for paper in papers),
        test_lines=sum(_text(path).count("\n") for path in _files(root / "tests", {".py"})),
        voice=sum(len(VOICE.findall(text)) for text in files.values()),
        way=find_way(root) if run else None,
    )


def _files(directory: Path, suffixes: set[str]) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.suffix in suffixes and path.is_file())


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@dataclass(frozen=True)
class _Module:
    """A file of Python, by its path from the root of the tree."""

    path: str
    text: str

    @cached_property
    def name(self) -> str:
        """The name that it is imported by."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax."""
        return ast.parse(self.text)

    @cached_property
    def passed_on(self) -> Mapping[str, str]:
        """The names that a package's own file imports for others, as its `__all__` says, and the modules that have them."""
        offered = {name for node in self.tree.body if _assigns_all(node) for name in _texts_in(node)}
        is_package = self.path.endswith("/__init__.py")
        return {name: source for source, name in self.imports() if is_package and name in offered}

    def imports(self) -> Iterator[tuple[str, str]]:
        """Each module that it imports, and the name that it takes from there: "" for the module itself."""
        for node in ast.walk(self.tree):
            match node:
                case ast.Import(names=names):
                    yield from ((one.name, "") for one in names)
                case ast.ImportFrom(module=str(source), names=names):
                    yield from ((source, one.name) for one in names)

    def lines_of_code(self) -> int:
        """How many lines are no blank, comment, docstring or import."""
        others = {
            line
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Import | ast.ImportFrom) or _is_docstring(node)
            for line in _lines_of(node)
        }
        lines = enumerate(map(str.strip, self.text.splitlines()), start=1)
        return sum(bool(line) and not line.startswith("#") and number not in others for number, line in lines)


def _small_with_one_importer(root: Path) -> Iterator[str]:
    """The paths of such files. A package that passes a name on is no importer: the file that takes the name there is."""
    modules = {module.name: module for part in PROGRAM for module in _modules(root, part)}
    importers = Counter(used for module in modules.values() for used in _used_by(module, modules))
    for name, module in modules.items():
        is_exempt = module.path.endswith(("/__init__.py", "/__main__.py")) or not module.path.startswith("router/")
        if importers[name] == 1 and not is_exempt and module.lines_of_code() < SMALL:
            yield module.path


def _modules(root: Path, part: str) -> Iterator[_Module]:
    for path in [root / part] if part.endswith(".py") else _files(root / part, {".py"}):
        yield _Module(path.relative_to(root).as_posix(), _text(path))


def _used_by(module: _Module, modules: Mapping[str, _Module]) -> set[str]:
    used = set[str]()
    for source, name in module.imports():
        if name in module.passed_on:
            continue
        used.add(source)
        while name and source in modules:
            if f"{source}.{name}" in modules:
                source = f"{source}.{name}"
            elif name in modules[source].passed_on:
                source = modules[source].passed_on[name]
            else:
                break
            used.add(source)
    return used - {module.name}


def _assigns_all(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]


def _texts_in(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def _is_docstring(node: ast.AST) -> bool:
    """Whether it is a text alone, which says what stands before it or around it."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _lines_of(node: ast.AST) -> Iterable[int]:
    first = getattr(node, "lineno", 1)
    return range(first, getattr(node, "end_lineno", first) + 1)
