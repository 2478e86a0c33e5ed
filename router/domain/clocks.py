"""Which stored instants count: one further ahead than the program ever sets it was set by a clock that was wrong."""

from __future__ import annotations

from datetime import datetime, timedelta

SKEW = timedelta(minutes=5)
"""By how much the clocks of two workers that are right may differ."""

AHEAD = timedelta(days=1)
"""How far a message's own time may run ahead of when it came in; vendors write local times, too."""


def is_plausible(told: datetime, now: datetime) -> bool:
    """Whether a time that others told may be right."""
    return told - now <= AHEAD


def is_possible(instant: datetime, now: datetime, ahead: timedelta = timedelta()) -> bool:
    """Whether the program can have set an instant that it sets at most so far ahead."""
    return instant - now <= ahead + SKEW


def latest(now: datetime, ahead: timedelta = timedelta()) -> datetime:
    """The latest instant that the program can have set which it sets at most so far ahead."""
    return now + ahead + SKEW


def is_recent(instant: datetime, now: datetime, span: timedelta) -> bool:
    """Whether an instant lies less than a span back; one that is not possible is not recent."""
    return now - instant < span and is_possible(instant, now)
