"""How old what a message said may be and still prove something. Pure.

Recommendations come at least once a week, as a snapshot of them all, so that one which is older missed a snapshot. How much
older it may be the manifest says, by how long it lets a source be silent.
https://learn.microsoft.com/azure/defender-for-cloud/continuous-export
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from router.coverage.facts import Source
from router.coverage.fields import time_of
from router.domain.clocks import is_possible
from router.domain.texts import counted

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def age_of(instant: datetime, now: datetime) -> str:
    """How old something of an instant is, in words: `9 days`."""
    seconds = int((now - instant).total_seconds())
    for unit, length in _UNITS:
        if seconds >= length:
            return counted(seconds // length, unit)
    return "less than a minute"


def why_stale(sources: Iterable[Source], now: datetime) -> str:
    """Why what messages said proves nothing any more, by the youngest of them."""
    known = [time for one in sources if (time := time_of(one.known_at or "")) is not None and is_possible(time, now)]
    if not known:
        return "what was last said of it is of an instant that cannot be, or of none"
    return f"what was last said of it is {age_of(max(known), now)} old"
