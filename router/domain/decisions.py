"""The decision on a signal, as a value that carries its reason."""

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
    """What a notice says of a signal: that it was opened, updated or resolved."""

    OPENED = "opened"
    UPDATED = "updated"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The decision on a signal. All tuples are sorted.

    Attributes:
        outcome: the outcome.
        reason: why that is the outcome.
        rulebook: the hash of the rulebook that was in force.
        notice: what people are notified of; None for nothing: destinations that only `always` names are not people.
        respond_by: when people should have answered, where a route says how soon.
        suppressed_by: the suppression rule that holds the signal.
        suppressed_until: when that rule ends.
        tactics: ATT&CK tactic ids.
        techniques: current ATT&CK technique ids.
        routes: the routes that matched.
        destinations: the destinations that are notified.
        people: those of the destinations that routes, or `otherwise`, name.
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
