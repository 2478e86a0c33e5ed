"""Numbers of things in words."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """A number of things, as in "1 problem" and "2 problems"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
