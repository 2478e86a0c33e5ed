"""What people read where something is closed: that it is over, or how else it ended, how long it stood, and what it was."""

from __future__ import annotations

from datetime import datetime

from router.destinations.wording.fitting import shorten
from router.destinations.wording.headlines import headline, reporter_of
from router.destinations.wording.times import length_between, time_words
from router.domain.notices import Notice

_FACT = 300
"""Characters of a fact."""


def ending_of(notice: Notice, opened: datetime | None, now: datetime, untold_since: datetime | None = None) -> str:
    """Who says that it is over, or how else it ended; and how long it stood, where that is known.

    `opened` is when the destination was first owed it, and `untold_since` when it was over, where nothing was told before that.
    """
    if notice.group is not None and notice.group.groups is not None:
        return "All that waited for room has a ticket of its own by now, or is over."
    stood = _length_of(opened, now) if untold_since is None else ""
    if notice.closing is None:
        untold = _untold(opened, untold_since) if untold_since is not None else ""
        return f"{untold}{reporter_of(notice)} reports that this is over.{stood}"
    package = notice.package.name if notice.package is not None else None
    facts = {"Resource": notice.resource, "Package": package, "Id": notice.id}
    lines = [f"{name}: {shorten(value, _FACT)}" for name, value in facts.items() if value]
    closing = f"{notice.closing[:1].upper()}{notice.closing[1:]}."
    return "\n".join([shorten(closing, _FACT) + stood, headline(notice, _FACT), *lines])


def _untold(opened: datetime | None, over: datetime) -> str:
    start = f"Opened {time_words(opened.isoformat())}, over" if opened is not None else "Over"
    return f"{start} {time_words(over.isoformat())}, before this could be told.\n"


def _length_of(opened: datetime | None, now: datetime) -> str:
    since = opened.isoformat() if opened is not None else None
    length = length_between(since, now)
    return f" It stood here for {length}, since {time_words(since)}." if length else ""
