"""How signals are looked up by what people have in hand: an id or a resource, whole or its end."""

from __future__ import annotations

from typing import NamedTuple

LONGEST_ENDING = 512
"""Characters of an id by which it is looked up: an index of PostgreSQL holds 2,704 bytes of a text."""


class SignalLookup(NamedTuple):
    """A signal as a look-up finds it.

    Attributes:
        signal: its key.
        stream: its stream.
        id: Defender's id of it, in lower case.
        resource: its resource, in lower case; empty where it names none.
    """

    signal: str
    stream: str
    id: str
    resource: str


def ending(text: str) -> str:
    """The end of a text as look-ups have it: in lower case and backwards, so that all texts with one end begin alike."""
    return text.strip().lower()[: -LONGEST_ENDING - 1 : -1]


def written(ending: str) -> str:
    """The text, in lower case, that an ending was made of."""
    return ending[::-1]
