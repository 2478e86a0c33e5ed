"""Subscriptions that are disabled: nothing in them runs, and Defender's plans of them cannot be changed. Pure.

https://learn.microsoft.com/azure/cost-management-billing/manage/subscription-states
"""

from __future__ import annotations

from router.coverage.facts import ResourceFact
from router.coverage.judges import CoverageCase
from router.domain.coverage import Verdict, not_coverable


def find_disabled(case: CoverageCase) -> Verdict | None:
    """The verdict on a subscription that is disabled; None where no document says it, or one says that it is not."""
    said = [fact for fact in case.about(ResourceFact) if fact.is_stopped is not None]
    if not said or not all(fact.is_stopped for fact in said):
        return None
    return not_coverable("the subscription is disabled", said[0].source.shows("state", "Disabled"))
