"""Lines to files."""

from __future__ import annotations

import os
from pathlib import Path

from router.domain.conversation import AppendLines
from router.domain.errors import Unavailable


def append(ask: AppendLines) -> None:
    """Appends lines in one write and has them on disk before it returns; raises Unavailable naming the file."""
    path = Path(ask.path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(b"\n" + ask.lines if _is_torn(path) else ask.lines)
            file.flush()
            if path.is_file():  # a device or a pipe has nothing to sync
                os.fsync(file.fileno())
    except OSError as fault:
        raise Unavailable(f"{path}: cannot be written: {fault.strerror or fault}") from fault


def _is_torn(path: Path) -> bool:
    """Whether the last line has no end, as a write leaves it that was cut off; no, where nobody can tell."""
    try:
        if not path.is_file() or path.stat().st_size == 0:
            return False
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:
        return False
