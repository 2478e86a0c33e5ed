"""Files of messages: each is digested first, then read one message after the other.

Whatever a file holds, no more of it is in memory at a time than the longest body that is looked at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from copy import replace
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from router.cli.csv_messages import refuse_table, rows_in
from router.cli.splitting import Elements, Lines, Piece, Text, cut, find_array, is_begun, whole
from router.cli.streams import complain
from router.domain.errors import BadFile
from router.domain.hubs import Arrival
from router.domain.values import Value
from router.ingest.messages import Message
from router.parse import LARGEST_BODY, MOST_ELEMENTS, Continuation, answer_in, is_empty_envelope, split_body

_LINES = (".ndjson", ".jsonl")
_CHUNK = 256 * 1024
_BESIDE = 0  # The place of what stands beside elements, which count from 1.
_LISTED = re.compile(rb'\s*(?:\[|\{\s*"records"\s*:)', re.IGNORECASE)

_ADVICE = {
    Continuation.TOKEN: "is a part of the answer; for the next give `az graph query` its skip_token with --skip-token",
    Continuation.LINK: "is a part of the answer; for the next give `az rest --url` its nextLink",
    # The last page looks like that, too.
    Continuation.CUT: (
        "holds fewer records than its query found, and no skip_token: either pages came before it, "
        "or ask with id among the columns and --first 1000"
    ),
}


def messages_within(message: Message) -> Iterator[Message]:
    """Yield the messages in a line that holds an answer of Azure, or more elements than a message of a hub; else the line.

    Each has the identity that the reader would give it.
    """
    answer = answer_in(message.body) if message.cut is None else None
    bodies = answer.bodies if answer is not None else None
    if answer is not None:
        tell_rest(answer.continuation, message.source)
    elif message.cut is None and _LISTED.match(message.body):
        elements = split_body(message.body) or ()
        bodies = elements if len(elements) > MOST_ELEMENTS else None
    if bodies is None:
        yield message
        return
    for part, body in enumerate(bodies, 1):
        place = replace(message.arrival, part=part)
        yield replace(message, body=body, source=f"{message.source}[{part}]", arrival=place)


def tell_rest(rest: Continuation | None, source: str) -> None:
    """Say on stderr that an answer is only a part, and how to get the rest.

    Its token and its link are not repeated: the line is to be obeyed, and the file's author has no words in it.
    """
    if rest is not None:
        complain(f"{source}: {_ADVICE[rest]}")


class InputFile(Value):
    """A file that can be read; `reopen` opens it from its beginning, `suffix` is in lower case, `size` in bytes."""

    name: str
    suffix: str
    digest: str
    size: int
    reopen: Callable[[], BinaryIO]

    def messages(self) -> Iterator[Message]:
        """Yield its messages in their order, read as they are asked for; raises BadFile where it cannot be read any more."""
        try:
            with self.reopen() as file:
                yield from self._messages_in(file)
        except OSError as fault:
            raise unreadable(self.name, fault) from fault

    def _messages_in(self, file: BinaryIO) -> Iterator[Message]:
        if self.suffix in _LINES:
            return self._lines(cut(_utf8_in(file), Lines()))
        if self.suffix == ".csv":
            # The same bytes read as another form are other messages.
            return replace(self, digest=f"csv-{self.digest}")._numbered(rows_in(file))
        return self._form_by_content(_utf8_in(file))

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
            return self._lines(cut([head], Lines()))
        if bodies == (head,):
            return self._whole([Piece(1, head)])
        return self._numbered(Piece(place, body) for place, body in enumerate(bodies, 1))

    def _long(self, head: bytes, rest: Iterator[bytes]) -> Iterator[Message]:
        """Return the messages of a text of which only the head is looked at before they are read."""
        line, is_ended, _ = head.lstrip().partition(b"\n")
        is_document = not is_ended or is_begun(line)
        if is_document and (start := find_array(head)) is not None:
            opening, text = head[:start], chain([head[start:]], rest)
            is_wrapped = opening.lstrip().startswith(b"{")
            return self._wrapped(opening, text) if is_wrapped else self._numbered(cut(text, Elements(wrapped=False)))
        text = chain([head], rest)
        return self._whole(whole(text)) if is_document else self._lines(cut(text, Lines()))

    def _wrapped(self, opening: bytes, text: Iterator[bytes]) -> Iterator[Message]:
        """Yield the messages of a long envelope, and what it holds beside them as one more, unless that belongs to one."""
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


def _utf8_in(file: BinaryIO) -> Iterator[bytes]:
    """Yield what a file holds in UTF-8, a part at a time."""
    text = Text()
    while chunk := file.read(_CHUNK):
        yield text.feed(chunk)
    yield text.feed(b"", is_last=True)


def input_file(name: str, reopen: Callable[[], BinaryIO]) -> InputFile:
    """Return what can be opened again and again as the file of that name, digested; raises BadFile and OSError."""
    digest, size, suffix = blake2b(digest_size=16), 0, Path(name).suffix.lower()
    name = printable(name)
    with reopen() as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
            size += len(chunk)
        if suffix == ".csv":
            refuse_table(file, name)
    return InputFile(name, suffix, digest.hexdigest(), size, reopen)


def copied_file(name: str, copy: BinaryIO) -> InputFile:
    """Return a copy that lies in a temporary file as the file of that name; raises BadFile and OSError."""

    def reopen() -> BinaryIO:
        copy.seek(0)
        return os.fdopen(os.dup(copy.fileno()), "rb")

    return input_file(name, reopen)


def printable(name: str) -> str:
    """Return a name as it can be put on record: file systems allow bytes that no text has."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def unreadable(name: str, fault: OSError | ValueError) -> BadFile:
    """Return the error for a file that cannot be read."""
    why = (fault.strerror if isinstance(fault, OSError) else None) or str(fault)
    return BadFile(f"{name}: cannot be read: {why}")
