"""The rows that measurements come to, and the table they make."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What was measured. `limit` is a least value where `at_least`, else a most; None where nothing is promised.

    `seen` says of what it was measured.
    """

    what: str
    measured: float
    limit: float | None = None
    unit: str = "x"
    at_least: bool = False
    seen: str = ""

    @property
    def verdict(self) -> str:
        """Whether the promise is kept in this run."""
        if math.isnan(self.measured):
            return "not measured"
        if self.limit is None:
            return "-"
        is_kept = self.measured >= self.limit if self.at_least else self.measured <= self.limit
        return "reached" if is_kept else "MISSED"

    def cells(self) -> tuple[str, ...]:
        """The row as texts."""
        measured = "-" if math.isnan(self.measured) else f"{_written(self.measured)} {self.unit}"
        bound = "at least" if self.at_least else "at most"
        must = f"{bound} {_written(self.limit)} {self.unit}" if self.limit is not None else "-"
        return self.what, measured, must, self.verdict, self.seen


def _written(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"


HEADINGS = ("what", "measured", "must reach", "verdict", "seen in this run")


def markdown(rows: Iterable[Row]) -> str:
    """The table, in Markdown whose columns also line up as plain text."""
    return drawn([HEADINGS, *(row.cells() for row in rows)])


def drawn(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells, the headings first, as such a table."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = [f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |" for line in lines]
    return "\n".join([rows[0], f"|{'|'.join('-' * (width + 2) for width in widths)}|", *rows[1:]])
