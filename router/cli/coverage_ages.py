"""How old what a gate goes by is, in words and for programs. Pure."""

from __future__ import annotations

from datetime import datetime

from router.coverage.fields import time_of
from router.coverage.recency import age_of
from router.domain.clocks import is_plausible
from router.domain.coverage import CoverageEvidence

NO_TIME = "no time said"
"""What is said of a file that does not say how old it is."""

_JUST_NOW = 60
"""Seconds within which something was asked just now."""


def instant_of(evidence: CoverageEvidence) -> datetime | None:
    """When a piece of evidence was known so, else when it says that it was; None where neither is said."""
    return time_of((evidence.time or "") if evidence.known_at is None else evidence.known_at)


def age_seconds(evidence: CoverageEvidence, now: datetime) -> int | None:
    """How old a piece of evidence is; below 0 where it is of a time to come, None where nothing is said."""
    instant = instant_of(evidence)
    return int((now - instant).total_seconds()) if instant is not None else None


def ago(instant: datetime | None, now: datetime) -> str:
    """How long ago something was: `3 days ago`."""
    if instant is None:
        return NO_TIME
    if not is_plausible(instant, now):
        return "of a time to come"
    return f"{age_of(instant, now)} ago" if (now - instant).total_seconds() >= _JUST_NOW else "just now"


def age_clause(evidence: CoverageEvidence, now: datetime) -> str:
    """What stands behind a line on a piece of evidence that was asked, or heard, at an instant; empty for that of a file."""
    return f", {ago(instant_of(evidence), now)}" if evidence.known_at is not None else ""
