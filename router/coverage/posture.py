"""Whether a subscription has foundational CSPM, without which no recommendation says anything. Pure.

Recommendations come only where a subscription has it, and subscriptions made since 2026-10-27 have it only by choice. So one that is
Healthy, or absent, proves nothing unless posture is known to be on.
https://learn.microsoft.com/azure/defender-for-cloud/concept-cloud-security-posture-management
"""

from __future__ import annotations

from router.coverage.facts import Facts, PlanFact, subscription_subject

POSTURE_PLANS = ("foundationalcspm", "discovery", "cloudposture")
"""The plans of which one that is on means that recommendations come: the first two cost nothing, the last one is Defender CSPM."""


def is_posture_known_on(facts: Facts, subscription: str | None) -> bool:
    """Whether the documents prove that recommendations come for the resources of a subscription, which is named by its id."""
    if subscription is None:
        return False
    plans = facts.about(PlanFact, subscription_subject(subscription))
    return any(_is_on([one for one in plans if one.plan == name]) for name in POSTURE_PLANS)


def _is_on(said: list[PlanFact]) -> bool:
    """Whether every answer that says the tier of a plan says that it is on; of two that differ the worse one counts."""
    tiers = {one.tier for one in said if one.tier is not None}
    return tiers == {"standard"}
