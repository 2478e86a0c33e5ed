"""CSV: the SecurityAlert table as Log Analytics exports it, one message a row."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from typing import BinaryIO

import orjson

from router.accept.fields import fields_in
from router.accept.shapes import has_alert_columns

type _Row = tuple[int, list[str] | str]
"""The line on which a row starts, and its cells; where its quotes do not match, the text that they leave unread."""


def has_header(file: BinaryIO) -> bool:
    """Whether the first row names columns that the table has; a file without rows needs none."""
    _, header = next(_rows(file), (0, None))
    return header is None or (isinstance(header, list) and has_alert_columns(fields_in(dict.fromkeys(header, ""))))


def rows_in(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each row as a JSON object of its columns, all texts, with the line it starts on.

    A column without a name is left out; cells beyond the header are kept under names that say their place. What lies
    between quotes that do not match is given as it stands, so that it is kept as one message that cannot be read.
    """
    rows = _rows(file)
    _, header = next(rows, (0, []))
    for line, cells in rows:
        if isinstance(cells, str):
            yield line, cells.encode()
            continue
        names = [*header, *(f"column {place}" for place in range(len(header) + 1, len(cells) + 1))]
        yield line, orjson.dumps({name: cell for name, cell in zip(names, cells, strict=False) if name})


def _rows(file: BinaryIO) -> Iterator[_Row]:
    # Entities of an alert are one cell, and far longer than the module expects of cells.
    csv.field_size_limit(sys.maxsize)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    try:
        lines = _Lines(text)
        reader = csv.reader(lines, strict=True)
        while True:
            start = lines.begin()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield start, lines.taken()
                reader = csv.reader(lines, strict=True)
                continue
            if cells:
                yield start, cells
    finally:
        # The file is the caller's to close.
        text.detach()


class _Lines:
    """Lines, counted, of which those that the present row took are remembered."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._count = 0
        self._row: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._count += 1
        self._row.append(line)
        return line

    def begin(self) -> int:
        """Forgets the lines of the row before, and gives the number of the next."""
        self._row = []
        return self._count + 1

    def taken(self) -> str:
        """The text of the present row, as far as it was read."""
        return "".join(self._row).rstrip("\r\n")
