"""How bodies of documents are written as JSON, and read so that one that is damaged is None and nothing worse."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime


class BodyFields:
    """The fields of a body that was read; each look-up raises ValueError or TypeError where one is not what it must be."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        """A text."""
        value = self._fields.get(name)
        if not isinstance(value, str):
            raise TypeError(name)
        return value

    def instant(self, name: str) -> datetime:
        """An instant, in UTC."""
        instant = datetime.fromisoformat(self.text(name))
        if instant.tzinfo is None:
            raise ValueError(name)
        return instant.astimezone(UTC)

    def optional_instant(self, name: str) -> datetime | None:
        """An instant, in UTC; None where there is none."""
        return self.instant(name) if self._fields.get(name) is not None else None


def body_of(fields: Mapping[str, str | datetime | None]) -> bytes:
    """Fields as a body is stored: the same fields make the same bytes."""
    written = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()}
    return json.dumps(written, separators=(",", ":")).encode()


def find_in_body[T](body: bytes, read: Callable[[BodyFields], T]) -> T | None:
    """What is read out of a body; None where it does not decode."""
    try:
        fields = json.loads(body)
        return read(BodyFields(fields)) if isinstance(fields, dict) else None
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None
