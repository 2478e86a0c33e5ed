"""The copy of a state that is made before it is carried forward: whole and on disk before anything is changed."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from router.domain.errors import BadFile
from router.store.sqlite.private import open_private
from router.store.sqlite.watermark import sync_directory


class StateCopy:
    """The copy of a state of one version, beside it.

    It has another name until the state is carried forward: under its own one it is whole, and older than the state.

    Attributes:
        path: where it lies.
        unfinished: where it lies until the state is carried forward.
    """

    def __init__(self, database: Path, version: int) -> None:
        self._database = database
        self._version = version
        self.path = database.with_name(f"{database.name}.v{version}")
        self.unfinished = database.with_name(f"{self.path.name}.new")

    def make(self) -> None:
        """Copies the state as it was last committed. Raises BadFile where a copy lies there already, or has no room.

        What is there of one then is the caller's to discard.
        """
        if self.path.exists():
            raise BadFile(
                f"{self.path}: a copy of version {self._version} lies there already, and {self._database} is of that "
                f"version, too, so nothing is changed; move the copy elsewhere"
            )
        self.discard()
        try:
            os.close(open_private(self.unfinished))
            with closing(sqlite3.connect(self._database)) as source, closing(sqlite3.connect(self.unfinished)) as copy:
                # Whoever finds it unfinished begins anew, so it needs no journal, and is put on disk once.
                copy.execute("PRAGMA journal_mode=OFF")
                copy.execute("PRAGMA synchronous=OFF")
                source.backup(copy)
            _sync(self.unfinished)
            sync_directory(self.unfinished.parent)
        except (sqlite3.Error, OSError) as fault:
            why = fault.strerror if isinstance(fault, OSError) else fault
            raise BadFile(
                f"{self.path}: the state cannot be copied there before it is carried forward: {why}; "
                f"nothing is changed; make room for three times what {self._database} takes"
            ) from fault

    def discard(self) -> None:
        """Takes away what is there of a copy that was not finished; raises OSError."""
        self.unfinished.unlink(missing_ok=True)

    def finish(self) -> None:
        """Gives the copy its own name; raises OSError."""
        if self.unfinished.exists() and not self.path.exists():
            self.unfinished.rename(self.path)
            sync_directory(self.path.parent)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
