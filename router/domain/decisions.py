"""The decision on a signal, as a value that carries its reason."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from router.domain.values import Value


class Code(StrEnum):
    """The closed set of reasons that decisions carry."""

    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    UNKNOWN_SHAPE = "unknown_shape"
    WRONG_STREAM = "wrong_stream"
    TOO_LARGE = "too_large"
    INVALID = "invalid"
    INTERNAL = "internal"
    STATUS = "status"
    KIND = "kind"
    FLOOR = "floor"
    RULE = "rule"
    SILENCE = "silence"
    ROUTES = "routes"
    OTHERWISE = "otherwise"
    SAME = "same"
    OLDER = "older"
    NO_DESTINATION = "no_destination"
    DAMAGED = "damaged"
    NOT_SEEN = "not_seen"
    EXEMPT = "exempt"


class Reason(NamedTuple):
    """Why a decision is what it is."""

    code: Code
    words: str = ""

    def __str__(self) -> str:
        return f"{self.code}: {self.words}" if self.words else str(self.code)


class Outcome(StrEnum):
    """The seven ways a message can end; each message ends in exactly one."""

    QUARANTINED = "quarantined"
    RESOLVED = "resolved"
    NOTED = "noted"
    BELOW_FLOOR = "below_floor"
    SUPPRESSED = "suppressed"
    ROUTED = "routed"
    REPEAT = "repeat"


OUTCOMES = {
    Outcome.QUARANTINED: "quarantined",
    Outcome.BELOW_FLOOR: "below the floor",
    Outcome.SUPPRESSED: "suppressed",
    Outcome.NOTED: "noted",
    Outcome.REPEAT: "repeats",
    Outcome.RESOLVED: "resolved",
    Outcome.ROUTED: "routed",
}
"""Outcomes in the order of the funnel, widest first to what people are told."""


class Change(StrEnum):
    """What a notice says of a signal: that it was opened, updated or resolved."""

    OPENED = "opened"
    UPDATED = "updated"
    RESOLVED = "resolved"


class StepCode(StrEnum):
    """The closed set of steps that lead to a decision: what was asked, and what the answer was."""

    NOT_UNDERSTOOD = "message.not_understood"
    ATTACK_KNOWN = "attack.known"
    ATTACK_UNKNOWN = "attack.unknown"
    RESOLVED_YES = "resolved.yes"
    SNAPSHOTS_UNSEEN = "snapshots.unseen"
    RESOLVED_NO = "resolved.no"
    NOTED_YES = "noted.yes"
    NOTED_NO = "noted.no"
    FLOOR_BELOW = "floor.below"
    FLOOR_PASSED = "floor.passed"
    SEVERITY_ASSUMED = "severity.assumed"
    FLOOR_UNKNOWN = "floor.unknown"
    FLOOR_COVERAGE = "floor.coverage"
    SUPPRESSION_HELD = "suppression.held"
    SUPPRESSION_NONE = "suppression.none"
    SILENCE_REFUSED = "silence.refused"
    SILENCE_SPENT = "silence.spent"
    ROUTE_MATCHED = "route.matched"
    ROUTE_OTHERWISE = "route.otherwise"
    LEDGER_OLDER = "ledger.older"
    LEDGER_SAME = "ledger.same"
    LEDGER_NEVER_NOTIFIED = "ledger.never_notified"
    LEDGER_OPEN = "ledger.open"
    LEDGER_STATUS = "ledger.status"
    LEDGER_AGAIN = "ledger.again"
    LEDGER_STILL_HELD = "ledger.still_held"
    LEDGER_UNCHANGED = "ledger.unchanged"


class DecisionStep(NamedTuple):
    """One step of a decision."""

    code: StepCode
    rule: str | None = None

    def __str__(self) -> str:
        return self.code if self.rule is None else f"{self.code}={self.rule}"


# Made for every message, and out of as many different ones as there are routes and rules that answer.
@lru_cache(maxsize=1024)
def written_steps(steps: tuple[DecisionStep, ...]) -> tuple[str, ...]:
    """Steps as they stand on record."""
    return tuple(map(str, steps))


class Decision(Value, kw_only=True):
    """The decision on a signal. All tuples but the steps are sorted.

    Attributes:
        notice: what people are notified of; None for nothing: destinations that only `always` names are not people.
        people: those of the destinations that routes, or `otherwise`, name.
    """

    outcome: Outcome
    reason: Reason
    rulebook: str
    notice: Change | None = None
    respond_by: datetime | None = None
    suppressed_by: str | None = None
    suppressed_until: datetime | None = None
    shadowed_by: tuple[str, ...] = ()
    tactics: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    steps: tuple[DecisionStep, ...] = ()
