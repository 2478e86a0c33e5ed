"""Loopback hubs, a SOC and Defender, which all drills of a file share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drill.drilling import Drilling, Grounds, grounds_in


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    """The grounds of a file."""
    with grounds_in(tmp_path_factory.mktemp("drill")) as grounds:
        yield grounds


@pytest.fixture
def drill(grounds: Grounds, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Drilling:
    """Holds drills by the command line, with the settings of the router."""
    for name, value in grounds.environment().items():
        monkeypatch.setenv(name, value)
    return Drilling(capsys)
