"""How long the state is stored, and what a purge removed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


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
