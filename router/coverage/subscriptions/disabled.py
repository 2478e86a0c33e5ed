"""Subscriptions that are disabled: nothing in them runs, and Defender's plans of them cannot be changed. Pure.

https://learn.microsoft.com/azure/cost-management-billing/manage/subscription-states
"""

from __future__ import annotations

from router.coverage.case import CoverageCase
from router.coverage.facts import ResourceFact
from router.coverage.verdicts import CoverageState, Verdict, not_coverable


def unless_disabled(case: CoverageCase, verdict: Verdict | None) -> Verdict | None:
    """A verdict on a subscription: where it is not covered, and no document says that it is enabled, that it is disabled."""
    if verdict is None or verdict.state is CoverageState.COVERED:
        return verdict
    said = [fact for fact in case.about(ResourceFact) if fact.is_stopped is not None]
    if not said or not all(fact.is_stopped for fact in said):
        return verdict
    return not_coverable("the subscription is disabled", said[0].source.shows("state", "Disabled"))
