"""How the times of a CSV file are written: what tells which number is the month is looked for in all of it.

A state without its time could be put behind an older one, and an alert that is over would page. So a file is refused, in one
line, where one of its times cannot be read, or may be one day or another, or is in a zone that the file does not name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from router.domain.errors import BadFile
from router.parse.portal_times import EITHER, DateOrder, find_portal_time, is_doubtful, is_twofold, orders_of

_REMEDY = "export the table with its times as texts: extend TimeGenerated = tostring(TimeGenerated)"

_OF_ALERTS = frozenset(
    {
        "timegenerated", "timegeneratedutc", "processingendtime", "processingendtimeutc", "starttime", "starttimeutc",
        "endtime", "endtimeutc", "reportedtimeutc", "detectedtimeutc",
    }
)  # fmt: skip
"""The columns that say when an alert was, and which of its states is the newer."""

_ZONED = re.compile(r"(?P<name>\w+)(?P<zone>\s*[\[(].*)?", re.DOTALL)
_UTC = " [utc]"
_LONGEST = 80  # characters of a text that are said


class WrittenTimes(NamedTuple):
    """How the times of a file are written.

    Attributes:
        columns: the places of the columns that hold times.
        order: which of their numbers is the month; None where each says so itself.
    """

    columns: tuple[int, ...]
    order: DateOrder | None = None

    def iso(self, text: str) -> str:
        """A time of the file in ISO 8601; a text that is none, or is in that form, as it is."""
        if _is_iso(stripped := text.strip()):
            return stripped
        time = find_portal_time(text, self.order)
        return text if time is None else time.isoformat()


NO_TIMES = WrittenTimes(())
"""What a file without columns has."""


def read_times(name: str, header: Sequence[str], rows: Iterable[tuple[int, Sequence[str]]]) -> WrittenTimes:
    """How the times of a file are written, by all of its rows; raises BadFile where one of them is not told.

    Args:
        name: what the file is called.
        header: the names of its columns.
        rows: the line and the cells of each row that can be read.
    """
    columns = [_Column(index, written) for index, written in enumerate(header) if _is_time(written)]
    found = _Evidence()
    for line, cells in rows:
        for column in columns:
            text = cells[column.index] if column.index < len(cells) else ""
            if not text or text.isspace():
                continue
            if column.is_of_alerts and not column.is_in_utc:
                raise BadFile(
                    f"{name}:{line}: the column {_cut(column.written)} has {_cut(text)}, and its zone is not known; "
                    "set the portal to show times in UTC, and export again"
                )
            if _is_iso(text.strip()) or found.takes(line, text) or not column.is_of_alerts:
                continue
            raise BadFile(
                f"{name}:{line}: the column {_cut(column.written)} has {_cut(text)}, which is no time that can be read; "
                f"{_REMEDY}"
            )
    if (doubt := found.doubt) is not None:
        line, text = doubt
        raise BadFile(
            f"{name}:{line}: the time {text!r} may have the month first or the day first, and the other rows do not say which; "
            f"{_REMEDY}"
        )
    return WrittenTimes(tuple(column.index for column in columns if column.is_in_utc), found.order)


class _Column:
    """A column of times: its place, its name as it is written, and what the name says."""

    __slots__ = ("index", "is_in_utc", "is_of_alerts", "written")

    def __init__(self, index: int, written: str) -> None:
        self.index = index
        self.written = written
        named = _ZONED.fullmatch(written.lower())
        self.is_of_alerts = named is not None and named["name"] in _OF_ALERTS
        self.is_in_utc = named is not None and named["zone"] in (None, _UTC)


def _is_time(written: str) -> bool:
    return "time" in written.lower().partition("[")[0]


class _Evidence:
    """What the times of a file that were seen so far say of the order of its numbers."""

    def __init__(self) -> None:
        self._possible = EITHER
        self._doubtful: tuple[int, str] | None = None
        self._twofold: tuple[int, str] | None = None

    @property
    def order(self) -> DateOrder | None:
        """The order in which all of them are times; None where each says so itself."""
        return next(iter(self._possible)) if len(self._possible) == 1 else None

    @property
    def doubt(self) -> tuple[int, str] | None:
        """The line and the text of the first one that may be one day or another; None where there is none."""
        if self.order is not None:
            return None
        return self._doubtful if self._possible else self._twofold

    def takes(self, line: int, text: str) -> bool:
        """Whether a text is a time as the portal writes it; it is taken into account then."""
        orders = orders_of(text)
        if not orders:
            return False
        self._possible &= orders
        if self._twofold is None and is_twofold(text):
            self._twofold = (line, text)
        if self._doubtful is None and is_doubtful(text):
            self._doubtful = (line, text)
        return True


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _cut(text: str) -> str:
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")
