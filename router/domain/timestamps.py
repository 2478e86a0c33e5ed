"""How instants are written where people and programs read them."""

from __future__ import annotations

from datetime import datetime


def timestamp(instant: datetime) -> str:
    """An instant in UTC as ISO 8601 has it, to the second: 2026-11-24T12:00:00Z."""
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
