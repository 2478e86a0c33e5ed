"""Web pages that a message names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A web page that a message names.

    Attributes:
        text: what it is called.
        url: its URL.
    """

    text: str
    url: str


_ENDS = frozenset(' <>|"\\')


def sound_link(link: str | None) -> str | None:
    """A link that can be one: https, and nothing in it that could end it early; else None."""
    if link is None or not link.startswith("https://"):
        return None
    return link if link.isascii() and link.isprintable() and not _ENDS.intersection(link) else None
