"""Numbers of things in words."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """A number of things, as in "1 problem" and "2,000 problems"."""
    return f"{number:,} {what}{'s' * (number != 1)}"
