"""Times and lengths of time in words, for people of any zone and language."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_UNITS = (("day", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1)))


def time_words(written: str | None) -> str | None:
    """A time that is written in ISO 8601, as people read it: `2026-11-24 11:58 UTC`; what is no time stays as it is."""
    time = _find_time(written)
    return f"{time:%Y-%m-%d %H:%M} UTC" if time is not None else written


def moment_words(written: str | None) -> str | None:
    """The same to the second: signals of one minute have an order."""
    time = _find_time(written)
    return f"{time:%Y-%m-%d %H:%M:%S} UTC" if time is not None else written


def length_between(start: str | None, end: datetime | None) -> str | None:
    """How long it is from a written time to an instant, in words; None where one is not known, or the end is before."""
    begin = _find_time(start)
    if begin is None or end is None or end < begin:
        return None
    return length_words(end - begin)


def length_words(length: timedelta) -> str:
    """A length of time in its two largest units, as far as they are not nothing: `2 days 4 h`, `12 min`."""
    words: list[str] = []
    for name, unit in _UNITS:
        count, length = divmod(length, unit)
        if count:
            words.append(f"{count} {name}s" if name == "day" and count > 1 else f"{count} {name}")
        elif words:
            break
        if len(words) == 2:
            break
    return " ".join(words) or "less than a minute"


def _find_time(written: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(written) if written else None
        return time if time is None else time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
