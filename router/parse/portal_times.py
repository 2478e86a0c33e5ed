"""Times as Azure's portal writes them into a CSV export, if their form says which number is the month.

With the year first the month is next; between full stops the day stands first; `2/25/2025, 9:19:25.391 AM`, with AM or PM in
capitals, is English of the United States. Other regional formats are no times here.

https://cldr.unicode.org/translation/date-time/date-time-patterns
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_CLOCK = r",?\s++(?P<hour>\d{1,2}):(?P<minute>\d{2}):(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,7}))?\s*+"
_HALF = r"(?:(?P<half>[APap])(?:[Mm]|\.\s?[Mm]\.))?\s*+"
_FORMS = (
    re.compile(rf"\s*+(?P<month>\d{{1,2}})/(?P<day>\d{{1,2}})/(?P<year>\d{{4}}){_CLOCK}(?P<half>[AP])M\s*+"),
    re.compile(rf"\s*+(?P<year>\d{{4}})(?P<mark>[-/])(?P<month>\d{{1,2}})(?P=mark)(?P<day>\d{{1,2}}){_CLOCK}{_HALF}"),
    re.compile(rf"\s*+(?P<day>\d{{1,2}})\.(?P<month>\d{{1,2}})\.(?P<year>\d{{4}}){_CLOCK}{_HALF}"),
)
_NOON = 12


def find_portal_time(text: str) -> datetime | None:
    """Return the time that a text is, in UTC; None if it is none."""
    found = next((found for form in _FORMS if (found := form.fullmatch(text))), None)
    if found is None:
        return None
    hour, fraction = int(found["hour"]), int((found["fraction"] or "").ljust(6, "0")[:6])
    if half := found["half"]:
        if not 1 <= hour <= _NOON:
            return None
        hour = hour % _NOON + (_NOON if half in "Pp" else 0)
    year, month, day, minute, second = (int(found[name]) for name in ("year", "month", "day", "minute", "second"))
    try:
        return datetime(year, month, day, hour, minute, second, fraction, UTC)
    except ValueError:
        return None
