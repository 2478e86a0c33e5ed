"""Entries of the quarantine, how long the state is stored, and what a purge removed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long the state is stored, counted from when nothing more is owed about it.

    Attributes:
        resolved: rows of the ledger, from when their signal was resolved.
        held: bodies of suppressed signals, from the end of their rule.
        payloads: what deliveries carried, from when they were sent.
    """

    resolved: timedelta = timedelta(days=90)
    held: timedelta = timedelta(days=30)
    payloads: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """How much a purge removed.

    Attributes:
        rows: rows of the ledger.
        bodies: bodies of suppressed signals.
        payloads: payloads of deliveries.
    """

    rows: int = 0
    bodies: int = 0
    payloads: int = 0
