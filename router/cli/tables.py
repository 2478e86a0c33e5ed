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

type _Row = tuple[int, list[str]]
"""The line on which a row starts, and its cells."""


def has_header(file: BinaryIO) -> bool:
    """Whether the first row names columns that the table has; a file without rows needs none."""
    _, header = next(_cells_in(file), (0, None))
    return header is None or has_alert_columns(fields_in(dict.fromkeys(header, "")))


def rows_in(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each row as a JSON object of its columns, all texts, with the line it starts on.

    A column without a name is left out; cells beyond the header are kept under names that say their place.
    """
    rows = _cells_in(file)
    _, header = next(rows, (0, []))
    for line, cells in rows:
        names = header + [f"column {place}" for place in range(len(header) + 1, len(cells) + 1)]
        yield line, orjson.dumps({name: cell for name, cell in zip(names, cells, strict=False) if name})


def _cells_in(file: BinaryIO) -> Iterator[_Row]:
    # Entities of an alert are one cell, and far longer than the module expects of cells.
    csv.field_size_limit(sys.maxsize)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    reader = csv.reader(text)
    start = 1
    try:
        for cells in reader:
            if cells:
                yield start, cells
            start = reader.line_num + 1
    finally:
        # The file is the caller's to close.
        text.detach()
