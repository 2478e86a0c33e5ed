"""The house stands as it is drawn: imports go down only, pure rooms stay pure, and every file is in its place."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
ROUTER = ROOT / "router"

FLOORS: dict[str, set[str]] = {
    "domain": set(),
    "parse": {"domain"},
    "decide": {"domain"},
    "rulebook": {"domain"},
    "destinations": {"domain"},
    "store": {"domain"},
    "eventhubs": {"domain"},
    "telemetry": {"domain"},
    "deliver": {"domain", "store"},
    "coverage": {"domain"},
    "ingest": {"domain", "parse", "decide", "destinations", "store"},
    "app": {
        "domain", "parse", "decide", "rulebook", "destinations", "store", "eventhubs", "telemetry", "deliver",
        "coverage", "ingest",
    },
}  # fmt: skip
"""What each room may import of the others; coverage also what `COVERAGE_USES` lists.

The command line and function_app.py stand above and may import any of them.
"""

COVERAGE_USES = {
    # coverage.yaml is a rules file.
    "rulebook.clauses", "rulebook.documents", "rulebook.folder",  "rulebook.patterns",
    "rulebook.policy_form", "rulebook.problems", "rulebook.validation_messages", "rulebook.when_form",
    # The gate reads what the state knows, and prints as every command does.
    "store.documents", "store.sources", "store.store",
    "app.optional_packages", "app.settings", "app.certificates", "deliver.azure_transport", "deliver.http",
    "cli.arguments", "cli.formats", "cli.option_values", "cli.open_state", "cli.printing",
    "cli.screen", "cli.stopping", "cli.streams",
    "destinations.wording.masking",
    # A drill follows an alert through the rooms.
    "app.destination_readiness", "app.signal_life", "app.signal_search", "decide",
    "ingest.coverage_notes", "store.decisions", "store.partitions",
    "store.quarantine",
}  # fmt: skip
"""The few modules beyond `domain` that coverage may import. `app`, the command line and function_app.py import coverage."""

COVERAGE_ACTS = {"asking", "commands", "drill/azure", "drill/running", "expected/loading", "report/page", "report/text"}
"""The parts of coverage that read files, print, ask the clock or open connections; all others are pure."""

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


class Source(NamedTuple):
    """What the tests ask of a file.

    Attributes:
        imports: every module that it imports, also inside functions; those for type checking alone are left out.
        calls: the last word of each name that it calls.
        broad_excepts: how often it catches whatever goes wrong.
    """

    imports: frozenset[str]
    calls: frozenset[str]
    broad_excepts: int
    reads_environment: bool


@cache
def source(path: Path) -> Source:
    """A file, read and parsed once for all tests: half of what they take is the parsing."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    typing_only = {
        id(node)
        for block in nodes
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    called = [node.func for node in nodes if isinstance(node, ast.Call)]
    caught = [node.type for node in nodes if isinstance(node, ast.ExceptHandler)]
    return Source(
        imports=frozenset(module for node in nodes if id(node) not in typing_only for module in imported_by(node)),
        calls=frozenset(one.id for one in called if isinstance(one, ast.Name))
        | {one.attr for one in called if isinstance(one, ast.Attribute)},
        broad_excepts=sum(one is None or ast.unparse(one) == "Exception" for one in caught),
        reads_environment=any(isinstance(one, ast.Attribute) and one.attr in ("environ", "getenv") for one in nodes),
    )


def imported_by(node: ast.AST) -> Iterator[str]:
    """The modules that a statement imports; none where it is another one."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        if node.module == "router":
            yield from (f"router.{alias.name}" for alias in node.names)


def rooms_of(path: Path) -> set[str]:
    """The modules of router/ that a file imports, without `router.` before them."""
    return {module.removeprefix("router.") for module in source(path).imports if module.startswith("router.")}


def test_imports_go_down_only() -> None:
    """Rooms do not import sideways, nothing below imports what stands above, and coverage's list outlives no reason."""
    for part, below in FLOORS.items():
        for path in sources(part):
            beyond = {module for module in rooms_of(path) if module.split(".")[0] not in below | {part}}
            assert beyond <= (COVERAGE_USES if part == "coverage" else set()), (
                f"{path.relative_to(ROOT)}: {sorted(beyond)}"
            )
    used = set().union(*map(rooms_of, sources("coverage")))
    assert used >= COVERAGE_USES, sorted(COVERAGE_USES - used)


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    """Each module can be read after those that it imports."""
    files = {".".join(path.relative_to(ROUTER).with_suffix("").parts): path for path in ROUTER.rglob("*.py")}
    files = {name.removesuffix(".__init__"): path for name, path in files.items()}
    # A part that takes another part of its own package by the package's name makes none.
    left = {
        name: {one for one in rooms_of(path) & files.keys() if not f"{name}.".startswith(f"{one}.")}
        for name, path in files.items()
    }
    while ends := {name for name, used in left.items() if not used & left.keys()}:
        left = {name: used for name, used in left.items() if name not in ends}
    assert not left, sorted(left)


