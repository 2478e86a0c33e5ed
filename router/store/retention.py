"""How long what is kept stays, and by which clock it is forgotten. Pure.

Dead letters, the quarantine, and what is held or owed never go by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from msgspec import field

from router.domain.decisions import Outcome
from router.domain.values import Value

_DAY = timedelta(days=1)

LONGEST = 90 * _DAY
"""How long everything is kept that ended, or of which nothing came since, but for what is below the floor."""

COUNTS = 400 * _DAY
"""How long counts are kept: a year can be held against the year before."""

SESSIONS = _DAY
"""How long it is known that a session was: what it began with begins no other one meanwhile."""

AGAIN = 30 * _DAY
"""When a signal is looked at again that is old enough to go and that something still needs."""

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
"""Before that a clock is wrong, since this program is younger: a machine without a battery begins in 1970."""

CONFIRMED = timedelta(hours=1)
"""How much later another look must be that confirms what a clock showed: one wrong for a minute forgets nothing."""

DAYS: Mapping[Outcome, timedelta] = dict.fromkeys(Outcome, LONGEST) | {Outcome.BELOW_FLOOR: 14 * _DAY}
"""How long decisions are kept, unless a setting says otherwise, and signals after their last message or their end."""


class Retention(Value, kw_only=True):
    """How long a decision is on record, by its outcome; its deliveries stay as long."""

    decisions: Mapping[Outcome, timedelta] = field(default_factory=lambda: DAYS)

    @property
    def deliveries(self) -> timedelta:
        """How long what was delivered may stay at most: as long as any decision, since the record's second home gets all."""
        return max(self.decisions.values())


class ClockWitness(NamedTuple):
    """What is known of the clocks by which the state is forgotten.

    Attributes:
        trusted: the last instant that a later look confirmed; None before any was.
        seen: what a clock showed since, which none has confirmed yet.
    """

    trusted: datetime | None = None
    seen: datetime | None = None


def witness_after(before: ClockWitness, now: datetime) -> ClockWitness:
    """Return what is known of the clocks after a look at one: what a look at least an hour before showed is confirmed."""
    if before.seen is None or now < before.seen:
        return before._replace(seen=now)
    return ClockWitness(before.seen, now) if now >= before.seen + CONFIRMED else before


def forgets_by(witness: ClockWitness, now: datetime) -> datetime | None:
    """Return the instant by which the state may be forgotten; None while no clock is confirmed."""
    return min(now, witness.trusted) if witness.trusted is not None else None


class Forgotten(NamedTuple):
    """How many rows were taken away or marked, and whether nothing more is old enough."""

    number: int
    is_done: bool
