"""A signal's fate as a value that carries its reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from router.domain.reasons import Reason


class Outcome(StrEnum):
    """The seven ways a message can end; each message ends in exactly one."""

    QUARANTINED = "quarantined"
    RESOLVED = "resolved"
    NOTED = "noted"
    BELOW_FLOOR = "below_floor"
    SUPPRESSED = "suppressed"
    ROUTED = "routed"
    REPEAT = "repeat"


class Change(StrEnum):
    """What a notice tells: that a signal was opened, updated or resolved."""

    OPENED = "opened"
    UPDATED = "updated"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A signal's fate: what becomes of it, why, and who is told.

    `notice` is None where people are told nothing: `always` destinations alone are not people. `respond_by` is when they
    should have answered, where a route says how soon. `tactics` are ATT&CK
    tactic ids and `techniques` current ATT&CK technique ids. `people` are those of the destinations that routes, or
    `otherwise`, name. All tuples are sorted.
    """

    outcome: Outcome
    reason: Reason
    rulebook: str
    notice: Change | None = None
    respond_by: datetime | None = None
    suppressed_by: str | None = None
    suppressed_until: datetime | None = None
    tactics: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
