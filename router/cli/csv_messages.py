"""CSV: the SecurityAlert table as Log Analytics exports it, one message a row."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import BinaryIO, TextIO

import orjson

from router.cli.splitting import Growing, Piece, codec_of
from router.domain.errors import BadFile
from router.parse import LARGEST_BODY
from router.parse.fields import fields_in, is_time
from router.parse.shapes import has_alert_columns

MOST_CELLS = 1_000
"""Cells of a row that are looked at; a table has 500 columns at most:
https://learn.microsoft.com/azure/azure-monitor/service-limits#log-analytics-workspaces
"""

_TIMES = re.compile(
    r"(?:timegenerated(?:utc)?|processingendtime(?:utc)?|starttime|endtime|starttimeutc|endtimeutc|reportedtimeutc"
    r"|detectedtimeutc)(\s*[\[(].*)?",
    re.DOTALL,
)
"""The columns that say when an alert was, and which of its states is the newer, with the zone that the portal writes."""

_UTC = " [utc]"
_REMEDY = "export the table with its times as texts: extend TimeGenerated = tostring(TimeGenerated)"
_LONGEST = 80  # characters of a text that an error quotes

type _Row = tuple[int, list[str] | Piece]
"""The line on which a row starts, and its cells; else what cannot be read of it: its quotes do not match, or it is too long, or
of too many cells."""


def refuse_table(file: BinaryIO, name: str) -> None:
    """Raise BadFile if the first row names no column that the table has, or a time of an alert cannot be read.

    A first row that is a message would be lost. An old state without its time could be put behind a new one, so that an alert
    that is over would page.
    """
    # A refusal leaves rows unread, and they are to let go of the file before it is closed.
    with closing(_rows(file)) as rows:
        _, header = next(rows, (0, None))
        if header is None:
            return
        if isinstance(header, Piece) or not has_alert_columns(fields_in(dict.fromkeys(header, ""))):
            raise BadFile(f"{name}:1: names no column of SecurityAlert; export the table with its header")
        named = [(place, column, _TIMES.fullmatch(column.lower())) for place, column in enumerate(header)]
        times = [(place, column, found[1]) for place, column, found in named if found is not None]
        for line, cells in rows:
            for place, column, zone in times:
                if isinstance(cells, Piece):
                    break
                written = cells[place] if place < len(cells) else ""
                if not written.strip():
                    continue
                what = f"{name}:{line}: the column {_cut(column)} has {_cut(written)}, "
                if zone not in (None, _UTC):
                    raise BadFile(
                        f"{what}and its zone is not known; set the portal to show times in UTC, and export again"
                    )
                if not is_time(written):
                    raise BadFile(f"{what}which is no time that can be read; {_REMEDY}")


def rows_in(file: BinaryIO) -> Iterator[Piece]:
    """Yield each row as a JSON object of its columns, all texts, with the line it starts on.

    A column without a name is left out; cells beyond the header are kept under names that say their place. What lies
    between quotes that do not match, and a row of too many cells, is given as it stands, so that it is kept as one message that
    cannot be read; of a row that is too long, the beginning.
    """
    rows = _rows(file)
    _, header = next(rows, (0, []))
    for line, cells in rows:
        if isinstance(cells, Piece):
            yield cells
            continue
        names = [*header, *(f"column {place}" for place in range(len(header) + 1, len(cells) + 1))]
        yield Piece(line, orjson.dumps({name: cell for name, cell in zip(names, cells, strict=False) if name}))


def _rows(file: BinaryIO) -> Generator[_Row]:
    # Entities of an alert are one cell, and far longer than the module expects of cells.
    csv.field_size_limit(sys.maxsize)
    file.seek(0)
    codec = codec_of(file.read(4))
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=codec, errors="replace", newline="")
    try:
        lines = _Lines(text)
        reader = csv.reader(lines, strict=True)
        while True:
            start = lines.begin()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (csv.Error, _TooLong):
                yield from ((start, piece) for piece in lines.taken(start))
                reader = csv.reader(lines, strict=True)
                continue
            if len(cells) > MOST_CELLS:
                yield from ((start, piece) for piece in lines.taken(start))
            elif cells:
                yield start, cells
    finally:
        # The file is the caller's to close.
        text.detach()


def _cut(text: str) -> str:
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")


class _TooLong(Exception):
    """The present row is longer than any body that is looked at."""


class _Lines:
    """Lines, counted, of which the text that the present row took is remembered."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._count = 0
        # As bytes: a row may be millions of lines, and each would be an object.
        self._row = bytearray()
        self._left = LARGEST_BODY

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._text.readline(LARGEST_BODY + 1)
        if not line:
            raise StopIteration
        self._count += 1
        self._row += line.encode()
        self._left -= len(line)
        if self._left < 0:
            raise _TooLong
        return line

    def begin(self) -> int:
        """Forget the lines of the row before, and return the number of the next."""
        self._row.clear()
        self._left = LARGEST_BODY
        return self._count + 1

    def taken(self, number: int) -> Iterator[Piece]:
        """Return the text of the present row, as far as its lines were begun."""
        text = Growing()
        part = bytes(self._row)
        text.add(part)
        while part and not part.endswith(_ENDS) and (part := self._text.readline(_CHUNK).encode()):
            text.add(part)
        return text.end(number)


_ENDS = (b"\n", b"\r")
_CHUNK = 256 * 1024
