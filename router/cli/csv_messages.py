"""CSV: the SecurityAlert table as Log Analytics exports it, one message a row.

The portal writes times in the format of a region. Which of their numbers is the month is asked of the file as a whole, and a
file that does not say is refused: a guess would put states in the wrong order.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, TextIO

import orjson

from router.cli.splitting import Growing, Piece, codec_of
from router.domain.errors import BadFile
from router.parse import LARGEST_BODY
from router.parse.fields import fields_in
from router.parse.portal_times import EITHER, DateOrder, find_portal_time, is_doubtful, orders_of
from router.parse.shapes import has_alert_columns

MOST_CELLS = 1_000
"""Cells of a row that are looked at; a table has 500 columns at most:
https://learn.microsoft.com/azure/azure-monitor/service-limits#log-analytics-workspaces
"""

type _Row = tuple[int, list[str] | Piece]
"""The line on which a row starts, and its cells; else what cannot be read of it: its quotes do not match, or it is too long, or
of too many cells."""


def has_header(file: BinaryIO) -> bool:
    """Whether the first row names columns that the table has; a file without rows needs none."""
    _, header = next(_rows(file), (0, None))
    return header is None or (isinstance(header, list) and has_alert_columns(fields_in(dict.fromkeys(header, ""))))


def check_times(file: BinaryIO, name: str) -> None:
    """Raises BadFile where nothing in a file says whether the month or the day stands first in its times."""
    times = _times_in(file)
    if times.doubtful is not None:
        line, text = times.doubtful
        raise BadFile(
            f"{name}:{line}: the time {text!r} may have the month first or the day first, and the other rows do not say which; "
            "export the table with its times as texts: extend TimeGenerated = tostring(TimeGenerated)"
        )


def rows_in(file: BinaryIO) -> Iterator[Piece]:
    """Each row as a JSON object of its columns, all texts, with the line it starts on.

    A column without a name is left out; cells beyond the header are kept under names that say their place. What lies
    between quotes that do not match, and a row of too many cells, is given as it stands, so that it is kept as one message that
    cannot be read; of a row that is too long, the beginning.
    """
    times = _times_in(file)
    file.seek(0)
    rows = _rows(file)
    _, header = next(rows, (0, []))
    for line, cells in rows:
        if isinstance(cells, Piece):
            yield cells
            continue
        for place in times.columns:
            if place < len(cells) and (time := find_portal_time(cells[place], times.order)) is not None:
                cells[place] = time.isoformat()
        names = [*header, *(f"column {place}" for place in range(len(header) + 1, len(cells) + 1))]
        yield Piece(line, orjson.dumps({name: cell for name, cell in zip(names, cells, strict=False) if name}))


class _Times(NamedTuple):
    """How the portal wrote the times of a file.

    Attributes:
        columns: the places of the columns that hold them; none in a file that has its times in another form.
        order: which of their numbers is the month; None where each says so itself.
        doubtful: the line and the text of a time that may be one or another; None where there is none.
    """

    columns: tuple[int, ...]
    order: DateOrder | None = None
    doubtful: tuple[int, str] | None = None


def _times_in(file: BinaryIO) -> _Times:
    """How the portal wrote the times of a file: all of it is looked at if the first row that has a time has it so."""
    rows = _rows(file)
    _, header = next(rows, (0, []))
    columns = tuple(place for place, name in enumerate(header) if isinstance(name, str) and _is_time(name))
    if not columns:
        return _Times(())
    possible, doubtful, is_portals = EITHER, None, False
    for line, cells in rows:
        texts = [] if isinstance(cells, Piece) else [cells[place] for place in columns if place < len(cells)]
        told = [(text, orders) for text in texts if (orders := orders_of(text))]
        if not told and not is_portals and any(texts):
            return _Times(())
        for text, orders in told:
            is_portals, possible = True, possible & orders
            if doubtful is None and is_doubtful(text):
                doubtful = (line, text)
    if len(possible) == 1:
        return _Times(columns, next(iter(possible)))
    return _Times(columns, None, doubtful)


def _is_time(column: str) -> bool:
    return "time" in column.lower().removesuffix(_ZONE) and ("[" not in column or column.lower().endswith(_ZONE))


_ZONE = " [utc]"


def _rows(file: BinaryIO) -> Iterator[_Row]:
    # Entities of an alert are one cell, and far longer than the module expects of cells.
    csv.field_size_limit(sys.maxsize)
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
        """Forgets the lines of the row before, and gives the number of the next."""
        self._row.clear()
        self._left = LARGEST_BODY
        return self._count + 1

    def taken(self, number: int) -> Iterator[Piece]:
        """The text of the present row, as far as its lines were begun."""
        text = Growing()
        part = bytes(self._row)
        text.add(part)
        while part and not part.endswith(_ENDS) and (part := self._text.readline(_CHUNK).encode()):
            text.add(part)
        return text.end(number)


_ENDS = (b"\n", b"\r")
_CHUNK = 256 * 1024
