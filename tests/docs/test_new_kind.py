"""CONTRIBUTING's recipe for a kind of destination, followed to the letter with the page's own example."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.destinations.goldens import CASES
from tests.docs.pages import ROOT, page, spans
from tests.waiting import PATIENCE

PAGE = page("docs/destinations.md")
EXAMPLE = page("docs/destinations/a-new-kind.md")
RECIPE = page("CONTRIBUTING.md").section("A kind of destination")
FILE = "router/destinations/chat.py"
GOLDEN = "tests/destinations/golden/chat/opened.json"

LINES = (
    "| [`chat`](destinations/chat.md) | `ticket` | `none` | 1 | the key at the end |",
    "| `chat` | a message | a message | a message | a message |",
    "| `chat` | message 2,000 characters |",
)
"""A line for each of the three tables, as the recipe asks."""

OWN_PAGE = """# Chat

| key | says | if absent |
|---|---|---|
| `url` | the room's address | a problem |
| `token` | the name of the app setting that holds its token | a problem |
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the house with the page's kind in it."""
    house = tmp_path_factory.mktemp("house")
    # What is compiled is copied too: else each process would compile it anew.
    unneeded = shutil.ignore_patterns("samples")
    for part in ("router", "alert_router_demo", "docs", "tests"):
        shutil.copytree(ROOT / part, house / part, ignore=unneeded)
    shutil.copy(ROOT / "pyproject.toml", house)
    (house / FILE).write_text(EXAMPLE.fence(FILE))
    for case in CASES:
        golden = (house / GOLDEN).with_name(f"{case.name}.json")
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(EXAMPLE.fence(GOLDEN))
    (house / "docs" / PAGE.path.name).write_text(_with_lines(PAGE.text))
    (house / "docs/destinations/chat.md").write_text(OWN_PAGE)
    return house


def _with_lines(text: str) -> str:
    """The page with a line for the kind in each of the first three tables, in the order of names."""
    start, head, rest = text.partition("## The kinds\n")
    parts = re.split(r"((?:^\|.*\n)+)", rest, maxsplit=len(LINES), flags=re.MULTILINE)
    for place, line in enumerate(LINES):
        first, rule, *rows = parts[2 * place + 1].splitlines()
        parts[2 * place + 1] = "\n".join([first, rule, *sorted([*rows, line], key=lambda row: spans(row)[0]), ""])
    return start + head + "".join(parts)


def test_the_recipe_asks_for_as_many_golden_files_as_there_are() -> None:
    """The number in both papers is that of the cases, and the example names each of them."""
    number = {8: "eight", 9: "nine", 10: "ten"}[len(CASES)]
    example = EXAMPLE.prose
    assert f"{number} golden files" in RECIPE
    assert f"{number} golden files" in example
    assert {case.name for case in CASES} <= set(spans(example))


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
    """Its golden files are written, and it passes the contract, is pure, and has all that the page's tests ask for, with
    nothing registered. The schema of policies offers it, and the linter and the formatter have nothing against it."""
    goldens, contract = "tests/destinations/test_goldens.py", "tests/destinations/test_contract.py"
    pytest_ = ("pytest", "-v", "-p", "no:cacheprovider")
    said = run_in(house, *pytest_, goldens, contract, "-k", "chat", GOLDENS="write")
    assert " passed" in said
    page, purity = "tests/docs/test_destinations_page.py", "tests/test_architecture.py"
    asked = "chat or every_kind or keys or limits or pure_rooms_have_no_clock"
    again = run_in(house, *pytest_, goldens, page, purity, "-k", asked)
    assert all(f"{file}::" in again for file in (goldens, page, purity))
    assert '"const": "chat"' in run_in(house, "router", "rules", "schema", "policy")
    run_in(house, "ruff", "check", "--no-cache", FILE)
    run_in(house, "ruff", "format", "--check", "--no-cache", FILE)
