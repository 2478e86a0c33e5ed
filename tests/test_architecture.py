"""The house stands as it is drawn: imports go down only, pure rooms stay pure, and every file is in its place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROUTER = ROOT / "router"

FLOORS: dict[str, set[str]] = {
    "domain": set(),
    "parse": {"domain"},
    "decide": {"domain"},
    "rulebook": {"domain"},
    "grouping": {"domain"},
    "destinations": {"domain"},
    "store": {"domain"},
    "eventhubs": {"domain"},
    "telemetry": {"domain"},
    "deliver": {"domain"},
    "ingest": {"domain", "parse", "decide", "grouping"},
    "app": {
        "domain", "parse", "decide", "rulebook", "grouping", "destinations", "store", "eventhubs", "telemetry", "deliver",
        "ingest",
    },
}  # fmt: skip
"""What each room may import of the others. The command line and function_app.py stand above and may import any of them."""

ABOVE = {"cli", "__main__", "__init__"}

DEMO = "alert_router_demo"
"""It may import any room, and nothing but the command line and the tests may import it."""

IMPURE = {
    "asyncio", "contextvars", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "shutil",
    "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib.request", "uuid", "httpx",
    "aiohttp", "azure", "requests", "tenacity",
}  # fmt: skip
"""Modules through which a clock, chance, the environment, a log, a network or a file would come in."""

IMPURE_CALLS = {"open", "print", "input", "now", "utcnow", "today"}


def sources(*parts: str) -> list[Path]:
    """The Python files of some parts of the house."""
    found = []
    for part in parts:
        path = ROUTER / part
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    return found


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file imports, also inside functions; those for type checking alone are left out."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "router":
                yield from (f"router.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("part", sorted(FLOORS))
def test_imports_go_down_only(part: str) -> None:
    """Rooms do not import each other sideways, and nothing below imports what stands above it."""
    allowed = FLOORS[part] | {part}
    for path in sources(part):
        used = {module.split(".")[1] for module in imports_of(path) if module.startswith("router.")}
        assert used <= allowed, f"{path.relative_to(ROOT)} imports {sorted(used - allowed)}"


def test_every_part_of_the_house_has_its_floor() -> None:
    """A new room is drawn here before it is built."""
    parts = {
        path.stem for path in ROUTER.iterdir() if path.suffix == ".py" or (path.is_dir() and path.name != "__pycache__")
    }
    assert parts - ABOVE == set(FLOORS)


def test_no_room_knows_the_demo() -> None:
    """It is not deployed; the command line names it only when it is asked for."""
    for path in [*sources(*FLOORS, "cli"), ROOT / "function_app.py"]:
        assert DEMO not in {module.split(".")[0] for module in imports_of(path)}, path.relative_to(ROOT)


@pytest.mark.parametrize("room", ["parse", "decide", "destinations", "domain"])
def test_pure_rooms_have_no_clock_chance_environment_log_network_or_file(room: str) -> None:
    """What comes in comes in as an argument."""
    for path in sources(room):
        where = path.relative_to(ROOT)
        modules = {module for module in imports_of(path) if path.name != "__init__.py" or room != "destinations"}
        impure = {module for module in modules if module in IMPURE or module.split(".")[0] in IMPURE}
        assert not impure, f"{where} imports {sorted(impure)}"
        calls = {
            node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)
        }
        assert not calls & IMPURE_CALLS, f"{where} calls {sorted(calls & IMPURE_CALLS)}"


def test_the_ground_floor_is_the_standard_library_only() -> None:
    """domain/ depends on nothing that has to be installed."""
    import sys

    for path in sources("domain"):
        roots = {module.split(".")[0] for module in imports_of(path)} - {"router", "__future__"}
        assert roots <= set(sys.stdlib_module_names), f"{path.relative_to(ROOT)} imports {sorted(roots)}"


def test_there_are_two_broad_excepts_one_in_each_shell_loop() -> None:
    """Anything else that goes wrong is caught by its name, or not at all."""
    found = [
        str(path.relative_to(ROUTER))
        for path in ROUTER.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler) and (node.type is None or ast.unparse(node.type) == "Exception")
    ]
    assert sorted(found) == ["deliver/sender.py", "ingest/intake.py"]


def test_only_settings_reads_the_environment() -> None:
    """One place to look for what a deployment must set."""
    readers = [
        str(path.relative_to(ROUTER))
        for path in ROUTER.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    ]
    assert set(readers) <= {"app/settings.py"}


@pytest.mark.parametrize("name", ["utils", "helpers", "manager", "common", "misc"])
def test_no_file_is_named_after_nothing(name: str) -> None:
    """A file's name says what it holds."""
    assert not list(ROUTER.rglob(f"*{name}*.py"))
