"""How signals are looked up by what people have in hand: an id or a resource, whole or its end."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from router.domain.keys import signal_key
from router.domain.notices import RecordEntry


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
    """A text as look-ups have it: in lower case and backwards, so that all texts with one end begin alike."""
    return text.strip().lower()[::-1]


def written(ending: str) -> str:
    """The text, in lower case, that an ending was made of."""
    return ending[::-1]


def with_signal(entry: RecordEntry) -> RecordEntry:
    """A decision with the key of its signal, also where an older program put it on record, which did not say it."""
    if entry.signal is not None or entry.stream is None or entry.id is None:
        return entry
    return replace(entry, signal=signal_key(entry.stream, entry.kind, entry.id))
