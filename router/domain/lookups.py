"""How signals are looked up by what people have in hand: an id or a resource, whole or its end."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from router.domain.background import Earlier
from router.domain.keys import same_id
from router.domain.notices import Notice

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


class SignalAtResource(NamedTuple):
    """A signal at a resource, as who asks how often the same happened there before finds it.

    Attributes:
        signal: its key.
        id: Defender's id of it, in lower case.
        type: its type; None where it says none.
        sample: whether it is one of Defender's samples.
        decided: when it was last decided, repeats apart; None where that is not kept.
    """

    signal: str
    id: str
    type: str | None
    sample: bool
    decided: datetime | None


def earlier_of(
    found: Sequence[SignalAtResource], notice: Notice, before: datetime, counted: Collection[str], most: int
) -> Earlier | None:
    """How many of some signals at a notice's resource are of its type and were decided before an instant; None for none.

    Neither the notice's own signal counts, however its id is written and of whichever kind it came in, nor do those whose keys
    are `counted` elsewhere; samples count with samples alone. Beyond `most` signals there may be more.
    """
    own, type = same_id(notice.id), notice.type.casefold()
    others = [one for one in found[:most] if one.id != own and one.signal not in counted]
    alike = [
        one.decided
        for one in others
        if one.type is not None
        and one.type.casefold() == type
        and one.sample is notice.sample
        and one.decided is not None
        and one.decided < before
    ]
    if not alike:
        return None
    return Earlier(count=len(alike), last=max(alike), is_whole=len(found) <= most)


def ending(text: str) -> str:
    """The end of a text as look-ups have it: in lower case and backwards, so that all texts with one end begin alike."""
    return text.strip().lower()[: -LONGEST_ENDING - 1 : -1]


def written(ending: str) -> str:
    """The text, in lower case, that an ending was made of."""
    return ending[::-1]
