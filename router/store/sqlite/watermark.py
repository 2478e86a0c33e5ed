"""The small file beside the database that names its last commit, so that a database that lost commits is recognised.

It is written after the commit that it names: a sound database is never behind it. It holds two copies, each within a disk
sector of its own, which are written in turn, so that one of them is whole whenever the power fails.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from zlib import crc32

from router.store.sqlite.private import open_private

SECTOR = 512
"""Bytes of a copy: a disk writes them whole or not at all."""

_CLOSED = -1
_TEXT = re.compile(rb"commit (\d{20}) ([0-9a-f]{8})\s*")


def text_of(number: int) -> bytes:
    """A commit's number as it is written, with a checksum by which what somebody else wrote there is recognised."""
    digits = b"%020d" % number
    return b"commit %s %08x" % (digits, crc32(digits))


def find_number(text: object) -> int | None:
    """The number in a text that `text_of` made; None for anything else."""
    found = _TEXT.fullmatch(text) if isinstance(text, bytes) else None
    return int(found[1]) if found is not None and crc32(found[1]) == int(found[2], 16) else None


class Watermark:
    """The number of the last commit, in a file.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _CLOSED

    def open(self) -> bool:
        """Opens the file; False where there is none. Raises OSError."""
        if self._file == _CLOSED and self.path.exists():
            # Each write is on disk when it returns.
            self._file = os.open(self.path, os.O_RDWR | os.O_DSYNC)
        return self._file != _CLOSED

    def read(self) -> int | None:
        """The number of the last commit; None where the open file names none. Raises OSError."""
        copies = os.pread(self._file, 2 * SECTOR, 0)
        return max(filter(None, (find_number(copies[:SECTOR]), find_number(copies[SECTOR:]))), default=None)

    def write(self, number: int) -> None:
        """Names a commit, on disk when it returns; raises OSError."""
        os.pwrite(self._file, _copy_of(number), number % 2 * SECTOR)

    def create(self, number: int) -> None:
        """Makes the file, whole and on disk before it can be found, and opens it; raises OSError."""
        unfinished = self.path.with_name(f"{self.path.name}.new")
        unfinished.unlink(missing_ok=True)
        file = open_private(unfinished)
        try:
            os.write(file, 2 * _copy_of(number))
            os.fsync(file)
        finally:
            os.close(file)
        unfinished.replace(self.path)
        sync_directory(self.path.parent)
        self.open()

    def close(self) -> None:
        """Closes the file."""
        if self._file != _CLOSED:
            os.close(self._file)
            self._file = _CLOSED


def _copy_of(number: int) -> bytes:
    return text_of(number).ljust(SECTOR - 1) + b"\n"


def sync_directory(directory: Path) -> None:
    """Puts on disk which files are in a directory; raises OSError."""
    file = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
