"""The house in which the command line's tests run."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.house import DIRECTORY, House, Transcript, furnish


@pytest.fixture
def house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> House:
    """A house with rules, and the shell standing in it; its state is a directory, or what `over_both` says."""
    furnish(tmp_path)
    monkeypatch.chdir(tmp_path)
    if getattr(request, "param", DIRECTORY) == DIRECTORY:
        return House(tmp_path, capsys)
    database: str = request.getfixturevalue("database")
    monkeypatch.setenv("ALERT_ROUTER_STATE", database)
    return House(tmp_path, capsys, database)


@pytest.fixture
def transcript(house: House, request: pytest.FixtureRequest) -> Iterator[Transcript]:
    """Says commands in the house; what they print is what is on file of this test."""
    test = re.sub(r"\[(directory|database)\]$", "", request.node.name)
    test = test.removeprefix("test_").replace("[", "-").rstrip("]")
    written = Transcript(house, f"{request.path.stem.removeprefix('test_')}/{test}")
    yield written
    written.compare()
