"""What is kept, how long, and what was taken away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from router.domain.ledger import Arrival
from router.domain.signals import Quarantined


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A quarantined body: where it came from, why it is here, and the whole of it."""

    id: str
    source: str
    arrival: Arrival
    stream: str | None
    at: datetime
    quarantined: Quarantined


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long things are kept, counted from when nothing more is owed about them."""

    resolved: timedelta = timedelta(days=90)
    held: timedelta = timedelta(days=30)
    payloads: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What retention took away."""

    rows: int = 0
    bodies: int = 0
    payloads: int = 0
