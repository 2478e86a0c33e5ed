"""What holds for the tests themselves, so that they pass on a machine that is busy, and wherever they are started."""

import ast
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from router.cli import main
from router.destinations import discover
from router.domain.signals import Stream
from router.rulebook import load_all
from tests.builders import NOW
from tests.leash import leashed
from tests.users_rules import USERS_RULES, NotOurs
from tests.waiting import PATIENCE

TESTS = Path(__file__).parent
ROUTER = (sys.executable, "-m", "router")

PACES = {
    "waiting.py": "looks again and again until something is so",
    "cli/test_serve_loops.py": "in virtual time",
    "cli/test_incoming.py": "in virtual time",
    "app/test_worker_life.py": "in virtual time",
    "drill/drilling.py": "looks again and again for what came in, and for what is due",
    "stack/azure_management/management.py": "an answer that does not come",
    "stack/defender.py": "Defender's own pace: export comes a moment later",
    "stack/functions_host/host.py": "Azure's own pace: an empty queue is looked at less and less often, and a timer",
    "stack/functions_host/workers.py": "Azure's own pace: another worker comes a moment later",
    "stack/__main__.py": "what comes out is printed",
    "stack/soak.py": "progress of hours is printed",
    "stack/accounting.py": "workers die now and then",
}
"""Files in which something sleeps, and what: never a test until something has probably happened."""

CLOCKS = {
    "waiting.py": "the end of patience",
    "parse/test_properties.py": "CPU time of this thread, in a generous ratio",
    "destinations/test_answers.py": "CPU time of this thread, thousands of times what it takes",
    "stack/event_hubs/connections.py": "notes when it refused, for pauses that are never too long",
    "stack/functions_host/host.py": "the end of patience, or of a grace that Azure gives",
    "stack/soak.py": "what is printed, and the end of patience",
}
"""Files that read a clock, and why it makes no difference how fast the machine is."""

HURRIES = {
    "demo/soc/test_soc_faults.py": "a caller that gives up on what hangs",
    "deliver/test_http.py": "a client that gives up on what hangs",
}
"""Files in which something is given less than a minute, and what."""

SELF_LEASHED = {
    "stack/functions_host/workers.py": "ends when a socket is closed",
    "warm/__init__.py": "ends when a socket is closed",
}
"""Files that start processes which are gone with their parent by other means, and are never interrupted."""


@cache
def calls() -> list[tuple[str, ast.Call]]:
    """Every call in every file of the tests, with the file's name."""
    files = {path.relative_to(TESTS).as_posix(): path for path in sorted(TESTS.rglob("*.py"))}
    return [
        (name, node)
        for name, path in files.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    ]


def called(call: ast.Call) -> str:
    """The last word of what is called; none where that has no name of its own."""
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def given(call: ast.Call, keyword: str) -> ast.expr | None:
    """What a call gives under a keyword, if it does."""
    return next((one.value for one in call.keywords if one.arg == keyword), None)


def test_no_test_waits_for_a_fixed_time_until_something_has_happened() -> None:
    """It waits for what it wants to see, by `tests.waiting`; whatever sleeps otherwise is a pace, and on the list."""
    sleeping = {
        name
        for name, call in calls()
        if called(call) == "sleep" and not (isinstance(call.args[0], ast.Constant) and call.args[0].value == 0)
    }
    assert sleeping == PACES.keys()


def bounds_of(call: ast.Call) -> Iterator[float]:
    """The numbers of seconds that a call gives something to happen."""
    places = {"timeout": 0, "wait_for": 1, "wait": 0, "result": 0, "join": 0}
    place = places.get(called(call))
    positional = call.args[place : place + 1] if place is not None else []
    for bound in (*positional, given(call, "timeout")):
        if isinstance(bound, ast.Constant) and isinstance(bound.value, int | float):
            yield bound.value


def test_no_test_is_about_speed() -> None:
    """What reads a clock, or gives something less than a minute, is on a list that says why. No property has a deadline."""
    clocks = {"monotonic", "monotonic_ns", "perf_counter", "process_time", "thread_time"}
    assert {name for name, call in calls() if called(call) in clocks} == CLOCKS.keys()
    assert {name for name, call in calls() for bound in bounds_of(call) if bound < 60} == HURRIES.keys()
    assert settings().deadline is None
    assert HealthCheck.too_slow in settings().suppress_health_check
    given_ones = [(name, ast.unparse(bound)) for name, call in calls() if (bound := given(call, "deadline"))]
    assert [(name, bound) for name, bound in given_ones if bound != "None"] == []


def test_every_process_that_tests_start_is_on_a_leash() -> None:
    """None is left where a test run is killed, and each heeds SIGINT wherever that run was started."""
    starting = [
        (name, given(call, "preexec_fn"))
        for name, call in calls()
        if called(call) in ("Popen", "create_subprocess_exec", "create_subprocess_shell")
    ]
    loose = {name for name, first in starting if first is None or ast.unparse(first) != leashed.__name__}
    assert loose == SELF_LEASHED.keys()


LOOKS: dict[str, Callable[[Path], object]] = {
    "a file": lambda there: (there / "cwpp" / "policy.yaml").read_text(),
    "a relative path": lambda there: Path(os.path.relpath(there), "cwpp", "policy.yaml").read_bytes(),
    "a descriptor": lambda there: os.open(there / "attack.yaml", os.O_RDONLY),
    "what is there": lambda there: list(there.iterdir()),
    "a pattern": lambda there: list(there.parent.glob("rules/*/policy.yaml")),
    "a copy": lambda there: shutil.copytree(there, there.parent / ".copied"),
    "a rulebook": lambda there: load_all(there, discover(), NOW),
    "a process": lambda there: subprocess.run([*ROUTER, "rules", "check"], cwd=there.parent),
    "a process that is told": lambda there: subprocess.run([*ROUTER, "run", "--rules", "rules"], cwd=there.parent),
}
if any((USERS_RULES / stream).is_dir() for stream in Stream):  # Where there are none, the program looks no further.
    LOOKS["the program"] = lambda there: main(["rules", "check", str(there)])


def test_no_test_looks_into_the_users_rules(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """Tests pass for all who replace them; a link that a test makes leads there, too; rules of its own it calls as it likes."""
    (tmp_path / "rules").symlink_to(USERS_RULES)
    LOOKS["a link"] = lambda there: (tmp_path / "rules" / "cwpp" / "policy.yaml").read_text()
    for name, look in LOOKS.items():
        with subtests.test(name), pytest.raises(NotOurs, match="the user's own"):
            look(USERS_RULES)
    (tmp_path / "own" / "rules").mkdir(parents=True)
    assert list((tmp_path / "own" / "rules").iterdir()) == []


def test_tests_and_processes_on_a_leash_can_be_interrupted_wherever_they_were_started() -> None:
    """Also in the background of a script, or by `nohup`, which both ignore SIGINT: they send themselves what Ctrl-C sends."""
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    ours = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        asked = [sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGINT).__name__)"]
        done = subprocess.run(asked, preexec_fn=leashed, capture_output=True, text=True, timeout=PATIENCE, check=True)
    finally:
        signal.signal(signal.SIGINT, ours)
    assert done.stdout == "default_int_handler\n"
