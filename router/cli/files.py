"""Files of messages: opened and known by their digest first, then read one message after the other."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import BinaryIO

from router.accept import split
from router.cli.tables import has_header, rows_in
from router.domain.errors import BadFile
from router.domain.ledger import Arrival
from router.readings import Message

STDIN = "-"

_LINES = (".ndjson", ".jsonl")
_BOM = b"\xef\xbb\xbf"

type Numbered = tuple[int, bytes]
"""A body, and the line that it starts on."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that can be read: its name as it was given, its suffix, its digest and its size in bytes."""

    name: str
    suffix: str
    digest: str
    size: int
    reopen: Callable[[], BinaryIO]

    def messages(self) -> Iterator[Message]:
        """Its messages in their order; raises BadFile where it cannot be read any more.

        Lines and rows are read as they are asked for; a file that is told by its content is read whole.
        """
        try:
            with self.reopen() as file:
                yield from self._messages_in(file)
        except OSError as fault:
            raise _unreadable(self.name, fault) from fault

    def _messages_in(self, file: BinaryIO) -> Iterator[Message]:
        if self.suffix in _LINES:
            return self._numbered(lines_in(file))
        if self.suffix == ".csv":
            # The same bytes read as another form are other messages.
            return replace(self, digest=f"csv-{self.digest}")._numbered(rows_in(file))
        return self._told_by_content(file.read())

    def _numbered(self, bodies: Iterator[Numbered]) -> Iterator[Message]:
        return (self._message(body, f"{self.name}:{line}", line) for line, body in bodies)

    def _told_by_content(self, text: bytes) -> Iterator[Message]:
        bodies = split(text)
        if bodies is None:
            return self._numbered(lines_in(text.split(b"\n")))
        if bodies == (text,):
            return iter([self._message(text, self.name, 1)])
        return (self._message(body, f"{self.name}:{place}", place) for place, body in enumerate(bodies, 1))

    def _message(self, body: bytes, source: str, place: int) -> Message:
        return Message(body, source, Arrival(self.digest, place))


def lines_in(file: BinaryIO | Sequence[bytes]) -> Iterator[Numbered]:
    """The lines that hold anything, each with its number; a line ends at a line feed and nowhere else."""
    for number, line in enumerate(file, 1):
        body = line.removeprefix(_BOM) if number == 1 else line
        if body.strip():
            yield number, body.rstrip(b"\r\n")


@contextmanager
def open_files(names: Sequence[str]) -> Iterator[list[File]]:
    """Every file named, digested, so that one that cannot be read stops all before anything is taken in.

    Raises BadFile. What can be read only once, such as standard input, is copied to a temporary file, which goes when
    the context ends.
    """
    with ExitStack() as copies:
        yield [_open(name, copies) for name in names]


def _open(name: str, copies: ExitStack) -> File:
    path = Path(name)
    suffix = path.suffix.lower()
    try:
        if name == STDIN:
            return _copied(name, suffix, sys.stdin.buffer, copies)
        if path.is_dir():
            raise BadFile(f"{_printable(name)}: is a directory; name the files in it")
        with path.open("rb") as file:
            if path.is_file():
                return _known(name, suffix, file, lambda: path.open("rb"))
            return _copied(name, suffix, file, copies)
    except (OSError, ValueError) as fault:  # ValueError: a name with a NUL in it
        raise _unreadable(name, fault) from fault


def _copied(name: str, suffix: str, file: BinaryIO, copies: ExitStack) -> File:
    copy = copies.enter_context(TemporaryFile())  # noqa: SIM115  The stack closes it.
    copyfileobj(file, copy)
    copy.seek(0)
    return _known(name, suffix, copy, lambda: _again(copy))


def _again(file: BinaryIO) -> BinaryIO:
    file.seek(0)
    return os.fdopen(os.dup(file.fileno()), "rb")


def _known(name: str, suffix: str, file: BinaryIO, reopen: Callable[[], BinaryIO]) -> File:
    digest = blake2b(digest_size=16)
    size = 0
    while chunk := file.read(1 << 20):
        digest.update(chunk)
        size += len(chunk)
    name = _printable(name)
    if suffix == ".csv":
        file.seek(0)
        if not has_header(file):
            raise BadFile(f"{name}:1: names no column of SecurityAlert; export the table with its header")
    return File(name, suffix, digest.hexdigest(), size, reopen)


def _printable(name: str) -> str:
    """A name as it can be put on record: file systems allow bytes that no text has."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _unreadable(name: str, fault: OSError | ValueError) -> BadFile:
    why = (fault.strerror if isinstance(fault, OSError) else None) or str(fault)
    return BadFile(f"{_printable(name)}: cannot be read: {why}")
