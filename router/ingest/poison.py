"""What became of those who tried an event before, and what that says of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum

from router.domain.journal import Mark

SUSPICION = 3
"""So many processes tried an event and did not finish it; then it is taken alone."""

CERTAINTY = 2
"""So many tried it alone and did not finish it; then it kills. One may have lived, and found storage down just then."""


class Fate(StrEnum):
    """What an event may do to who takes it in."""

    SUSPECTED = "suspected"
    KILLS = "kills"


def fates_of(numbers: Collection[int], others: Sequence[Mark]) -> dict[int, Fate]:
    """The numbers that other processes did not survive: `suspected`, or `kills` where some died with nothing beside it."""
    fates: dict[int, Fate] = {}
    for number in numbers:
        marks = [mark for mark in others if mark.span.first <= number <= mark.span.last]
        if len({mark.process for mark in marks if mark.alone}) >= CERTAINTY:
            fates[number] = Fate.KILLS
        elif len({mark.process for mark in marks}) >= SUSPICION:
            fates[number] = Fate.SUSPECTED
    return fates
