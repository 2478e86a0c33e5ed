"""Finds poison messages: whether an event may be what killed the processes that were ingesting it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum

from router.domain.journal import InFlightMarker

SUSPICION = 3
"""So many processes left a marker on an event, which none of them finished; then the event is ingested alone."""

CERTAINTY = 2
"""So many left a marker on it while they ingested nothing else; then it is poison. One may have lived, without its state."""


class PoisonVerdict(StrEnum):
    """What the markers of other processes say about an event.

    Attributes:
        SUSPECTED: it may be poison, and is ingested with nothing beside it.
        POISONOUS: it is poison, and is quarantined unread.
    """

    SUSPECTED = "suspected"
    POISONOUS = "poisonous"


def verdicts_on(numbers: Collection[int], others: Sequence[InFlightMarker]) -> dict[int, PoisonVerdict]:
    """The verdicts on those sequence numbers that the markers of other processes speak against."""
    verdicts: dict[int, PoisonVerdict] = {}
    for number in numbers:
        markers = [marker for marker in others if marker.span.first <= number <= marker.span.last]
        if len({marker.process for marker in markers if marker.alone}) >= CERTAINTY:
            verdicts[number] = PoisonVerdict.POISONOUS
        elif len({marker.process for marker in markers}) >= SUSPICION:
            verdicts[number] = PoisonVerdict.SUSPECTED
    return verdicts
