"""Times as Azure's portal writes them into a CSV export: `2/25/2025, 9:19:25.391 AM`, or in another regional format.

The year may stand first, and then the month is next; between full stops the day stands first. Between slashes or hyphens either
may. AM and PM in capitals are English of the United States, which has the month first. Where none of these tells, only the time
itself, or another one in the same file, can say which of the two numbers is the month.

https://cldr.unicode.org/translation/date-time/date-time-patterns
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import Enum

_DATE = r"(?:(\d{1,2})([-/.])(\d{1,2})\2(\d{4})|(\d{4})([-/])(\d{1,2})\6(\d{1,2}))"
_CLOCK = r"(\d{1,2}):(\d{2}):(\d{2})(?:[.,](\d{1,7}))?"
_WRITTEN = re.compile(rf"\s*+{_DATE},?\s++{_CLOCK}\s*+(?:([AP])(?:M|\.\s?M\.))?\s*+", re.IGNORECASE)
_NOON = 12


class DateOrder(Enum):
    """Which number of a date is its month."""

    MONTH_FIRST = "month first"
    DAY_FIRST = "day first"


EITHER = frozenset(DateOrder)


def orders_of(text: str) -> frozenset[DateOrder]:
    """The orders of a file in which a text is a time as the portal writes it; none for any other text."""
    return frozenset(order for order in DateOrder if _time_in(text, order) is not None)


def is_twofold(text: str) -> bool:
    """Whether a text is one time with the month first, and another one with the day first."""
    return len({_time_in(text, order) for order in DateOrder} - {None}) == len(DateOrder)


def is_doubtful(text: str) -> bool:
    """Whether a text is one time with the month first, and another one with the day first, and does not say which."""
    return is_twofold(text) and not ("/" in text and "AM" in text.replace("PM", "AM"))


def find_portal_time(text: str, order: DateOrder | None = None) -> datetime | None:
    """The time that a text is, in UTC; None where it is none, or where nothing says in which order it is written."""
    if order is not None:
        return _time_in(text, order)
    if is_doubtful(text):
        return None
    return _time_in(text, DateOrder.MONTH_FIRST) or _time_in(text, DateOrder.DAY_FIRST)


def _time_in(text: str, order: DateOrder) -> datetime | None:
    written = _WRITTEN.fullmatch(text)
    if written is None:
        return None
    if written[5]:
        year, month, day = written[5], written[7], written[8]
    else:
        year, month, day = written[4], written[1], written[3]
        if written[2] == "." or order is DateOrder.DAY_FIRST:
            month, day = day, month
    hour = int(written[9])
    if half := written[13]:
        if not 1 <= hour <= _NOON:
            return None
        hour = hour % _NOON + (_NOON if half in "Pp" else 0)
    fraction = int((written[12] or "").ljust(6, "0")[:6])
    try:
        return datetime(int(year), int(month), int(day), hour, int(written[10]), int(written[11]), fraction, UTC)
    except ValueError:
        return None
