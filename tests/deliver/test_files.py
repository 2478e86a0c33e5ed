"""How lines are appended to a file."""

from __future__ import annotations

from pathlib import Path

from router.deliver.files import append
from router.domain.conversation import AppendLines


def test_a_line_that_was_cut_off_is_not_continued(tmp_path: Path) -> None:
    """After a torn write the next lines begin on a line of their own."""
    path = tmp_path / "out.ndjson"
    path.write_bytes(b'{"half":')
    append(AppendLines(path=str(path), lines=b"{}\n"))
    append(AppendLines(path=str(path), lines=b"{}\n"))
    assert path.read_bytes() == b'{"half":\n{}\n{}\n'


def test_a_device_is_written_without_being_synced() -> None:
    """`/dev/null` and its like cannot be synced, and need not be."""
    append(AppendLines(path="/dev/null", lines=b"{}\n"))
