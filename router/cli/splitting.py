"""Bytes as they come in, cut into lines or into the elements of an array; what is too long is never held whole.

Each cutter is fed, so that a file that lies there and an input that trickles are cut by the same code.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from typing import NamedTuple

from router.ingest.messages import Cut
from router.parse import LARGEST_BODY, split_body

BEGINNING = 64 * 1024
"""Bytes that are kept of what is longer than the longest body that is looked at."""

_HEAD = 64 * 1024
_TRIED = 32
_BRACKET = re.compile(rb"\[")


class Piece(NamedTuple):
    """A line of a text, or an element of an array.

    Attributes:
        number: its number, from 1.
        body: its bytes; only their beginning where it is cut.
        cut: the length and digest of all of it, where it is longer than any body that is looked at.
    """

    number: int
    body: bytes
    cut: Cut | None = None


def digest_of(body: bytes) -> str:
    """Return the digest of a body."""
    return blake2b(body, digest_size=16).hexdigest()


def codec_of(head: bytes) -> str:
    """Return the codec that the byte order mark in front of a text names; that of UTF-8 where there is none."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    return "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


class Text:
    """Makes a text of any Unicode encoding that its byte order mark names one of UTF-8 without a mark.

    What is in UTF-8 already passes as it is, its faults too; faults of other encodings become U+FFFD.
    """

    def __init__(self) -> None:
        self._head: bytes | None = b""
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, chunk: bytes, *, is_last: bool = False) -> bytes:
        """Return the text that is known with the next bytes."""
        if self._head is not None:
            self._head += chunk
            if self._head[:1] in _MAY_BE_MARKS and len(self._head) < len(codecs.BOM_UTF32_LE) and not is_last:
                return b""
            chunk, self._head = self._begun(self._head), None
        if self._decoder is None:
            return chunk
        return self._decoder.decode(chunk, is_last).encode("utf-8", "replace")

    def _begun(self, head: bytes) -> bytes:
        if (codec := codec_of(head)) == "utf-8-sig":
            return head.removeprefix(codecs.BOM_UTF8)
        self._decoder = codecs.getincrementaldecoder(codec)("replace")
        return head


_MAY_BE_MARKS = (b"", b"\x00", b"\xef", b"\xfe", b"\xff")


class Lines:
    """Lines that hold anything; a line ends at a line feed and nowhere else, and a half one is a line too."""

    def __init__(self, first: int = 1) -> None:
        self._number, self._line = first, Growing()

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        """Return the lines that end in the next bytes."""
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._line.add(part)
            yield from self.end()
        self._line.add(rest)

    def end(self) -> Iterator[Piece]:
        """Return the line that is under way, as far as it came."""
        line, self._line = self._line, Growing()
        yield from line.end(self._number)
        self._number += 1


