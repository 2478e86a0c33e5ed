"""What is set aside until a person acts: messages that were not understood, and damaged rows of the state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from router.domain.ledger import Arrival
from router.domain.signals import Quarantined


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineEntry:
    """A body in quarantine: a message that was not understood, or a damaged row of the state.

    Attributes:
        id: the short id that people call it by.
        source: where it came from, as text for people.
        arrival: where in its source it stood, which is what a retake decides by.
        stream: the stream that it came in on, where that is known.
        at: when it was quarantined.
        quarantined: the reason, the field at fault, and the body.
    """

    id: str
    source: str
    arrival: Arrival
    stream: str | None
    at: datetime
    quarantined: Quarantined
