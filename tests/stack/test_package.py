"""The package that a release ships, unpacked: it needs nothing but itself, and takes a batch in Microsoft's own worker."""

from __future__ import annotations

import asyncio
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from infra.package import DEPENDENCIES, OWN, main
from tests.builders import RULES, alert_body
from tests.stack.accounting import is_delivered
from tests.stack.functions_host import Conditions, FunctionsHost, Outcome
from tests.stack.stack import ROOT, Stack
from tests.stack.test_doors import on_record, publish
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine(), sys.version_info[:2]) != ("linux", "x86_64", (3, 13)),
    reason="the package is built for Python 3.13 on Linux, x86_64",
)

ALONE = """
import sys
sys.path[:0] = sys.argv[1:]
import function_app
from router.app.rules import load_rules
from router.app.settings import now
from router.domain.signals import Stream
from pathlib import Path
assert load_rules(Path("rules"), list(Stream), now()).problems == ()
for module in list(sys.modules.values()):
    if file := getattr(module, "__file__", None):
        print(file)
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where one that ships the starter's rules was unpacked."""
    directory = tmp_path_factory.mktemp("package")
    project = directory / "project"
    project.mkdir()
    for name in OWN:
        (project / name).symlink_to(RULES if name == "rules" else ROOT / name)
    made = directory / "alert-router.zip"
    assert main([str(made)], project) == 0
    with ZipFile(made) as file:
        file.extractall(directory / "app")
    made.unlink()
    yield directory / "app"
    shutil.rmtree(directory)


def test_it_loads_with_nothing_around_it(package: Path) -> None:
    """Every module is its own or Python's, and the rules that it ships can be used."""
    # What is compiled here is kept beside it: the next test's worker need not do it again.
    command = [sys.executable, "-I", "-S", "-c", ALONE, str(package), str(package / DEPENDENCIES)]
    done = subprocess.run(command, cwd=package, env={}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    own = (str(package), sys.base_prefix, sys.exec_prefix)
    assert [file for file in done.stdout.splitlines() if not file.startswith(own) or ".venv" in file] == []
    assert f"{package}/router/app/__init__.py" in done.stdout.splitlines()
    assert {path.name for path in package.iterdir()} - {"__pycache__"} == {*OWN, ".python_packages"}


def test_it_takes_a_batch_in_microsofts_worker(package: Path, stack: Stack) -> None:
    """With the rules beside its code, which here lead to the SOC, and its own dependencies before anybody else's."""
    shutil.rmtree(package / "rules")
    shutil.copytree(stack.rules, package / "rules")
    host = FunctionsHost(
        package,
        env={name: value for name, value in stack.environment.items() if name != "ALERT_ROUTER_RULES"},
        hubs=stack.hubs,
        conditions=Conditions(speed=100),
    )

    async def run() -> None:
        async with host.running():
            await publish(stack, "cwpp", alert_body("one"), alert_body("two"))
            await host.idle(PATIENCE)
            await until(lambda: is_delivered(stack), look=0.5)
            loaded = Path(f"/proc/{host.worker_pid}/maps").read_text()
            assert f"{package / DEPENDENCIES}/pydantic_core/" in loaded
            assert "/site-packages/pydantic_core/" not in loaded.replace(str(package / DEPENDENCIES), "")
        assert {one.outcome for one in host.invocations} == {Outcome.OK}
        assert [one["outcome"] for one in await on_record(stack, "cwpp")] == ["routed", "routed"]

    asyncio.run(run())
    assert len(stack.soc.state()["tickets"]) == 2
