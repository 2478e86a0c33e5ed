"""The documents that coverage is judged from: `FILE`, `NAME=FILE`, a directory of them, standard input, or what is no file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from router.coverage.documents import CoverageDocument, dated, read_document
from router.domain.errors import BadFile, BadUsage

STDIN = "-"

_LARGEST = 1_000_000_000
"""Bytes of a document beyond which it is refused; an answer on 5,000 machines has a hundredth of that."""


class Opened(NamedTuple):
    """What comes of the arguments.

    Attributes:
        documents: what can be read, one after the other: of many clusters they are more than fits into memory.
        refused: what could not be read so far, a line each that names the file; whole once the documents are.
    """

    documents: Iterator[CoverageDocument]
    refused: list[str]


class OtherDocuments(NamedTuple):
    """Documents that are no files.

    Attributes:
        words: what they are called in a sentence.
        names: their names.
        documents: the documents, one after the other.
    """

    words: str
    names: tuple[str, ...]
    documents: Iterable[CoverageDocument]


class _Named(NamedTuple):
    """A file, and the name that was given before it."""

    given: str | None
    path: str


def open_documents(arguments: Sequence[str]) -> Opened:
    """Reads what the arguments name; one that cannot be read keeps none of the others from being read.

    A file that is given with a name, and again in a directory without one, is what its name says.
    """
    files = dict.fromkeys(one for argument in arguments for one in _files_of(argument))
    named = {one.path for one in files if one.given is not None}
    refused: list[str] = []
    return Opened(_read((one for one in files if one.given is not None or one.path not in named), refused), refused)


def asked_documents(words: str, answers: Sequence[CoverageDocument], now: datetime) -> OtherDocuments:
    """What was asked for at an instant, so that it has an age."""
    return OtherDocuments(words, tuple(one.name for one in answers), [dated(one, now) for one in answers])


def _read(files: Iterable[_Named], refused: list[str]) -> Iterator[CoverageDocument]:
    for named in files:
        try:
            document = read_document(_bytes_of(named.path), named.path, named.given)
        except BadFile as error:
            refused.append(str(error))
        else:
            yield document


def _files_of(argument: str) -> Iterator[_Named]:
    named = _split(argument)
    path = Path(named.path)
    if not path.is_dir():
        yield named
        return
    found = sorted(one for one in path.iterdir() if one.suffix.lower() == ".json" and one.is_file())
    # An empty directory is a file that says nothing: it is refused by its name.
    yield from (_Named(named.given, str(one)) for one in found) if found else (named,)


def _split(argument: str) -> _Named:
    """The name before the first `=`, which may be an ARM id; a file that is called so as a whole has none."""
    given, separator, path = argument.partition("=")
    if not separator or Path(argument).exists():
        return _Named(None, argument)
    if not given.strip() or not path:
        raise BadUsage(f"{argument}: has nothing on one side of =; write NAME=FILE")
    return _Named(given.strip(), path)


def _bytes_of(path: str) -> bytes:
    if path == STDIN:
        return sys.stdin.buffer.read()
    try:
        if Path(path).is_dir():
            raise BadFile(f"{path}: is a directory without .json files")
        if Path(path).stat().st_size > _LARGEST:
            raise BadFile(f"{path}: is larger than a gigabyte; give it in parts")
        return Path(path).read_bytes()
    except OSError as error:
        raise BadFile(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadFile(f"{path!r}: is no name of a file") from error
