"""The guard over what tests notice, in a small house that is a repository of its own."""

import subprocess
from pathlib import Path

import pytest

from tests.mutations.__main__ import main
from tests.mutations.breaks import choose, find_counterpart, sources_in

BELL = '''
def bell(rings: int) -> int:
    """How often it rings."""
    return rings + 1
'''
HOUSE = {
    "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "--import-mode=importlib -p no:hypothesispytest -p no:anyio"\n',
    ".gitignore": ".state/\n__pycache__/\n",
    "router/__init__.py": "",
    "router/doors.py": f"OPENING = 8\n\n\ndef is_open(hour):\n    return hour >= OPENING\n{BELL}",
    "tests/test_bell.py": """
import pytest
from router.doors import bell

@pytest.fixture(scope="module")
def rung():
    return bell(1)

def test_it_rings(rung):
    pass

def test_it_rings_twice(rung):
    assert rung == 2
""",
}
"""A bell, which one test of two that share it looks at, and a door that nothing opens."""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A checkout of the small house."""
    write(tmp_path / "house", HOUSE)
    git(tmp_path / "house", "init", "--quiet")
    git(tmp_path / "house", "add", "--all")
    git(tmp_path / "house", "commit", "--quiet", "--message", "house")
    return tmp_path / "house"


def write(checkout: Path, files: dict[str, str]) -> None:
    """Writes files of a checkout."""
    for name, text in files.items():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(text)


def git(checkout: Path, *words: str) -> None:
    """Runs git, as a person with a name."""
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@contoso.example", *words], cwd=checkout, check=True)


def test_a_break_that_is_noticed_no_longer_is_named(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where its function has moved since, and nothing is committed; what no test reaches stands apart."""
    weak = HOUSE["tests/test_bell.py"].replace("doors", "bells").replace("assert rung == 2", "pass")
    now = {
        "router/doors.py": HOUSE["router/doors.py"].replace(BELL, ""),
        "router/bells.py": BELL,
        "tests/test_bell.py": weak,
    }
    write(house, now)
    assert main(["--against", "HEAD", "--jobs", "1"], house) == 1
    said = capsys.readouterr().out
    assert "3 breaks at HEAD: 1 noticed there, 2 not\nof those noticed there 0 are noticed here, 1 no longer" in said
    assert "router/bells.py:4 bell: " in said
    assert "(2 tests passed; 2 reach it; there by tests/test_bell.py::test_it_rings_twice)" in said
    assert main(["--jobs", "1"], house) == 0
    said = capsys.readouterr().out
    assert "3 breaks: 0 noticed, 1 not noticed, 2 not reached by any test" in said
    assert said.index("not noticed:") < said.index("bell: ") < said.index("not reached:") < said.index("is_open: ")
    assert {name: (house / name).read_text() for name in now} == now


def test_a_break_is_found_where_its_code_is_now(tmp_path: Path) -> None:
    """By function, kind and statement; of several functions of one name it is that whose module is called as before."""
    old, new = tmp_path / "old", tmp_path / "new"
    rule = "def judge(age):\n    return {} < age\n"
    write(
        old, {"router/plans.py": rule.format("LIMIT"), "router/tags.py": rule.format("5 + 1"), "router/gone.py": BELL}
    )
    write(
        new, {"router/a/plans.py": rule.format("LIMITS"), "router/a/labels.py": "# Moved.\n\n" + rule.format("5 + 1")}
    )
    breaks = choose(sources_in(old), seed=1, count=9, only="router/")
    found = {one.statement.file: find_counterpart(one, sources_in(new)) for one in breaks}
    assert {file: other and str(other).partition(" ")[0] for file, other in found.items()} == {
        "router/plans.py": "router/a/plans.py:2",
        "router/tags.py": "router/a/labels.py:4",
        "router/gone.py": None,
    }
