"""Instants as columns hold them: whole microseconds since 1970, UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import overload

type Clock = Callable[[], datetime]
"""Tells when a row that cannot be decoded was found."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@overload
def micros(time: datetime) -> int: ...
@overload
def micros(time: None) -> None: ...
def micros(time: datetime | None) -> int | None:
    """Return an instant as a column holds it."""
    return (time - EPOCH) // _MICROSECOND if time is not None else None


def instant(value: int) -> datetime:
    """Return the instant that a column holds."""
    return EPOCH + timedelta(microseconds=value)
