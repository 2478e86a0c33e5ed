"""What messages that came lately say of a subscription as a whole. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from router.coverage.facts import Facts, subscription_subject
from router.coverage.readers.sources import SourceFact
from router.coverage.verdicts import CoverageEvidence
from router.domain.clocks import is_possible


def find_healthy_rows(facts: Facts, subscription: str, now: datetime, within: timedelta) -> CoverageEvidence | None:
    """Where it stands that a snapshot lately brought rows that are Healthy; None where nothing says it."""
    for fact in facts.about(SourceFact, subscription_subject(subscription)):
        healthy = fact.heard.healthy
        if healthy is not None and is_possible(healthy, now) and now - healthy <= within:
            return fact.shows("healthy", healthy)
    return None