def test_every_part_of_the_house_has_its_floor_and_none_knows_the_demo() -> None:
    """A new room is drawn here before it is built. The demo is not deployed; the command line names it only when asked."""
    parts = {
        path.stem for path in ROUTER.iterdir() if path.suffix == ".py" or (path.is_dir() and path.name != "__pycache__")
    }
    assert parts - ABOVE == set(FLOORS)
    for path in [*sources(*FLOORS, "cli"), ROOT / "function_app.py"]:
        assert DEMO not in {module.split(".")[0] for module in source(path).imports}, path.relative_to(ROOT)


def test_packages_draw_the_rooms_and_modules_that_there_are() -> None:
    """`router/__init__.py` is what a stranger opens first; what stands in columns at the head of a package are its modules."""
    drawn = re.findall(r"^    (\w+)/", (ROUTER / "__init__.py").read_text(), re.MULTILINE)
    assert sorted(drawn) == sorted(path.name for path in ROUTER.iterdir() if (path / "__init__.py").exists())
    for path in ROUTER.rglob("__init__.py"):
        drawn = re.findall(
            r"(?:^|  )([a-z_]+)/? {2,}", ast.get_docstring(ast.parse(path.read_text())) or "", re.MULTILINE
        )
        there = {one.stem for one in path.parent.iterdir()}
        assert set(drawn) <= there, path.relative_to(ROOT)


PURE = ("parse", "decide", "destinations", "coverage", "domain", "store/delivery_lifecycle")


def test_pure_rooms_have_no_clock_chance_environment_log_network_or_file() -> None:
    """What comes in comes in as an argument."""
    acting = sources(*(f"coverage/{part}" for part in COVERAGE_ACTS))
    for path in sources(*PURE):
        where = path.relative_to(ROUTER)
        if path in acting:
            continue
        modules = source(path).imports if str(where) != "destinations/__init__.py" else set[str]()
        impure = {module for module in modules if module in IMPURE or module.split(".")[0] in IMPURE}
        assert not impure, f"{where} imports {sorted(impure)}"
        impure_calls = source(path).calls & IMPURE_CALLS
        assert not impure_calls, f"{where} calls {sorted(impure_calls)}"


def test_pure_rooms_read_tables_of_the_program_and_the_ground_floor_needs_nothing_installed() -> None:
    """They are the same wherever the program runs; domain/ is the standard library only."""
    reading = [
        str(path.relative_to(ROUTER))
        for path in sources("parse", "decide", "destinations", "domain")
        if "importlib.resources" in source(path).imports
    ]
    tables = ("destinations/log_analytics", "destinations/wording/escaping", "domain/recommendations")
    assert reading == [f"{name}.py" for name in tables]
    import sys

    for path in sources("domain"):
        roots = {module.split(".")[0] for module in source(path).imports} - {"router", "__future__"}
        assert roots <= set(sys.stdlib_module_names), f"{path.relative_to(ROOT)} imports {sorted(roots)}"


def test_there_are_two_broad_excepts_one_in_each_shell_loop() -> None:
    """Anything else that goes wrong is caught by its name, or not at all."""
    found = [str(path.relative_to(ROUTER)) for path in ROUTER.rglob("*.py") for _ in range(source(path).broad_excepts)]
    assert sorted(found) == ["deliver/sender.py", "ingest/intake.py"]


def test_only_settings_reads_the_environment_and_no_file_is_named_after_nothing() -> None:
    """There is one place to look for what a deployment must set, and a file's name says what it holds."""
    readers = {str(path.relative_to(ROUTER)) for path in ROUTER.rglob("*.py") if source(path).reads_environment}
    assert readers <= {"app/settings.py"}
    for name in ("utils", "helpers", "manager", "common", "misc"):
        assert not list(ROUTER.rglob(f"*{name}*.py"))
