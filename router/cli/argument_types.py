"""What the values of arguments mean: instants, files, directories."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, datetime
from pathlib import Path


def instant_in(text: str) -> datetime:
    """The instant that an ISO 8601 text names; UTC where it names no zone."""
    try:
        written = datetime.fromisoformat(text.strip())
        instant = (written if written.tzinfo else written.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"{text!r} is no time; write one such as 2026-11-24T12:00:00Z") from None
    if not 1970 <= instant.year < 9000:
        raise ArgumentTypeError(f"{text!r} is no time to route at; write one after 1970")
    return instant


def file_in(text: str) -> Path:
    """The file of that name, which is not `-`: standard output tells people what came of it."""
    if text == "-":
        raise ArgumentTypeError("'-' is no file; name one")
    return Path(text)


def directory_in(text: str) -> Path:
    """The directory of that name; an empty name, as a variable of a shell leaves it, names none."""
    if not text.strip():
        raise ArgumentTypeError(f"{text!r} is no directory; name one, such as . for this one")
    return Path(text)
