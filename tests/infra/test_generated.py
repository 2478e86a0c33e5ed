"""What Bicep reads of the program is what the program says."""

from __future__ import annotations

import shutil
from pathlib import Path

from infra.check import generated
from infra.generate import documents
from tests.infra.variants import INFRA


def test_what_is_generated_is_not_stale() -> None:
    """`make infra` after a change to a row, and commit what it writes."""
    assert list(generated(INFRA)) == []


def test_what_is_stale_is_named(tmp_path: Path) -> None:
    """Each file that says something else, or is not there."""
    infra = shutil.copytree(INFRA / "generated", tmp_path / "generated").parent
    (infra / "generated" / "log-streams.json").write_text("{}\n")
    (infra / "generated" / "log-tables.json").unlink()
    assert {line.partition(":")[0] for line in generated(infra)} == {f"infra/generated/{name}" for name in documents()}
