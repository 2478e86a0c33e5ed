"""Whether a subscription has anything that a plan protects: a plan that nothing needs may be off. Pure."""

from __future__ import annotations

from router.coverage.case import CoverageCase
from router.coverage.facts import subscription_subject
from router.coverage.plans.table import PLAN_OF_KIND, DefenderPlan
from router.coverage.readers.resource_types import ResourceTypesFact
from router.coverage.remedies import command_line

TYPES_QUERY = (
    "resourcecontainers | where type =~ 'microsoft.resources/subscriptions' | project id, subscriptionId"
    " | join kind=leftouter (resources | summarize resourceTypes = make_set(tolower(type), 1000) by subscriptionId)"
    " on subscriptionId | project id, subscriptionId, resourceTypes"
)
"""A row for each subscription with the types of all its resources."""

ASK_TYPES = command_line("az", "graph", "query", "-q", TYPES_QUERY, "--first", "1000", "-o", "json")


def is_needed(case: CoverageCase, plan: DefenderPlan) -> bool | None:
    """Whether the subscription has what a plan protects; None where no document says it."""
    if not plan.protects:
        return True
    kinds = case.facts.kinds.get(subscription_subject(case.workload.subscription or ""), frozenset())
    said = case.about(ResourceTypesFact)
    if any(PLAN_OF_KIND.get(kind) is plan for kind in kinds) or any(one.types & plan.protects for one in said):
        return True
    return False if said else None
