"""Durations as they are written on the command line: 2h, 30m, 1h30m, 3d."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import timedelta

_DURATION = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,5})m)?", re.ASCII | re.IGNORECASE)
_MINUTE = 60


def duration_in(text: str) -> timedelta:
    """The duration that a text names: days, hours and minutes, at least one minute."""
    found = _DURATION.fullmatch(text.strip())
    days, hours, minutes = (int(part or 0) for part in found.groups()) if found is not None else (0, 0, 0)
    if not (duration := timedelta(days=days, hours=hours, minutes=minutes)):
        raise ArgumentTypeError(f"{text!r} is no duration; write one such as 2h, 30m, 1h30m or 30d")
    return duration


def written(duration: timedelta) -> str:
    """A duration as it is written there, to the minute; one that is shorter than that, in seconds."""
    seconds = max(0, round(duration.total_seconds()))
    if seconds < _MINUTE:
        return f"{seconds}s"
    minutes = seconds // _MINUTE
    parts = {"d": minutes // (24 * 60), "h": minutes // 60 % 24, "m": minutes % 60}
    return "".join(f"{number}{unit}" for unit, number in parts.items() if number)
