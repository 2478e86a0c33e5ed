"""`rules/` belongs to whoever cloned the project: a clone in which it is another's passes whatever this one passes.

`make soak` runs it, since it runs `make test` in each clone. What holds the same in `make test` is tests/users_rules.py.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

from infra.compiler import find_compiler
from router.rulebook import load_catalogue
from tests.docs.test_rules_page import PAGES_OF_DESTINATIONS, fragments
from tests.infra import test_workflow as deploy
from tests.infra.azd import az_that_knows, azd_in, locked_python
from tests.infra.predicted import DEFENDER, ROOT

SUPPRESSIONS = 3_000
ROUTES = 200


def write_tiny(rules: Path) -> None:
    """One file that everything goes into, and nothing about posture: the least that is valid."""
    _write(rules / "cwpp/policy.yaml", _policy("cwpp", {"all": {"kind": "file", "path": "all.ndjson"}}, ["all"]))


def write_large(rules: Path) -> None:
    """Thousands of suppression rules, hundreds of routes and owners, destinations of every kind, and an example."""
    types = sorted(load_catalogue().types)
    for stream in ("cwpp", "cspm"):
        destinations = {
            f"{name}-{number}": destination
            for number, fragment in enumerate(fragments(*PAGES_OF_DESTINATIONS))
            if fragment.label.endswith(f"rules/{stream}/policy.yaml")
            for name, destination in yaml.safe_load(fragment.text).get("destinations", {}).items()
        } | {"archive": {"kind": "file", "path": f"{stream}.ndjson"}}
        routes = [
            {"name": f"route-{number}", "when": {"at_least": "Medium", "subscription": _id(number)}, "to": [name]}
            for number, name in zip(range(ROUTES), list(destinations) * ROUTES, strict=False)
        ]
        policy = _policy(stream, destinations, ["archive"])
        _write(rules / stream / "policy.yaml", policy | {"routes": routes, "floor": {"default": "Low"}})
    for number in range(SUPPRESSIONS):
        _write(rules / f"cwpp/suppressions/rule-{number}.json", _suppression(types[number % len(types)], number))
    resource = f"/subscriptions/{_id(7)}/resourceGroups/rg/providers/Microsoft.Sql/servers/one"
    message = {"SystemAlertId": "1", "AlertType": "VM_Own", "Severity": "High", "AzureResourceId": resource}
    expected = {"outcome": "routed", "routes": ["route-7"]}
    _write(rules / "cwpp/examples/all.yaml", [{"name": "high", "now": NOW, "message": message, "expect": expected}])
    owners = [{"subscription": _id(number), "group": f"team-{number}"} for number in range(ROUTES)]
    _write(rules / "owners.yaml", {"owners": owners, "subscriptions": {_id(1): {"name": "One", "environment": "test"}}})


OTHER_RULES: Mapping[str, Callable[[Path], None]] = {"tiny": write_tiny, "large": write_large}
"""What writes each set into an empty directory."""

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def _policy(stream: str, destinations: Mapping[str, Any], otherwise: list[str]) -> dict[str, Any]:
    return {"stream": stream, "destinations": dict(destinations), "otherwise": otherwise}


def _suppression(type: str, number: int) -> Any:
    ends = datetime.now(UTC) + timedelta(days=30 + number % 100)
    address = {"field": "entities.ip.address", "in": [f"10.{number >> 8}.{number & 255}.1"]}
    said = {"alertType": type, "state": "Enabled", "reason": "Noise", "suppressionAlertsScope": {"allOf": [address]}}
    comment = f"Scanner {number}, owner secops@contoso.example"
    return {"properties": said | {"expirationDateUtc": f"{ends:%Y-%m-%dT%H:%M:%SZ}", "comment": comment}}


def _id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def _write(path: Path, said: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(said, indent=2) if path.suffix == ".json" else yaml.safe_dump(said, sort_keys=False))


pytestmark = pytest.mark.soak

LASTING = Path("/var/tmp")  # noqa: S108  A clone with all that it installs is too much for memory.
AZ: Mapping[str, object] = {"bicep install": ("", ""), "deployment sub what-if": ("Resource changes: no change.\n", "")}
"""What az says to the workflows, beside what it says to azd's hooks."""
ALL_TESTS = "make test"


