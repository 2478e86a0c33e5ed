"""Windows that come again every week, in the local time of a zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
"""What the days of a week are called, as datetime counts them."""

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)


class Window(NamedTuple):
    """A span of time.

    Attributes:
        begins: its first instant.
        ends: the first instant after it.
    """

    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A window on some days of each week.

    Attributes:
        days: the days on which it begins, 0 for Monday to 6 for Sunday.
        begins: when it begins, by the clocks of the zone.
        ends: when it ends; on the day after, where that is no later than when it begins.
        zone: the zone, as the IANA database calls it.
    """

    days: frozenset[int]
    begins: time
    ends: time
    zone: str

    def __str__(self) -> str:
        days = ",".join(DAYS[day] for day in sorted(self.days))
        return f"{days} {self.begins:%H:%M}-{self.ends:%H:%M} {self.zone}"

    def windows_between(self, since: datetime, until: datetime) -> Iterator[Window]:
        """The windows that have an instant from one to before another, in their order, whole and in UTC."""
        zone = ZoneInfo(self.zone)
        # One that began the day before may still be open; and a zone's date is at most a day away from that in UTC.
        day = since.astimezone(zone).date() - _DAY
        while day <= until.astimezone(zone).date():
            if day.weekday() in self.days:
                ends = day if self.ends > self.begins else day + _DAY
                window = Window(
                    datetime.combine(day, self.begins, zone).astimezone(UTC),
                    datetime.combine(ends, self.ends, zone).astimezone(UTC),
                )
                if window.begins < until and window.ends > since and window.ends > window.begins:
                    yield window
            day += _DAY

    def find_window_at(self, now: datetime) -> Window | None:
        """The window that is open at an instant; of two that overlap where clocks are put back, the one that ends last."""
        open = [
            one for one in self.windows_between(now, now + timedelta(microseconds=1)) if one.begins <= now < one.ends
        ]
        return max(open, key=lambda one: one.ends, default=None)

    def find_next_window(self, now: datetime) -> Window | None:
        """The first window that begins at an instant or later; None only where clocks are put forward over each of them."""
        coming = self.windows_between(now, now + 3 * _WEEK)
        return next((one for one in coming if one.begins >= now), None)
