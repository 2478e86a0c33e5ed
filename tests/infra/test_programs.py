"""az and azd are called for the hooks."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from infra.programs import Answer, NoAnswer, answer_of, document_of


@pytest.fixture
def az(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an az can be put; nothing else is on the path but what a script needs."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return tmp_path / "az"


def says(az: Path, *lines: str) -> None:
    """Makes az do that."""
    az.write_text("\n".join(("#!/bin/sh", *lines, "")))
    az.chmod(0o755)


def test_what_it_answers_is_read(az: Path) -> None:
    """Warnings are no part of the answer, and silence is none."""
    says(az, "echo old >&2", """echo "[\\"$*\\"]" """)
    assert document_of("account", "show") == ["account show --output json"]
    says(az, "exit 0")
    assert document_of("rest") is None


def test_it_is_never_asked_anything_by_it(az: Path) -> None:
    """Where az would install an extension it finds nobody who says yes, and goes on."""
    says(az, "read answer || echo '\"nobody\"'")
    assert document_of("rest") == "nobody"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["echo >&2", "echo ' ERROR: no ' >&2", "exit 3"], "ERROR: no"),
        (["exit 3"], "it said nothing"),
        (["echo x"], "az graph query: it answered no JSON"),
    ],
)
def test_what_it_complains_of_is_one_line(az: Path, lines: list[str], why: str) -> None:
    """The first that is not empty."""
    says(az, *lines)
    with pytest.raises(NoAnswer, match=f"^{why}$"):
        document_of("graph", "query", "-q")


def test_one_that_hangs_is_ended(az: Path, tmp_path: Path) -> None:
    """Who deploys does not wait for ever."""
    os.mkfifo(tmp_path / "never")
    says(az, f"exec cat {tmp_path / 'never'}")
    with pytest.raises(NoAnswer, match=r"^az: no answer within 0 s$"):
        answer_of("az", "rest", limit=timedelta())


@pytest.mark.parametrize(
    ("error", "why"),
    [
        ("WARNING: Unable to encode\nERROR: Insufficient privileges\n", "ERROR: Insufficient privileges"),
        ("WARNING: This is a preview\n", "WARNING: This is a preview"),
        ("\n", "it said nothing"),
    ],
)
def test_a_warning_hides_no_error(error: str, why: str) -> None:
    """What az warns of comes before what it ends with."""
    assert Answer(1, "", error).why == why
