"""For how long silences together hold the same without a break, whoever made them, however often. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from router.domain.clocks import is_possible
from router.domain.recurrences import Window
from router.domain.silences import Silence

BREAK = timedelta(hours=1)
"""A pause between two silences that is shorter than this is none: the second one goes on with the first."""

_INSTANT = timedelta(microseconds=1)


def spans_between(silences: Iterable[Silence], since: datetime, until: datetime) -> list[Window]:
    """The spans in which any of some silences holds, of the windows that have an instant from one to before another.

    Windows that are not a whole break apart are one span. Windows are whole, so the first span may begin before `since`.
    """
    spans: list[Window] = []
    for window in sorted(window for one in silences for window in one.windows_between(since, until)):
        if spans and window.begins - spans[-1].ends < BREAK:
            spans[-1] = Window(spans[-1].begins, max(spans[-1].ends, window.ends))
        else:
            spans.append(window)
    return spans


def find_latest_end(silences: Iterable[Silence], now: datetime, longest: timedelta) -> datetime | None:
    """Until when at the latest silences hold what all of them cover, of which one holds now; None where none does.

    It is not after now where they have held it for the longest time already.
    """
    # What ended earlier is a whole break away from whatever began less than the longest time ago.
    spans = spans_between(
        [one for one in silences if is_possible(one.made, now)], now - longest - BREAK, now + _INSTANT
    )
    return spans[-1].begins + longest if spans and spans[-1].begins <= now < spans[-1].ends else None
