"""Files of messages: each is opened and digested first, then read one message after the other.

Whatever a file holds, no more of it is in memory at a time than the longest body that is looked at.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import BinaryIO

from router.cli.csv_messages import has_header, refuse_unread_times, rows_in
from router.cli.incoming import STDIN, Stdin, messages_within, tell_rest, unreadable
from router.cli.splitting import Elements, Piece, Text, cut, elements_in, find_array, is_begun, lines_in, whole
from router.domain.errors import BadFile
from router.domain.hubs import Arrival
from router.ingest.messages import Message
from router.parse import LARGEST_BODY, answer_in, is_empty_envelope, split_body

_LINES = (".ndjson", ".jsonl")
_CHUNK = 256 * 1024
_BESIDE = 0  # The place of what stands beside elements, which count from 1.

type Source = InputFile | Stdin
"""What messages are read from."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that can be read.

    Attributes:
        name: its name as it was given.
        suffix: its suffix, in lower case.
        digest: the digest of its bytes.
        size: its size in bytes.
        reopen: opens it from its beginning.
    """

    name: str
    suffix: str
    digest: str
    size: int
    reopen: Callable[[], BinaryIO]

    def messages(self) -> Iterator[Message]:
        """Its messages in their order; raises BadFile where it cannot be read any more.

        They are read as they are asked for.
        """
        try:
            with self.reopen() as file:
                yield from self._messages_in(file)
        except OSError as fault:
            raise unreadable(self.name, fault) from fault

    def _messages_in(self, file: BinaryIO) -> Iterator[Message]:
        if self.suffix in _LINES:
            return self._lines(lines_in(_text_of(file)))
        if self.suffix == ".csv":
            # The same bytes read as another form are other messages.
            return replace(self, digest=f"csv-{self.digest}")._numbered(rows_in(file))
        return self._form_by_content(_text_of(file))

    def _form_by_content(self, text: Iterator[bytes]) -> Iterator[Message]:
        head = b""
        while len(head) <= LARGEST_BODY and (chunk := next(text, b"")):
            head += chunk
        if len(head) > LARGEST_BODY:
            return self._long(head, text)
        if (answer := answer_in(head)) is not None:
            tell_rest(answer.continuation, self.name)
            return self._numbered(Piece(place, body) for place, body in enumerate(answer.bodies, 1))
        bodies = split_body(head)
        if bodies is None:
            return self._lines(lines_in([head]))
        if bodies == (head,):
            return self._whole([Piece(1, head)])
        return self._numbered(Piece(place, body) for place, body in enumerate(bodies, 1))

    def _long(self, head: bytes, rest: Iterator[bytes]) -> Iterator[Message]:
        """The messages of a text of which only the head is looked at before they are read."""
        line, is_ended, _ = head.lstrip().partition(b"\n")
        is_document = not is_ended or is_begun(line)
        if is_document and (start := find_array(head)) is not None:
            opening, text = head[:start], chain([head[start:]], rest)
            is_wrapped = opening.lstrip().startswith(b"{")
            return self._wrapped(opening, text) if is_wrapped else self._numbered(elements_in(text, wrapped=False))
        text = chain([head], rest)
        return self._whole(whole(text)) if is_document else self._lines(lines_in(text))

    def _wrapped(self, opening: bytes, text: Iterator[bytes]) -> Iterator[Message]:
        """The messages of a long envelope, and what it holds beside them as one more, unless that belongs to an envelope."""
        elements = Elements(wrapped=True)
        yield from self._numbered(cut(text, elements))
        beside = opening + b"]" + bytes(elements.beside) + b"}"
        if not elements.is_over:
            return
        # A second list of the same name would hide the first one.
        if not is_empty_envelope(beside):
            yield from self._whole([Piece(_BESIDE, beside)])
        elif (answer := answer_in(beside)) is not None:
            tell_rest(answer.continuation, self.name)

    def _lines(self, pieces: Iterable[Piece]) -> Iterator[Message]:
        return chain.from_iterable(map(messages_within, self._numbered(pieces)))

    def _numbered(self, pieces: Iterable[Piece]) -> Iterator[Message]:
        return (self._message(piece, f"{self.name}:{piece.number}") for piece in pieces)

    def _whole(self, pieces: Iterable[Piece]) -> Iterator[Message]:
        return (self._message(piece, self.name) for piece in pieces)

    def _message(self, piece: Piece, source: str) -> Message:
        return Message(piece.body, source, Arrival(self.digest, piece.number), cut=piece.cut)


def _text_of(file: BinaryIO) -> Iterator[bytes]:
    """What a file holds in UTF-8, a part at a time."""
    text = Text()
    while chunk := file.read(_CHUNK):
        yield text.feed(chunk)
    yield text.feed(b"", is_last=True)


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
    suffix = path.suffix.lower()
    try:
        if name == STDIN:
            return copies.enter_context(Stdin.opened(file_of))
        if path.is_dir():
            raise BadFile(f"{_printable(name)}: is a directory; name the files in it")
        with path.open("rb") as file:
            if path.is_file():
                return _known(name, suffix, file, lambda: path.open("rb"))
            return _copied(name, file, copies)
    except (OSError, ValueError) as fault:  # ValueError: a name with a NUL in it
        raise unreadable(_printable(name), fault) from fault


def file_of(name: str, copy: BinaryIO) -> InputFile:
    """A copy that lies in a temporary file as the file of that name."""
    copy.seek(0)
    return _known(name, Path(name).suffix.lower(), copy, lambda: _again(copy))


def _copied(name: str, file: BinaryIO, copies: ExitStack) -> InputFile:
    copy = copies.enter_context(TemporaryFile())  # noqa: SIM115  The stack closes it.
    copyfileobj(file, copy)
    return file_of(name, copy)


def _again(file: BinaryIO) -> BinaryIO:
    file.seek(0)
    return os.fdopen(os.dup(file.fileno()), "rb")


def _known(name: str, suffix: str, file: BinaryIO, reopen: Callable[[], BinaryIO]) -> InputFile:
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
        file.seek(0)
        refuse_unread_times(file, name)
    return InputFile(name, suffix, digest.hexdigest(), size, reopen)


def _printable(name: str) -> str:
    """A name as it can be put on record: file systems allow bytes that no text has."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
