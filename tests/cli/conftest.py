"""The house in which the command line's tests run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.house import House, furnish


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> House:
    """A house with rules, and the shell standing in it."""
    furnish(tmp_path)
    monkeypatch.chdir(tmp_path)
    return House(tmp_path, capsys)
