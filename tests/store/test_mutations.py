"""Each rule of a delivery's lifecycle, broken once, is noticed by the tests of the outbox, which has no rules of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.leash import leashed
from tests.store.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).parents[2]
CONTRACT = ("tests/store/test_outbox.py", "tests/store/test_outbox_rules.py", "tests/store/test_notes.py")
"""What is promised of the outbox."""

FAILED = 1
"""What pytest exits with where tests failed."""


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the house, in which rules may be broken."""
    scratch = tmp_path_factory.mktemp("house")
    for part in ("router", "alert_router_demo", "tests"):
        shutil.copytree(ROOT / part, scratch / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", scratch)
    (scratch / ".venv").symlink_to(ROOT / ".venv")
    return scratch


def contract_in(scratch: Path) -> int:
    """How the tests in a copy end, over the engine whose statements cost less."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", "[sqlite", *CONTRACT]
    return subprocess.run(command, cwd=scratch, capture_output=True, check=False, preexec_fn=leashed).returncode


def source(mutation: Mutation) -> str:
    """The file whose rule a mutation breaks."""
    return (ROOT / "router" / f"{mutation.file}.py").read_text()


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.rule)
def test_each_mutation_breaks_a_rule_that_stands(mutation: Mutation) -> None:
    """Its text is there once; a rule that is written anew is broken anew here."""
    assert source(mutation).count(mutation.whole) == 1


@pytest.mark.soak
def test_the_contract_holds_in_a_copy(scratch: Path) -> None:
    """Else every mutation would seem to be noticed."""
    assert contract_in(scratch) == 0


@pytest.mark.soak
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.rule)
def test_a_rule_that_is_broken_is_noticed_through_the_outbox(scratch: Path, mutation: Mutation) -> None:
    """It does as the domain says, and nothing in it makes up for a rule that the domain has not."""
    whole = source(mutation)
    file = scratch / "router" / f"{mutation.file}.py"
    file.write_text(whole.replace(mutation.whole, mutation.broken))
    try:
        assert contract_in(scratch) == FAILED
    finally:
        file.write_text(whole)
