"""A state that only its owner can read, whatever the umask."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from router.domain.errors import BadFile

REMEDY = "name another directory with --state"

FILES = (
    "router.db", "router.db-wal", "router.db-shm", "router.db-journal", "router.lock", "router.commit",
)  # fmt: skip
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def holds_state(directory: Path) -> bool:
    """Return whether a directory holds a state, or what is left of one."""
    return any((directory / name).exists() for name in ("router.db", "router.commit"))


def make_private(directory: Path) -> None:
    """Makes a state's directory where it is missing, and takes away what others may do there; raises BadFile.

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


def open_private(path: Path, flags: int = 0) -> int:
    """A file beside or of the database that only its owner can read, made where it is missing; raises OSError."""
    is_new = not path.exists()
    file = os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600)
    if is_new:
        os.fchmod(file, 0o600)  # a umask may have taken away too much
        if os.geteuid() == 0:  # the owner of the state must be able to use what root makes there
            owner = path.parent.stat()
            os.fchown(file, owner.st_uid, owner.st_gid)
    return file


def sync_directory(directory: Path) -> None:
    """Puts on disk which files are in a directory; raises OSError."""
    file = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


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
    return bool(path.stat().st_mode & _OTHERS)
