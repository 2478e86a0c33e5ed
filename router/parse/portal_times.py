"""Times as Azure's portal writes them into a CSV export: `2/25/2025, 9:19:25.391 AM`, or in another regional format.

With AM or PM the month stands first, as the portal writes it in English. Where neither stands there, only the time itself, or
another one in the same file, can tell which of the two numbers is the month.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import Enum

_WRITTEN = re.compile(
    r"\s*+(\d{1,2})/(\d{1,2})/(\d{4}),?\s++(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,7}))?\s*+(?:([AP])M)?\s*+", re.IGNORECASE
)
_NOON = 12


class DateOrder(Enum):
    """Which number of a date is its month."""

    MONTH_FIRST = "month first"
    DAY_FIRST = "day first"


EITHER = frozenset(DateOrder)


def orders_of(text: str) -> frozenset[DateOrder]:
    """The orders in which a text is a time as the portal writes it; none for any other text."""
    return frozenset(order for order in DateOrder if _time_in(text, order) is not None)


def is_doubtful(text: str) -> bool:
    """Whether a text is one time with the month first, and another one with the day first, and does not say which."""
    written = _WRITTEN.fullmatch(text)
    if written is None or written[8]:
        return False
    return orders_of(text) == EITHER and int(written[1]) != int(written[2])


def find_portal_time(text: str, order: DateOrder | None = None) -> datetime | None:
    """The time that a text is, in UTC; None where it is none, or where nothing says in which order it is written."""
    orders = orders_of(text)
    if order is None:
        if is_doubtful(text):
            return None
        order = DateOrder.MONTH_FIRST if DateOrder.MONTH_FIRST in orders else DateOrder.DAY_FIRST
    return _time_in(text, order)


def _time_in(text: str, order: DateOrder) -> datetime | None:
    written = _WRITTEN.fullmatch(text)
    if written is None:
        return None
    first, second, year, hour, minute, seconds = (int(written[place]) for place in range(1, 7))
    month, day = (first, second) if order is DateOrder.MONTH_FIRST else (second, first)
    if half := written[8]:
        if not 1 <= hour <= _NOON:
            return None
        hour = hour % _NOON + (_NOON if half in "Pp" else 0)
    try:
        return datetime(year, month, day, hour, minute, seconds, int((written[7] or "").ljust(6, "0")[:6]), UTC)
    except ValueError:
        return None
