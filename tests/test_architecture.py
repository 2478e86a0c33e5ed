"""The house stands as it is drawn: imports go down only, pure rooms stay pure, and every file is in its place."""

import ast
import re
import subprocess
import sys
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
    "console": {"domain", "decide", "rulebook", "destinations", "store", "deliver", "app"},
}  # fmt: skip
"""What each room may import of the others; coverage also what `COVERAGE_USES` lists, the console what coverage hands it.

The command line and function_app.py stand above and may import any of them.
"""

COVERAGE_USES = {
    # coverage.yaml is a rules file.
    "rulebook.clauses", "rulebook.documents", "rulebook.folder",  "rulebook.patterns",
    "rulebook.policy_form", "rulebook.problems", "rulebook.validation_messages", "rulebook.when_form",
    # The gate reads what the state knows, and prints as every command does.
    "store.codec", "store.documents", "store.sources", "store.store",
    "app.optional_packages", "app.settings", "app.certificates", "deliver.azure_transport", "deliver.http",
    "cli.arguments", "cli.formats", "cli.option_values", "cli.open_state", "cli.printing",
    "cli.screen", "cli.stopping", "cli.streams",
    "destinations.wording.fitting", "destinations.wording.masking",
    # A drill follows an alert through the rooms.
    "app.destination_readiness", "app.fields", "app.signal_life", "app.signal_search", "decide",
    "ingest.coverage_notes", "store.partitions", "store.search",
    "store.quarantine",
}  # fmt: skip
"""The few modules beyond `domain` that coverage may import. `app`, the command line and function_app.py import coverage."""

CONSOLE_USES = {"coverage.last_check", "coverage.stored", "coverage.verdicts"}
"""What the console may import of coverage: what a check and drills left in the state. It judges nothing itself."""

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


USES = {"coverage": COVERAGE_USES, "console": CONSOLE_USES}


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
    """Rooms do not import sideways, nothing below imports what stands above, and no name on a list outlives its reason."""
    for part, below in FLOORS.items():
        for path in sources(part):
            beyond = {module for module in rooms_of(path) if module.split(".")[0] not in below | {part}}
            assert beyond <= USES.get(part, set()), f"{path.relative_to(ROOT)}: {sorted(beyond)}"
    for part, names in USES.items():
        used = set().union(*map(rooms_of, sources(part)))
        assert used >= names, sorted(names - used)


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


def test_pure_rooms_read_tables_of_the_program_and_the_ground_floor_needs_what_its_values_are_made_of() -> None:
    """They are the same wherever the program runs; beside the standard library domain/ has msgspec."""
    reading = [
        str(path.relative_to(ROUTER))
        for path in sources("parse", "decide", "destinations", "domain")
        if "importlib.resources" in source(path).imports
    ]
    tables = ("destinations/log_analytics", "destinations/wording/escaping", "domain/recommendations")
    assert reading == [f"{name}.py" for name in tables]
    for path in sources("domain"):
        roots = {module.split(".")[0] for module in source(path).imports} - {"router", "__future__", "msgspec"}
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


A_BATCH = """
import asyncio, logging, os, sys
from datetime import UTC, datetime
from types import SimpleNamespace
logging.disable()  # what destinations lack
import function_app
event = SimpleNamespace(
    metadata={"PartitionContext": {"PartitionId": "0"}},
    sequence_number=0,
    enqueued_time=datetime.now(UTC),
    get_body=sys.argv[1].encode,
)
context = SimpleNamespace(trace_context=SimpleNamespace(trace_parent=None))
asyncio.run(function_app.take(function_app.Stream.CWPP, [event], context))
print(*(name for name in sys.modules if name.startswith("router.")))
print(*{name.split(".")[0] for name, one in sys.modules.items() if "site-packages" in (getattr(one, "__file__", "") or "")})
sys.stdout.flush()
os._exit(0)  # the service has no end of its own
"""
"""Takes one message in as a worker in Azure does, with nothing sent, and prints what was imported."""

OF_A_BATCH = {
    "app": "certificates connections delivery destination_readiness drain lazy optional_packages rules service settings wiring",
    "coverage": "expected expected.manifest verdicts",
    "decide": "decision markup notice prose signal_facts suppression",
    "deliver": "background delivery_loop destination destination_holds isolation retries sender",
    "destinations": "base config log_analytics pagerduty paging requests servicenow",
    "eventhubs": "connection events publisher reader",
    "rulebook": """attack catalogue clauses destinations documents folder loading owners patterns policy policy_form problems
        scope scope_breadth starter suppression_directory suppression_rule tag_files validation_messages when_form""",
}
"""The modules that a process imports of rooms which have others, too, to take a batch in: of kinds those that rules name."""

WHOLE = {"domain", "parse", "ingest", "store", "telemetry"}
"""The rooms of which it may import any module."""

INSTALLED = {
    "annotated_types", "azure", "certifi", "markupsafe", "msgspec", "opentelemetry", "orjson", "pydantic", "pydantic_core",
    "typing_extensions", "typing_inspection", "werkzeug", "yaml", "_distutils_hack",
}  # fmt: skip
"""What it imports that is not Python's own. No client of HTTP, of a hub or of an identity is among it: those take longer."""


def test_a_process_that_takes_a_batch_in_imports_what_that_takes(tmp_path: Path) -> None:
    """A page may wait for a cold worker, so that has no use for lints, forms of commands, drills or clients that send."""
    message = (ROOT / "alert_router_demo" / "samples" / "cwpp.ndjson").read_text().splitlines()[0]
    environment = {
        "ALERT_ROUTER_STATE": str(tmp_path),
        "ALERT_ROUTER_RULES": str(ROUTER / "rulebook" / "starter" / "rules"),
        "EVENT_HUBS__fullyQualifiedNamespace": "name.servicebus.windows.net",
    }
    command = [sys.executable, "-c", A_BATCH, message]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    ours, theirs = done.stdout.splitlines()
    named = {f"{room}.{one}" for room, modules in OF_A_BATCH.items() for one in modules.split()}
    found = {one.removeprefix("router.") for one in ours.split()} - OF_A_BATCH.keys()
    beyond = {one for one in found - named if not one.startswith("destinations.wording")}
    assert {one for one in beyond if one.partition(".")[0] not in WHOLE} == set()
    assert named - found == set(), "is not imported any more: take it off the list"
    assert set(theirs.split()) <= INSTALLED
