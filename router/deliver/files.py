"""Lines to files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from router.domain.asks import AppendLines
from router.domain.errors import Unavailable


def append(ask: AppendLines) -> None:
    """Appends lines in one write and has them on disk before it returns; raises Unavailable naming the file."""
    path = Path(ask.path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            file.write(b"\n" + ask.lines if _is_torn(file) else ask.lines)
            file.flush()
            if path.is_file():  # a device or a pipe has nothing to sync
                os.fsync(file.fileno())
    except OSError as fault:
        raise Unavailable(f"{path}: cannot be written: {fault.strerror}") from fault


def _is_torn(file: BinaryIO) -> bool:
    """Whether the last line has no end, as a write leaves it that was cut off."""
    if not file.seekable() or file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"
