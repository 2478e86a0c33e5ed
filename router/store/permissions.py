"""The files of a state that only its owner can read, whatever the umask, and the witness beside the database.

The witness is a small file that names the last commit, by which lost commits are noticed. It is written after the commit, so
a sound database is never behind it. One of its halves, which are written in turn, is whole whenever the power fails.
"""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from pathlib import Path
from struct import unpack_from

from router.domain.errors import BadFile

REMEDY = "name another directory with --state"

FILES = (
    "router.db", "router.db-wal", "router.db-shm", "router.db-journal", "router.lock", "router.commit",
)  # fmt: skip


def holds_state(directory: Path) -> bool:
    """Return whether a directory holds a state, or what is left of one."""
    return any((directory / name).exists() for name in ("router.db", "router.commit"))


def make_private(directory: Path) -> None:
    """Make a state's directory where it is missing, and take away what others may do there; raises BadFile.

    A directory is narrowed if it is the state's alone. One that is shared stays as it is, and the state's files in it are
    narrowed; no state is begun in one where all may write.
    """
    try:
        directory.mkdir(mode=0o700, parents=True)
        directory.chmod(0o700)  # a umask may have taken away too much
    except FileExistsError as fault:
        if not directory.is_dir():
            raise BadFile(f"{directory}: is a file, so it cannot hold the state; {REMEDY}") from fault
    except OSError as fault:
        raise BadFile(f"{directory}: cannot hold the state: {fault.strerror}; {REMEDY}") from fault
    try:
        if _is_open_to_others(directory):
            _narrow(directory)
        for file in (directory / name for name in FILES):
            if file.is_file() and _is_open_to_others(file):
                file.chmod(0o600)
    except OSError as fault:
        where = fault.filename or directory
        raise BadFile(f"{where}: others may read it, and that cannot be changed: {fault.strerror}; {REMEDY}") from fault


def refuse_unreadable(directory: Path) -> None:
    """Raise BadFile for a file of a state that this user may not read, such as a copy that root put there."""
    for file in (directory / name for name in FILES):
        if file.exists() and not os.access(file, os.R_OK, effective_ids=True):
            raise BadFile(f"{file}: this user may not read it; give it to them with chown, or {REMEDY}")


def open_private(path: Path, flags: int = 0) -> int:
    """Open a file that only its owner can read, made where it is missing; raises OSError."""
    is_new = not path.exists()
    file = os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600)
    if is_new:
        os.fchmod(file, 0o600)  # a umask may have taken away too much
        if os.geteuid() == 0:  # the owner of the state must be able to use what root makes there
            owner = path.parent.stat()
            os.fchown(file, owner.st_uid, owner.st_gid)
    return file


def rename_on_disk(path: Path, name: Path) -> None:
    """Give a file its name, and put on disk which files are in the directory; raises OSError."""
    path.replace(name)
    directory = os.open(name.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _narrow(directory: Path) -> None:
    if _is_its_own(directory):
        directory.chmod(0o700)
    elif directory.stat().st_mode & stat.S_IWOTH and not (directory / "router.db").exists():
        raise BadFile(
            f"{directory}: anybody may write there, so no state is begun in it; "
            f"name a directory of its own with --state, such as {directory / 'alert-router'}"
        )


def _is_its_own(directory: Path) -> bool:
    """Whether nothing but a state of this user is there, so that it can be closed to others."""
    here, us = Path.cwd(), os.geteuid()
    return (
        directory.resolve() not in (here, *here.parents)
        and directory.stat().st_uid == us
        and all(_is_of_state(one, us) for one in directory.iterdir())
    )


def _is_of_state(path: Path, owner: int) -> bool:
    """Whether it is a file of the owner's, or a directory that holds a state, such as the demo's."""
    found = path.stat(follow_symlinks=False)
    return found.st_uid == owner and (not stat.S_ISDIR(found.st_mode) or (path / "router.db").exists())


def _is_open_to_others(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


SECTOR = 512
"""Bytes that a disk writes whole or not at all."""
_LINE = re.compile(rb"commit (\d{20}) \1 *\n")
# Where SQLite takes its locks, and no page lies; bytes of the headers of a log and of each page in it.
# https://www.sqlite.org/fileformat.html
_LOCKED, _LOG, _FRAME = 1 << 30, 32, 24


class Witness:
    """Names the last commit of a database; raises OSError."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name("router.commit")
        self._database = database
        self._file: int | None = None
        self.open()

    def open(self) -> None:
        """Open it where it is there; each write is on disk when it returns."""
        if self._file is None and self.path.exists():
            self._file = os.open(self.path, os.O_RDWR | os.O_DSYNC)

    def find(self) -> int | None:
        """Return the commit that it names; None where there is no witness. Ask it before the database: another may commit."""
        if self._file is None:
            return None
        found = (_LINE.fullmatch(os.pread(self._file, SECTOR, at)) for at in (0, SECTOR))
        named = max((int(one[1]) for one in found if one is not None), default=None)
        if named is None:
            raise self.damaged(f"{self.path} should name its last commit and does not")
        # SQLite takes an empty database for a new one, and deletes the log beside it.
        if not (is_there := self._database.exists()) or self._database.stat().st_size == 0:
            raise self.damaged(f"it is {'empty' if is_there else 'missing'}, and {self.path} names commit {named}")
        return named

    def write(self, number: int) -> None:
        """Name a commit. A witness is made where it is missing, whole before it can be found."""
        half = (b"commit %020d %020d" % (number, number)).ljust(SECTOR - 1) + b"\n"
        if self._file is not None:
            os.pwrite(self._file, half, number % 2 * SECTOR)
            return
        unfinished = self.path.with_name(f"{self.path.name}.new")
        self._file = open_private(unfinished, os.O_DSYNC)
        os.pwrite(self._file, half * 2, 0)
        rename_on_disk(unfinished, self.path)

    def refuse_lossy(self, db: sqlite3.Connection, number: int | None, named: int) -> None:
        """Raise BadFile where a database, at that commit, lost later ones or pages; to be asked inside a transaction."""
        # A number that cannot be read was edited: what lost commits has an older one.
        if number is not None and number < named:
            raise self.damaged(f"it ends with commit {number}, and {self.path} names commit {named}")
        if not _has_all_pages(db, self._database):
            raise self.damaged("its file is shorter than what it should hold")

    def damaged(self, why: str) -> BadFile:
        """Return the error for a damaged database: why it is damaged, and how a person goes on."""
        name, delete = self._database.name, f"; then delete {self.path}" if self.path.exists() else ""
        go_on = f"move {name}, {name}-wal and {name}-shm away, and put a copy there as {name} unless you begin anew"
        return BadFile(f"{self._database}: is damaged: {why}; {go_on}{delete}")

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _has_all_pages(db: sqlite3.Connection, path: Path) -> bool:
    """Whether each page is in the file or in the log; SQLite looks at the file's length only where there is no log."""
    size, count = (int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_size", "page_count"))
    log, there = path.with_name(f"{path.name}-wal"), path.stat().st_size // size
    frames = log.read_bytes() if there < count and log.exists() else b""
    begun, logged = set[int](), set[int]()
    for at in range(_LOG, len(frames) - _FRAME + 1, _FRAME + size):
        page, is_commit, salt = unpack_from(">II8s", frames, at)
        if salt != frames[16:24]:
            break
        begun.add(page)
        logged |= begun if is_commit else set()
    return count - there <= len(logged) + 1 and set(range(there + 1, count + 1)) - logged <= {_LOCKED // size + 1}
