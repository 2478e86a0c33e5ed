"""What is installed is what a lock says, pinned and hashed: in Azure, in the image, for a developer, and what installs all."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOOKS = "infra/hooks/requirements.txt"
LOCKS = (
    *("requirements.txt", "requirements-serve.txt", "requirements-dev.txt"),
    *("requirements-setup.txt", "requirements-build.txt", "infra/requirements-check.txt", HOOKS),
)
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)(\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    """The packages of a lock and their versions."""
    return {found[1]: found[3] for found in PIN.finditer((ROOT / name).read_text())}


def wanted(*extras: str) -> set[str]:
    """The packages that pyproject.toml asks for at run time, and for some extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    return {re.split(r"[\[<>=!~; ]", one, maxsplit=1)[0].lower() for one in asked}


def test_what_runs_in_azure_and_in_the_image_is_what_is_asked_for_and_tested() -> None:
    """A dependency that was added without remaking the locks would be missing in Azure; the developers' lock has
    all of the other's. A test runner slows cold starts. Of Azure's clients a plain install brings the one that writes rows."""
    deployed, served, developed = map(pins, ("requirements.txt", "requirements-serve.txt", "requirements-dev.txt"))
    assert wanted("azure") <= deployed.keys() and wanted("serve") <= served.keys()
    assert deployed.items() | served.items() <= developed.items()
    assert not (deployed | served).keys() & {"pytest", "hypothesis", "mypy", "ruff", "trustme", "grpcio-tools"}
    assert [name for name in wanted() if name.startswith("azure")] == ["azure-monitor-ingestion"]


def test_the_hooks_of_azd_read_rules_with_the_versions_that_run_in_azure() -> None:
    """And install nothing on a Python that is too old, so that their own words are what is seen of it."""
    assert pins(HOOKS)
    assert pins(HOOKS).items() <= pins("requirements.txt").items()
    lines = [line for line in (ROOT / HOOKS).read_text().splitlines() if PIN.match(line)]
    assert all(line.endswith(" ; python_full_version >= '3.13' \\") for line in lines)


def test_nothing_is_installed_that_no_lock_holds() -> None:
    """Each installation of the Makefile asks for hashes, but for this project's own. uv, which checks them, is one version
    itself, whose wheels for all systems are known. A lock that `make lock` forgot would stay behind for ever."""
    makefile = (ROOT / "Makefile").read_text()
    installs = re.findall(r"pip install (.*)", makefile)
    assert len(installs) == 4
    assert all("--require-hashes -r " in one or one == "--quiet --no-deps --editable ." for one in installs)
    assert pins("requirements-setup.txt").keys() == {"uv"}
    assert (ROOT / "requirements-setup.txt").read_text().count("--hash=sha256:") > 10
    recipe = makefile.partition("\nlock:")[2].partition("\n\n")[0]
    assert set(re.findall(r"--output-file (\S+)", recipe)) == set(LOCKS)


def test_every_pin_is_hashed_and_no_registry_is_named() -> None:
    """What is installed is what was locked, wherever it comes from."""
    for name in LOCKS:
        text = (ROOT / name).read_text()
        assert not re.search("https?://", text)
        blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)
        assert all("--hash=sha256:" in block for block in blocks if PIN.match(block))
