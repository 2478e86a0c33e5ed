"""Whether a database is whole, as far as that can be found at a cost that does not grow with it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from struct import unpack_from

from router.domain.errors import BadFile
from router.store.sqlite.schema import VERSION
from router.store.sqlite.watermark import Watermark, find_number

_MALFORMED = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""An error in our own statements is the file's, too: a header of an unsupported format, a table that is another one."""
_LOCK_BYTE = 1 << 30
"""Where SQLite takes its locks: the page there holds nothing. https://www.sqlite.org/fileformat.html#the_lock_byte_page"""

_WAL_HEADER, _FRAME_HEADER = 32, 24
"""Bytes. https://www.sqlite.org/fileformat.html#the_write_ahead_log"""


def damaged(path: Path, why: str, mark: Watermark) -> BadFile:
    """The error for a damaged database: why it is damaged, and how a person goes on."""
    files = f"{path.name}, {path.name}-wal and {path.name}-shm"
    go_on = f"move {files} away, and put a copy there as {path.name} unless you begin anew"
    delete = f"; then delete {mark.path}" if mark.path.exists() else ""
    return BadFile(f"{path}: is damaged: {why}; {go_on}{delete}")


def refuse_other_form(db: sqlite3.Connection, path: Path) -> None:
    """Raises BadFile where a state has another form than this program gives it."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version == VERSION or (version == 0 and not db.execute("SELECT 1 FROM sqlite_schema").fetchone()):
        return
    raise BadFile(
        f"{path.parent}: holds state of version {version}, and this program reads version {VERSION} alone; "
        "name another directory with --state, or use the program that wrote it"
    )


def is_malformed(fault: sqlite3.Error) -> bool:
    """Whether SQLite found the file itself at fault."""
    return getattr(fault, "sqlite_errorcode", 0) & 0xFF in _MALFORMED


def is_corrupt(fault: sqlite3.Error) -> bool:
    """Whether SQLite came upon damage of the file itself while it was at work."""
    return getattr(fault, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def find_named(path: Path, mark: Watermark) -> int | None:
    """The last commit that the small file names, None where there is no such file; raises BadFile for what nobody need open.

    To be asked before the database is: a worker may commit in between.
    """
    try:
        if not mark.open():
            return None
        named = mark.read()
    except OSError as fault:
        raise BadFile(f"{mark.path}: cannot be read: {fault.strerror}; it names the last commit in {path}") from fault
    if named is None:
        raise damaged(path, f"{mark.path} should name its last commit and does not", mark)
    # SQLite takes an empty database for a new one, and deletes the log beside it.
    if not path.exists() or path.stat().st_size == 0:
        raise damaged(
            path, f"it is {'empty' if path.exists() else 'missing'}, and {mark.path} names commit {named}", mark
        )
    return named


def refuse_lossy(db: sqlite3.Connection, path: Path, mark: Watermark, named: int) -> None:
    """Raises BadFile where a database lost commits up to that one, or pages; to be asked inside a transaction."""
    counts = db.execute("SELECT 1 FROM sqlite_schema WHERE name='commits'").fetchone() is not None
    number = find_commit(db) if counts else 0
    # A number that nobody can read is somebody's edit: what lost commits has an older one.
    if number is not None and number < named:
        raise damaged(path, f"it ends with commit {number}, and {mark.path} names commit {named}", mark)
    if not has_all_pages(db, path):
        raise damaged(path, "its file is shorter than what it should hold", mark)


def find_commit(db: sqlite3.Connection) -> int | None:
    """The number of the last commit; None where the table holds none that can be read."""
    found = [find_number(text) for (text,) in db.execute("SELECT number FROM commits")]
    return max((number for number in found if number is not None), default=None)


def has_all_pages(db: sqlite3.Connection, path: Path) -> bool:
    """Whether each page of the database is in its file or in the log; to be asked inside a transaction.

    SQLite looks at the length of the file only where there is no log.
    """
    size = int(db.execute("PRAGMA page_size").fetchone()[0])
    count = int(db.execute("PRAGMA page_count").fetchone()[0])
    there = path.stat().st_size // size
    if there >= count:
        return True
    logged = set(_pages_in(path.with_name(f"{path.name}-wal"), size))
    lacking = count - there - len(logged)
    return lacking <= 1 and set(range(there + 1, count + 1)) - logged <= {_LOCK_BYTE // size + 1}


def _pages_in(log: Path, size: int) -> Iterator[int]:
    """The pages of what was committed to a log."""
    if not log.exists():
        return
    with log.open("rb") as file:
        salt = file.read(_WAL_HEADER)[16:24]
        begun: list[int] = []
        while len(head := file.read(_FRAME_HEADER)) == _FRAME_HEADER and head[8:16] == salt:
            page, commit = unpack_from(">II", head)
            begun.append(page)
            if commit:
                yield from begun
                begun.clear()
            file.seek(size, os.SEEK_CUR)


def problems_in(db: sqlite3.Connection) -> list[str]:
    """What is wrong with the whole file, which is read from end to end; a row's values are no matter of the file's."""
    found = [str(line) for (line,) in db.execute("PRAGMA quick_check")]
    return [line for line in found if line != "ok" and " value in " not in line]