@pytest.fixture(params=list(OTHER_RULES))
def clone(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A clone of what is worked on, with other rules, committed as their owner would."""
    with TemporaryDirectory(prefix="other-rules-", dir=LASTING if LASTING.is_dir() else None) as scratch:
        # The server of a test that root runs is another user's, and its programs are in the clone.
        Path(scratch).chmod(0o711)
        at = Path(scratch, "clone")
        said("git", "clone", "--quiet", "--no-checkout", "--shared", str(ROOT), str(at), at=ROOT)
        listed = said("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", at=ROOT).split("\0")
        for name in listed:
            if name and (ROOT / name).is_file() and not name.startswith("rules/"):
                (at / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, at / name)
        OTHER_RULES[request.param](at / "rules")
        said("git", "add", "--all", at=at)
        me = ("-c", "user.name=a", "-c", "user.email=a@contoso.example")
        said("git", *me, "commit", "-qm", "Rules of our own", at=at)
        yield at


def said(*command: str, at: Path, **more: str) -> str:
    """What a command prints in a directory, as a person's shell or GitHub's runner starts it; it must go well."""
    pytests = ("PYTEST_CURRENT", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_TESTRUN")
    ours = (*pytests, "VIRTUAL_ENV", "PYTHONPATH", "MAKE", "MFLAGS")
    given = {name: value for name, value in os.environ.items() if not name.startswith(ours)} | more
    done = subprocess.run(
        command, cwd=at, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout[-5000:]}"
    return done.stdout


def run_steps(clone: Path, scripts: list[str], **more: str) -> None:
    """Runs the steps of a job, each as GitHub's runner starts it; all must go well."""
    for script in scripts:
        said("bash", "-e", "-c", script, at=clone, **more)


def runner(clone: Path, scratch: Path) -> dict[str, str]:
    """A runner of GitHub's, with doubles of az and azd, and the compiler that stands here."""
    azd = azd_in(clone, locked_python(scratch / "hooks_env"))
    az_that_knows(azd, DEFENDER, AZ)
    if compiler := find_compiler():
        (clone / "bin" / "bicep").symlink_to(compiler.path)
    files = {"GITHUB_PATH": "path", "GITHUB_ENV": "env", "GITHUB_STEP_SUMMARY": "summary.md", "RUNNER_TEMP": "."}
    return {
        **{name: str(scratch / file) for name, file in files.items()},
        "PATH": os.pathsep.join((str(clone / "bin"), str(clone / ".venv" / "bin"), os.environ["PATH"])),
        "VARIABLES": json.dumps({"ROUTER_PARTITIONS": "8"}),
        "GITHUB_REPOSITORY": "soc/router",
        "GITHUB_REF_NAME": "v1",
        "AZURE_ENV_NAME": "soc",
        "AZURE_LOCATION": "westeurope",
        "DEFENDER_PRINCIPAL_ID": DEFENDER,
        **dict.fromkeys(("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID"), DEFENDER),
    }


def test_whatever_runs_without_azure_goes_well(clone: Path, tmp_path: Path) -> None:
    """`make run`, and each step of both workflows, but for `make test` and what only GitHub can do; rules/ stays as it is."""
    assert "89 sample messages" in said("make", "setup", "run", at=clone)
    given = runner(clone, tmp_path)
    checks = [script for script in deploy.commands("check") if script != ALL_TESTS]
    run_steps(clone, checks, **given)
    run_steps(clone, deploy.commands("preview"), **given)
    assert "no change" in (tmp_path / "summary.md").read_text()
    run_steps(clone, deploy.commands("deploy"), **given)
    only_there = [script for script in deploy.commands("build") if script not in (*checks, ALL_TESTS)]
    assert len(only_there) == 2
    run_steps(clone, only_there, **given)
    assert {path.name for path in (clone / "dist").iterdir()} >= {"alert-router.zip", "azuredeploy.json", "notes.md"}
    assert said("git", "status", "--porcelain", "--", "rules", at=clone) == ""


def test_make_test_goes_well(clone: Path) -> None:
    """As long as it takes."""
    assert " passed" in said("make", "test", at=clone)
