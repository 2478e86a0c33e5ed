"""What is taken in: files that are named, standard input as it comes, and batches of messages.

Standard input is a message a line, unless its first line begins a document over several. A line is known by its digest and by
how many equal ones the same input had before it, so that the same input again is all repeats, wherever it is cut. A document
over several lines is known as a file is.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from select import select
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import BinaryIO

from router.cli.files import InputFile, copied_file, input_file, messages_within, printable, unreadable
from router.cli.splitting import Lines, Piece, Text, digest_of, find_array, is_begun
from router.cli.stopping import Stop
from router.domain.errors import BadFile
from router.domain.hubs import Arrival
from router.ingest.messages import Message
from router.parse import LARGEST_BODY

type Source = InputFile | Stdin
"""What messages are read from."""


@contextmanager
def open_files(names: Sequence[str]) -> Iterator[list[Source]]:
    """Every file named, digested, so that one that cannot be read stops all before anything is taken in.

    Raises BadFile. What can be read only once is copied to a temporary file, which goes when the context ends. Standard
    input is read as it comes.
    """
    with ExitStack() as copies:
        yield [_open(name, copies) for name in names]


def _open(name: str, copies: ExitStack) -> Source:
    path = Path(name)
    try:
        if name == STDIN:
            return copies.enter_context(Stdin.opened())
        if path.is_dir():
            raise BadFile(f"{printable(name)}: is a directory; name the files in it")
        if path.is_file():
            return input_file(name, lambda: path.open("rb"))
        with path.open("rb") as file:
            copy = copies.enter_context(TemporaryFile())  # noqa: SIM115  The stack closes it.
            copyfileobj(file, copy)
            return copied_file(name, copy)
    except (OSError, ValueError) as fault:  # ValueError: a name with a NUL in it
        raise unreadable(printable(name), fault) from fault


BATCH = 200
"""Messages that are taken in at a time."""

BATCH_BYTES = 16 * 1024 * 1024
"""Bytes after which a batch takes no further message."""


class Batch(dict[str, Message]):
    """Messages that are taken in together, by their keys: none is in it twice, also where a file is given twice."""

    size = 0

    def takes(self, message: Message) -> bool:
        """Return whether there is room for a message."""
        return len(self) < BATCH and self.size < BATCH_BYTES and message.arrival.key not in self

    def add(self, message: Message) -> None:
        """Add a message."""
        self[message.arrival.key] = message
        self.size += len(message.body)


def batches_of(messages: Iterable[Message]) -> Iterator[list[Message]]:
    """Yield messages in batches."""
    batch = Batch()
    for message in messages:
        if not batch.takes(message):
            yield list(batch.values())
            batch = Batch()
        batch.add(message)
    if batch:
        yield list(batch.values())


STDIN = "-"

WAIT = 1.0
"""Seconds after its first line when a batch is decided that is not full."""

_CHUNK = 64 * 1024
_REMEDY = "make room for temporary files, or name another directory for them with TMPDIR"


class Stdin:
    """Standard input, which can be read once; how many bytes will come is not known."""

    name = STDIN
    size = 0

    def __init__(self, fd: int, incoming: Incoming) -> None:
        self._fd = fd
        self._incoming = incoming

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator[Stdin]:
        """Standard input; raises OSError where nothing can be read there."""
        os.read(fd := sys.stdin.fileno(), 0)
        with ExitStack() as stack:
            yield cls(fd, Incoming(stack))

    def messages(self) -> Iterator[Message]:
        """Yield its messages, each as soon as it is there; raises BadFile."""
        while select([self._fd], [], []) and (chunk := self._read()):
            yield from self._incoming.feed(chunk)
        yield from self._incoming.end()

    async def batches(self, stop: Stop) -> AsyncIterator[list[Message]]:
        """Yield its messages in batches, each as soon as it is full or `WAIT` has passed since its first; raises BadFile.

        Where the work is to end, the lines that were read are the last.
        """
        loop, batch, until = asyncio.get_running_loop(), Batch(), None
        is_over = False
        while not is_over:
            if stop.is_asked:
                is_over = True
            elif await self._is_ready(until, stop):
                is_over = not (chunk := self._read())
                for message in self._incoming.end() if is_over else self._incoming.feed(chunk):
                    if not batch.takes(message):
                        yield list(batch.values())
                        batch, until = Batch(), None
                    batch.add(message)
                    until = until or loop.time() + WAIT
            if batch and (is_over or (until is not None and loop.time() >= until)):
                yield list(batch.values())
                batch, until = Batch(), None

    async def _is_ready(self, until: float | None, stop: Stop) -> bool:
        """Wait until there is something to read, or the end; False where that takes too long, or the work is to end."""
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        try:
            loop.add_reader(self._fd, ready.set)
        except PermissionError:  # A file that lies on a disk is always ready.
            await asyncio.sleep(0)
            return True
        try:
            async with asyncio.timeout_at(until):
                await stop.wait_for(ready)
        except TimeoutError:
            return False
        finally:
            loop.remove_reader(self._fd)
        return ready.is_set()

    def _read(self) -> bytes:
        try:
            return os.read(self._fd, _CHUNK)
        except OSError as fault:
            raise unreadable(STDIN, fault) from fault


class Incoming:
    """Cuts standard input into messages, once its first line shows how."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._text = Text()
        self._lines = Lines()
        self._earlier = stack.enter_context(closing(_Earlier()))
        self._raw: list[bytes] | None = []
        self._head = b""
        self._document: BinaryIO | None = None

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """Yield the messages that end in the next bytes."""
        if self._document is not None:
            self._put_by(self._document, [chunk])
            return
        text = self._text.feed(chunk)
        if self._raw is None:
            yield from self._messages(self._lines.feed(text))
            return
        self._raw.append(chunk)
        self._head += text
        line, is_ended, _ = self._head.lstrip().partition(b"\n")
        if is_ended or len(line) > LARGEST_BODY:
            yield from self._begin(is_begun(line) if is_ended else find_array(line) is not None)

    def end(self) -> Iterator[Message]:
        """Yield the messages that are left: a half line is a line."""
        if self._document is not None:
            yield from copied_file(STDIN, self._document).messages()
            return
        text = self._text.feed(b"", is_last=True)
        if self._raw is not None:
            yield from self._begin(is_document=False)
        yield from self._messages(self._lines.feed(text))
        yield from self._messages(self._lines.end())

    def _begin(self, is_document: bool) -> Iterator[Message]:
        raw, head = self._raw or [], self._head
        self._raw, self._head = None, b""
        if is_document:
            self._document = self._stack.enter_context(TemporaryFile())  # noqa: SIM115  The stack closes it.
            self._put_by(self._document, raw)
        else:
            yield from self._messages(self._lines.feed(head))

    @staticmethod
    def _put_by(document: BinaryIO, chunks: Iterable[bytes]) -> None:
        try:
            document.writelines(chunks)
        except OSError as fault:
            raise BadFile(f"{STDIN}: cannot be put by: {fault.strerror}; {_REMEDY}") from fault

    def _messages(self, lines: Iterator[Piece]) -> Iterator[Message]:
        for number, body, cut in lines:
            digest = cut.digest if cut is not None else digest_of(body)
            # Other than the digest of a file, whose places are other places.
            arrival = Arrival(f"stdin-{digest}", self._earlier.count(digest))
            yield from messages_within(Message(body, f"{STDIN}:{number}", arrival, cut=cut))


class _Earlier:
    """Counts equal lines, however many lines come: what memory does not hold lies in a temporary file."""

    def __init__(self) -> None:
        # The empty name: a database on the disk that no other process sees, and that goes with its connection.
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute("CREATE TABLE lines (digest BLOB PRIMARY KEY, earlier INTEGER NOT NULL) WITHOUT ROWID")
        self._db.execute("BEGIN")

    def count(self, digest: str) -> int:
        """Return how many lines of a digest came before this one."""
        put = "INSERT INTO lines VALUES (?, 0) ON CONFLICT DO UPDATE SET earlier=earlier+1 RETURNING earlier"
        try:
            (earlier,) = self._db.execute(put, (bytes.fromhex(digest),)).fetchone()
        except sqlite3.Error as fault:
            raise BadFile(f"{STDIN}: its lines cannot be counted: {fault}; {_REMEDY}") from fault
        return int(earlier)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
