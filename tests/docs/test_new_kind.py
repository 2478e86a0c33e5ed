"""A kind of destination is one file and its golden files: the page's own example, in a house where nothing else changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.destinations.goldens import CASES
from tests.docs.pages import ROOT, page
from tests.waiting import PATIENCE

PAGE = page("docs/destinations.md")
FILE = "router/destinations/chat.py"
GOLDEN = "tests/destinations/golden/chat/opened.json"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the house with the page's kind in it."""
    house = tmp_path_factory.mktemp("house")
    unneeded = shutil.ignore_patterns("__pycache__", "samples", "docs")
    for part in ("router", "alert_router_demo", "tests"):
        shutil.copytree(ROOT / part, house / part, ignore=unneeded)
    shutil.copy(ROOT / "pyproject.toml", house)
    (house / FILE).write_text(PAGE.fence(FILE))
    for case in CASES:
        golden = (house / GOLDEN).with_name(f"{case.name}.json")
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(PAGE.fence(GOLDEN))
    return house


def run_in(house: Path, *arguments: str, **environment: str) -> str:
    """What a Python module says, run in the copied house; fails where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=house,
        env={**os.environ, "PYTHONPATH": str(house), **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_new_kind_keeps_the_contract_by_being_there(house: Path) -> None:
    """The example's golden files are written, and it passes the contract and the purity test, with nothing registered."""
    goldens, contract = "tests/destinations/test_goldens.py", "tests/destinations/test_contract.py"
    pytest_ = ("pytest", "-q", "-p", "no:cacheprovider")
    said = run_in(house, *pytest_, goldens, contract, "-k", "chat", GOLDENS="write")
    assert " passed" in said
    again = run_in(house, *pytest_, goldens, "-k", "chat")
    assert f"{len(CASES)} passed" in again
    run_in(house, *pytest_, "tests/test_architecture.py", "-k", "destinations")


def test_a_new_kind_is_known_to_policies_at_once(house: Path) -> None:
    """The schema of policies offers the example's kind."""
    assert '"const": "chat"' in run_in(house, "router", "rules", "schema", "policy")


def test_the_example_is_written_as_the_house_is(house: Path) -> None:
    """The example passes the linter and the formatter."""
    run_in(house, "ruff", "check", "--no-cache", FILE)
    run_in(house, "ruff", "format", "--check", "--no-cache", FILE)
