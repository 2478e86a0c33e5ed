"""The hubs' own clock, and time as AMQP counts it: in milliseconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
_UNIT = timedelta(milliseconds=1)

NEVER = -62_135_596_800_000
"""The first instant of the year 1, which the service gives where there is no time; azure-eventhub knows it, too."""


class Clock:
    """The time of the system, unless it was shifted."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        """The time at the hubs."""
        return datetime.now(UTC) + self.ahead


def millis(instant: datetime) -> int:
    """An instant as AMQP counts it."""
    return (instant - _ZERO) // _UNIT


def instant(millis: int) -> datetime:
    """An instant as Python has it."""
    return _ZERO + millis * _UNIT
