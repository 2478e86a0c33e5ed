"""`make infra-check` fails where checkov would have looked away."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.infra.variants import INFRA


def checked(tmp_path: Path, said: str, code: int) -> int:
    """What comes of a checkov that says something and ends with a code."""
    checkov = tmp_path / "checkov"
    checkov.write_text(f"#!/bin/sh\necho '{said}'\nexit {code}\n")
    checkov.chmod(0o755)
    return subprocess.run([str(INFRA / "check.sh"), str(checkov)], capture_output=True, check=False).returncode


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Passed checks: 9, Failed checks: 0, Skipped checks: 0, Parsing errors: 1", 0),
        ("Error parsing file network.bicep", 0),
        ("Failed to run check CKV_AZURE_189", 0),
        ("Check: CKV_AZURE_3: FAILED", 1),
    ],
)
def test_what_checkov_could_not_read_or_refused_fails(tmp_path: Path, said: str, code: int) -> None:
    """By itself it leaves a file out that it cannot parse, and ends as if all were well."""
    assert checked(tmp_path, said, code) == 1


def test_what_checkov_accepts_passes(tmp_path: Path) -> None:
    """Silence, or a count without a fault."""
    assert checked(tmp_path, "", 0) == 0
    assert checked(tmp_path, "Passed checks: 9, Failed checks: 0, Skipped checks: 8", 0) == 0


def test_every_check_that_is_skipped_says_why() -> None:
    """A skip without a reason is nobody's decision."""
    for path in INFRA.glob("*.bicep"):
        for line in path.read_text().splitlines():
            if "checkov:skip" in line:
                assert len(line.partition("checkov:skip=")[2].partition(": ")[2]) > 10, f"{path.name}: {line}"
