"""What people write in a field of a form, or for an option: words, durations and instants."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from router.domain.errors import BadField
from router.domain.readable import one_line

_DURATION = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,5})m)?", re.ASCII | re.IGNORECASE)
_MINUTE = 60


def read_words(field: str, text: str) -> str:
    """Return what a person wrote in a field, on one line; raises BadField where that is nothing."""
    words = one_line(text).strip()
    if not words:
        raise BadField(field, "is empty; people will read it")
    return words


def read_duration(text: str) -> timedelta:
    """Return the duration that a text names, in days, hours and minutes: at least one minute. Raises ValueError."""
    found = _DURATION.fullmatch(text.strip())
    days, hours, minutes = (int(part or 0) for part in found.groups()) if found is not None else (0, 0, 0)
    if not (duration := timedelta(days=days, hours=hours, minutes=minutes)):
        raise ValueError(f"{text!r} is no duration; write one such as 2h, 30m, 1h30m or 30d")
    return duration


def duration_text(duration: timedelta) -> str:
    """Return a duration as it is written there, to the minute; one that is shorter, in seconds."""
    seconds = max(0, round(duration.total_seconds()))
    if seconds < _MINUTE:
        return f"{seconds}s"
    minutes = seconds // _MINUTE
    parts = {"d": minutes // (24 * 60), "h": minutes // 60 % 24, "m": minutes % 60}
    return "".join(f"{number}{unit}" for unit, number in parts.items() if number)


def read_instant(text: str) -> datetime:
    """Return the instant that an ISO 8601 text names, UTC where it names no zone. Raises ValueError."""
    try:
        written = datetime.fromisoformat(text.strip())
        instant = (written if written.tzinfo else written.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time; write one such as 2026-11-24T12:00:00Z") from None
    if not 1970 <= instant.year < 9000:
        raise ValueError(f"{text!r} is no time to route at; write one after 1970")
    return instant
