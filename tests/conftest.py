"""What all tests may ask for."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.examples import ALL, SOME
from tests.newer import make_newer
from tests.samples import SAMPLES
from tests.stack.postgres import NAMED, EmptiedDatabase, Server, postgres_running
from tests.users_rules import stand_guard
from tests.waiting import wait_until

pytest_plugins = ["tests.store.fixtures"]

# No property is about speed: what is slow here may be the machine, which others share. `make soak` tries all examples.
for name, most in (("some", SOME), ("all", ALL)):
    settings.register_profile(name, max_examples=most, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("some")

_NAMED_POSTGRES = os.environ.get(NAMED, "")
"""Read before a shell's own settings are taken away."""

_MEMORY = Path("/dev/shm")  # noqa: S108  Nobody else's files are looked at.
_ENOUGH = 4 << 30
"""Bytes that tests may fill with temporary files."""

_THEIRS = (
    *("ALERT_ROUTER_", "APPLICATIONINSIGHTS_", "AZURE_", "AzureWebJobs", "EVENT_HUBS", "IDENTITY_", "KUBE", "OTEL_"),
    *("CI", "GITHUB_", "GIT_", "COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR"),
)
"""How variables begin that the program or git heeds: what a shell, a runner or a hook of git says is not said to tests.

Nor are their keys: tests name some of their own, and say that they are missing."""


def pytest_configure(config: pytest.Config) -> None:
    """Guards the user's rules, and has tests find the same wherever they are started.

    Puts temporary files into memory where there is room: none has to outlast a power cut.
    """
    stand_guard()
    # A script's background ignores Ctrl-C, and so would what tests start there; they interrupt themselves, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.umask(0o022)
    for name in [name for name in os.environ if name.startswith(_THEIRS) or name.endswith("_KEY")]:
        del os.environ[name]
    gc.disable()  # Until all is collected: hardly anything of it is garbage, and looking for some took a tenth of the time.
    if "TMPDIR" not in os.environ and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH:
        os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)
    if config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(SharedPostgres(), "shared PostgreSQL")


@pytest.fixture(scope="session")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the program one version ahead."""
    return make_newer(tmp_path_factory.mktemp("newer"))


FIRST = ("tests/stack/", "tests/test_killed.py", "tests/cli/test_serve.py", "tests/cli/test_upgrade.py")
"""Where the long tests are: begun first, since one that was begun last would run alone."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Makes three workers for two cores: many a test waits for a process that starts, or for a claim that runs out.

    More would only collect the tests, and make what a session shares, once more each.
    """
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return max(2, 3 * (os.process_cpu_count() or 1) // 2)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the long tests before the others, each in their own order.

    Skips what is marked `shared` where there are no samples; nothing else decides that.
    """
    if not SAMPLES.is_dir():
        for item in filter(lambda item: item.get_closest_marker("shared"), items):
            item.add_marker(pytest.mark.skip(reason=f"{SAMPLES} is absent"))
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))


def pytest_collection_finish() -> None:
    """Spares the garbage collector, which tests of clients call, what was imported: it stays to the end."""
    gc.enable()
    gc.collect()
    gc.freeze()


class SharedPostgres:
    """The PostgreSQL of all workers of one run, in the process that starts them: it begins while they collect tests.

    One each would take seconds to start, and as long until it is as fast as it gets.
    """

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="shared-postgres-")
        self._said = Path(self._directory.name, "said")
        self._ending = Event()
        # What it starts is gone when the thread is, so that this stays until the end.
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            with _url_of_postgres() as url:
                self._say({"url": url})
                self._ending.wait()
        except Exception as fault:  # noqa: BLE001  A worker that needs it raises that.
            self._say({"fault": str(fault)})

    def _say(self, words: dict[str, str]) -> None:
        fresh = self._said.with_name("saying")
        fresh.write_text(json.dumps(words))
        fresh.rename(self._said)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tells a worker where it says how it is reached, once it is."""
        node.workerinput["postgres"] = str(self._said)

    def pytest_unconfigure(self) -> None:
        """Ends it when all workers have ended."""
        self._ending.set()
        self._thread.join()
        self._directory.cleanup()


def _shared_url(path: Path) -> str:
    """The URL that stands in a file, once it is there; raises RuntimeError where the server could not be started."""
    wait_until(path.exists)
    words: dict[str, str] = json.loads(path.read_text())
    if "fault" in words:
        raise RuntimeError(words["fault"])
    return words["url"]


@contextmanager
def _url_of_postgres() -> Iterator[str]:
    """The server that a setting names, else one of our own."""
    if _NAMED_POSTGRES:
        yield _NAMED_POSTGRES
        return
    with postgres_running() as server:
        yield server.url


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A PostgreSQL that all tests share; `new_database()` gives a test an empty database of its own, in 50 milliseconds."""
    with ExitStack() as held:
        worker: dict[str, str] | None = getattr(request.config, "workerinput", None)
        url = held.enter_context(_url_of_postgres()) if worker is None else _shared_url(Path(worker["postgres"]))
        server = Server(url)
        held.callback(server.drop_databases)
        yield server


@pytest.fixture(scope="session")
def emptied(postgres: Server) -> Iterator[EmptiedDatabase]:
    """The one database of this worker that `postgresql` hands out again and again."""
    with EmptiedDatabase(postgres.new_database()) as database:
        yield database


@pytest.fixture
def postgresql(emptied: EmptiedDatabase) -> Iterator[str]:
    """The URL of a database in which there is nothing, or the empty tables that a test before this one made."""
    yield emptied.url
    emptied.empty()
