"""A state as it is: opened so that nothing of it changes, and beside a run that is at work on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from router.domain.errors import BadFile
from router.store.sqlite.damage import damaged, find_named, is_corrupt, is_malformed, refuse_lossy, refuse_other_form
from router.store.sqlite.selecting import text_in
from router.store.sqlite.watermark import Watermark


class Unchanged:
    """A database that is read in one transaction.

    Attributes:
        path: its file.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self._db = db

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection for look-ups."""
        yield self._db

    writing = reading
    """The same: the database refuses what would change it."""

    def close(self) -> None:
        """Does nothing: who opened it closes it."""


@contextmanager
def opened_unchanged(path: Path) -> Iterator[Unchanged]:
    """A database in one transaction, in which nothing can be written.

    Raises BadFile where it cannot be opened, is damaged, or of another version. One that is new holds no tables.
    """
    mark = Watermark(path.with_name("router.commit"))
    with closing(mark):
        named = find_named(path, mark)
        log = path.with_name(f"{path.name}-wal")
        is_logged = log.exists() and log.stat().st_size > 0
        try:
            with closing(
                sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None, timeout=30)
            ) as db:
                # To close it would put the log that a killed run left into the file. Where there is none, it removes its own.
                db.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, is_logged)
                db.text_factory = text_in
                db.execute("PRAGMA query_only=ON")
                refuse_other_form(db, path)
                db.execute("BEGIN")
                if named is not None:
                    refuse_lossy(db, path, mark, named)
                yield Unchanged(path, db)
        except sqlite3.Error as fault:
            if is_malformed(fault) or is_corrupt(fault):
                raise damaged(path, str(fault), mark) from fault
            raise BadFile(f"{path}: cannot be read: {fault}") from fault
        except OSError as fault:
            raise BadFile(f"{path}: cannot be read: {fault.strerror}") from fault
