"""A window that comes again every week, as it is written: Sat 02:00-04:00 Europe/Berlin."""

from __future__ import annotations

import re
from datetime import time
from zoneinfo import ZoneInfo, available_timezones

from router.domain.silences import DAYS, Recurrence
from router.rulebook.validation_messages import hint

_FORM = re.compile(r"(?P<days>\S+)\s+(?P<begins>\d\d?:\d\d)\s*-\s*(?P<ends>\d\d?:\d\d)(?:\s+(?P<zone>\S+))?", re.ASCII)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WHOLE = {"daily": frozenset(range(7)), "weekdays": frozenset(range(5)), "weekends": frozenset({5, 6})}
_OF_MACHINES = frozenset({"localtime", "posixrules", "Factory"})
"""What is another zone on each machine, or none: every worker reads the windows, wherever it runs."""

_EXAMPLE = '"Sat 02:00-04:00 Europe/Berlin" or "Mon-Fri 22:00-02:00 UTC"'


def read_recurrence(text: str) -> Recurrence:
    """The windows that a text names; raises ValueError, which says what is wrong with it."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no window; write one such as {_EXAMPLE}")
    if found["zone"] is None:
        raise ValueError(f"{text!r} names no time zone; write one behind it, such as Europe/Berlin or UTC")
    begins, ends = _time_in(found["begins"]), _time_in(found["ends"])
    return Recurrence(_days_in(found["days"]), begins, ends, _zone_in(found["zone"]))


def _days_in(text: str) -> frozenset[int]:
    if (whole := _WHOLE.get(text.lower())) is not None:
        return whole
    days: set[int] = set()
    for part in text.split(","):
        first, sign, last = part.partition("-")
        begin, end = _day_in(first), _day_in(last if sign else first)
        # From Friday to Monday goes over the end of the week.
        days.update(number % 7 for number in range(begin, end + (7 if end < begin else 0) + 1))
    return frozenset(days)


def _day_in(text: str) -> int:
    number = next((number for number, day in enumerate(_DAYS) if len(text) > 1 and day.startswith(text.lower())), None)
    if number is None:
        raise ValueError(f"{text!r} is no day; write one of {', '.join(DAYS)}, as in {_EXAMPLE}")
    return number


def _time_in(text: str) -> time:
    hour, minute = map(int, text.split(":"))
    try:
        # The end of a day is the beginning of the next one.
        return time(0 if (hour, minute) == (24, 0) else hour, minute)
    except ValueError:
        raise ValueError(f"{text!r} is no time of the day; write one such as 02:00") from None


def _zone_in(text: str) -> str:
    known = available_timezones() - _OF_MACHINES
    named = {zone.lower(): zone for zone in known}
    if (zone := named.get(text.lower())) is None:
        raise ValueError(f"{text!r} is no time zone{hint(text, sorted(known)) or '; write one such as Europe/Berlin'}")
    try:
        ZoneInfo(zone)
    except (OSError, ValueError):
        raise ValueError(f"{text!r} cannot be read as a time zone on this machine; write UTC") from None
    return zone
