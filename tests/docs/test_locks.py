"""What is installed is what a lock says, pinned and hashed: in Azure, for a developer, and what installs the rest."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOOKS = "infra/hooks/requirements.txt"
LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-setup.txt", "infra/requirements-check.txt", HOOKS)
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)(\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    """The packages of a lock and their versions."""
    return {found[1]: found[3] for found in PIN.finditer((ROOT / name).read_text())}


def wanted(*extras: str) -> set[str]:
    """The packages that pyproject.toml asks for at run time, and for some extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    return {re.split(r"[\[<>=!~; ]", one, maxsplit=1)[0].lower() for one in asked}


def test_everything_that_is_asked_for_is_locked() -> None:
    """A dependency that was added without remaking the locks would be missing in Azure."""
    assert wanted("azure") <= pins("requirements.txt").keys()
    assert wanted("azure") <= pins("requirements-dev.txt").keys()


def test_a_plain_install_brings_of_azures_clients_the_one_that_writes_rows() -> None:
    """The others are many, and large."""
    assert [name for name in wanted() if name.startswith("azure")] == ["azure-monitor-ingestion"]


def test_what_is_tested_is_what_is_deployed() -> None:
    """Both locks have the same versions of what both have, and the developers' has all of it."""
    deployed, developed = pins("requirements.txt"), pins("requirements-dev.txt")
    assert deployed.items() <= developed.items()


def test_the_hooks_of_azd_read_rules_with_the_versions_that_run_in_azure() -> None:
    """And install nothing on a Python that is too old, so that their own words are what somebody sees of it."""
    assert pins(HOOKS)
    assert pins(HOOKS).items() <= pins("requirements.txt").items()
    lines = [line for line in (ROOT / HOOKS).read_text().splitlines() if PIN.match(line)]
    assert all(line.endswith(" ; python_full_version >= '3.13' \\") for line in lines)


def test_what_only_developers_need_is_not_deployed() -> None:
    """A test runner in the package only makes cold starts longer."""
    assert not pins("requirements.txt").keys() & {"pytest", "hypothesis", "mypy", "ruff", "trustme", "grpcio-tools"}


def test_what_installs_the_rest_is_locked_for_every_platform() -> None:
    """uv checks the hashes of all else, so it is one version itself, whose wheels for all systems are known."""
    assert pins("requirements-setup.txt").keys() == {"uv"}
    assert (ROOT / "requirements-setup.txt").read_text().count("--hash=sha256:") > 10


def test_nothing_is_installed_that_no_lock_holds() -> None:
    """Each installation of the Makefile asks for hashes, but for this project's own, which brings nothing with it."""
    installs = re.findall(r"pip install (.*)", (ROOT / "Makefile").read_text())
    assert len(installs) == 4
    for install in installs:
        assert "--require-hashes -r " in install or install == "--quiet --no-deps --editable ."


def test_make_lock_remakes_every_lock() -> None:
    """A lock that it forgot would stay behind for ever."""
    recipe = (ROOT / "Makefile").read_text().partition("\nlock:")[2].partition("\n\n")[0]
    assert set(re.findall(r"--output-file (\S+)", recipe)) == set(LOCKS)


def test_every_pin_is_hashed_and_no_registry_is_named() -> None:
    """What is installed is what was locked, wherever it comes from."""
    for name in LOCKS:
        text = (ROOT / name).read_text()
        assert "http://" not in text
        assert "https://" not in text
        blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)
        assert all("--hash=sha256:" in block for block in blocks if PIN.match(block))
