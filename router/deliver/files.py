"""Lines to files."""

from __future__ import annotations

import os
from pathlib import Path

from router.domain.asks import AppendLines
from router.domain.errors import Unavailable


def append(ask: AppendLines) -> None:
    """Appends lines in one write and has them on disk before it returns; raises Unavailable naming the file."""
    path = Path(ask.path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(ask.lines)
            file.flush()
            os.fsync(file.fileno())
    except OSError as fault:
        raise Unavailable(f"{path}: cannot be written: {fault.strerror}") from fault
