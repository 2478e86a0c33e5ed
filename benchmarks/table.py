"""The rows that measurements come to, and the table they make."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

RESULTS = re.compile(r"(<!-- results -->\n).*?(<!-- end of results -->)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What was measured. `limit` is a least value where `at_least`, else a most; None where nothing is promised.

    `measured` is NaN where nothing could be measured. `seen` says of what it was measured, or why it was not.
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
            return "NOT MEASURED"
        if self.limit is None:
            return "-"
        is_kept = self.measured >= self.limit if self.at_least else self.measured <= self.limit
        return "REACHED" if is_kept else "MISSED"

    def cells(self) -> tuple[str, ...]:
        """The row as texts."""
        measured = "-" if math.isnan(self.measured) else f"{_written(self.measured)} {self.unit}"
        bound = "at least" if self.at_least else "at most"
        must = f"{bound} {_written(self.limit)} {self.unit}" if self.limit is not None else "-"
        return self.what, measured.strip(), must.strip(), self.verdict, self.seen.replace("|", "/")


def compared(
    what: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    limit: float,
    form: str = "{:.0f} ms",
    scale: float = 1e3,
    *,
    at_least: bool = False,
    note: str = "",
) -> Row:
    """The row of two things that were measured alternately: the median of how often one is the other.

    `form` shows the median of each, multiplied by `scale`, in the row; `note` is put behind that.
    """
    ratio = median(one / other for one, other in zip(ours, theirs, strict=True))
    seen = " against ".join(form.format(scale * median(one)) for one in (ours, theirs)) + note
    return Row(what=what, measured=ratio, limit=limit, at_least=at_least, seen=seen)


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


def replaced(page: str, results: str) -> str:
    """A page with other results between its two marks; raises ValueError where it has none."""
    changed, count = RESULTS.subn(lambda found: f"{found[1]}{results}\n{found[2]}", page)
    if count != 1:
        raise ValueError(f"the page has {count} places for results, and not one")
    return changed