class Elements:
    """Cuts one JSON array into its elements. It is fed what comes after the array's bracket.

    What comes after the array is cut into lines. Only brackets, commas and quotes are looked at, so that an element that is
    not JSON does not harm its neighbours.

    Attributes:
        is_over: whether the array has ended.
        beside: the beginning of what else the object holds, where the array stands in one (`wrapped`).
    """

    def __init__(self, *, wrapped: bool) -> None:
        self._number, self._element = 1, Growing()
        self._depth, self._is_text, self._is_escaped = 0, False, False
        self._closing = b"}" if wrapped else b"]"
        self._after: Lines | None = None
        self.is_over, self.beside = False, bytearray()

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        """Return the elements that end in the next bytes."""
        start, at = 0, int(self._is_escaped)
        self._is_escaped = self._is_escaped and not chunk
        while self._after is None:
            if self._depth > _DEEP and not self._is_text:
                at = self._passed(chunk, at)
            if (found := self._next_symbol.search(chunk, at)) is None:
                break
            at = found.end()
            if found[0] == b"\\":
                at += 1
                self._is_escaped = at > len(chunk)
            elif self._is_end(found[0]):
                self._element.add(chunk[start : found.start()])
                yield from self._ended()
                start = at
                self.is_over = self.is_over or found[0] == b"]"
                if found[0] == self._closing:
                    self._after = Lines(self._number)
        if self._after is not None:
            yield from self._after.feed(chunk[start:])
        else:
            self._element.add(chunk[start:])

    def _passed(self, chunk: bytes, at: int) -> int:
        """Return the position up to which a chunk can neither end the element, having fewer bytes than are open, nor a text."""
        found = _WHOLE_TEXTS.match(chunk, at, at + self._depth)
        symbols = _TEXT.sub(b"", found[0]) if found is not None else b""
        self._depth += symbols.count(b"[") + symbols.count(b"{") - symbols.count(b"]") - symbols.count(b"}")
        return found.end() if found is not None else at

    def end(self) -> Iterator[Piece]:
        """Return what is under way, as far as it came."""
        return self._after.end() if self._after is not None else self._ended()

    def _ended(self) -> Iterator[Piece]:
        element, self._element = self._element, Growing()
        for piece in element.end(self._number):
            # What an object holds beside its messages is none.
            if self.is_over:
                self.beside += (b"," + piece.body)[: BEGINNING - len(self.beside)]
            else:
                yield piece._replace(body=piece.body.strip())
                self._number += 1

    @property
    def _next_symbol(self) -> re.Pattern[bytes]:
        if self._is_text:
            return _IN_TEXT
        return _INSIDE if self._depth else _BETWEEN

    def _is_end(self, symbol: bytes) -> bool:
        """Return whether an element ends at a symbol; where it does not, what is open after it."""
        if symbol == b'"':
            self._is_text = not self._is_text
        elif symbol in (b"[", b"{"):
            self._depth += 1
        elif self._depth and symbol in (b"]", b"}"):
            self._depth -= 1
        else:
            return symbol in (b",", b"]", self._closing)
        return False


_DEEP = 64
"""Levels beyond which brackets are counted and not looked at one by one; no message nests so deep."""

_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_WHOLE_TEXTS = re.compile(rb'(?:[^"]++|%b)*+' % _TEXT.pattern, re.DOTALL)
_IN_TEXT, _INSIDE, _BETWEEN = re.compile(rb'["\\]'), re.compile(rb'["\[\]{}]'), re.compile(rb'["\[\]{},]')


def find_array(head: bytes) -> int | None:
    """Return where the messages of a document begin, given its head: behind the bracket of an array or in an envelope."""
    close = b"0]}" if head.lstrip()[:1] == b"{" else b"0]"
    places = (found.end() for found in islice(_BRACKET.finditer(head, 0, _HEAD), _TRIED))
    return next((at for at in places if split_body(head[:at] + close) == (b"0",)), None)


def is_begun(line: bytes) -> bool:
    """Return whether a first line begins a document over several: an array, or an object broken where printers break it."""
    line = line.strip()
    is_broken = line[:1] == b"[" or (line[:1] == b"{" and line[-1:] in (b"{", b"[", b",", b":"))
    return is_broken and split_body(line) is None


class Growing:
    """A piece that grows. Of one that is too long, it holds only the beginning, the length and the digest."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size, self._digest = 0, blake2b(digest_size=16)

    def add(self, part: bytes) -> None:
        """Add the next bytes."""
        was, self._size = self._size, self._size + len(part)
        if was > _MOST:
            self._digest.update(part)
            return
        self._parts.append(part)
        if self._size > _MOST:
            held = b"".join(self._parts)
            self._digest.update(held)
            self._parts = [held[:BEGINNING]]

    def end(self, number: int) -> Iterator[Piece]:
        """Return the piece, unless it holds nothing but blanks."""
        body = b"".join(self._parts)
        if self._size > _MOST:
            yield Piece(number, body, Cut(self._size, self._digest.hexdigest()))
            return
        body = body.rstrip(b"\r\n")
        if len(body) > LARGEST_BODY:
            yield Piece(number, body[:BEGINNING], Cut(len(body), digest_of(body)))
        elif body.strip():
            yield Piece(number, body)


_MOST = LARGEST_BODY + len(b"\r")


def whole(chunks: Iterable[bytes]) -> Iterator[Piece]:
    """Return a text as one piece."""
    piece = Growing()
    for chunk in chunks:
        piece.add(chunk)
    yield from piece.end(1)


def cut(chunks: Iterable[bytes], cutter: Lines | Elements) -> Iterator[Piece]:
    """Return what a cutter makes of a text that is all there, a part at a time."""
    for chunk in chunks:
        yield from cutter.feed(chunk)
    yield from cutter.end()
