"""`Microsoft.Security/pricings`: the plans, their sub-plans and extensions, at subscriptions and at single resources.

Booleans come as the texts `True` and `False`. https://learn.microsoft.com/rest/api/defenderforcloud/pricings
"""

from __future__ import annotations

from collections.abc import Iterator

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, PlanFact, ResourceFact, source_of, subscription_subject
from router.coverage.fields import find_text, find_truth, objects_at
from router.domain.coverage import Workload, WorkloadKind
from router.domain.resources import parse_resource_id

_TYPE = "/providers/microsoft.security/pricings/"


def reads(item: Item) -> bool:
    """Whether it is the pricing of a plan."""
    return item.type == "microsoft.security/pricings" and _TYPE in (item.id or "").lower()


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The plan, and the subscription whose plan it is."""
    id = item.id or ""
    scope = id.lower()[: id.lower().index(_TYPE)]
    name = id[id.lower().index(_TYPE) + len(_TYPE) :]
    extensions = {
        title.lower(): one for one in objects_at(item.find("extensions")) if (title := find_text(one, "name"))
    }
    source = source_of(item, find_text(item.find("enablementTime")))
    yield PlanFact(
        subject=scope,
        plan=name.lower(),
        name=name,
        tier=(find_text(item.find("pricingTier")) or "").lower() or None,
        sub_plan=find_text(item.find("subPlan")),
        extensions={title: find_truth(one, "isEnabled") for title, one in extensions.items()},
        coverage=(find_text(item.find("resourcesCoverageStatus")) or "").lower() or None,
        is_inherited=find_truth(item.find("inherited")),
        is_deprecated=find_truth(item.find("deprecated")) is True,
        source=source,
    )
    subscription = parse_resource_id(id).subscription
    if subscription and scope == subscription_subject(subscription):
        workload = Workload(
            kind=WorkloadKind.SUBSCRIPTION,
            name=subscription.lower(),
            id=scope,
            subscription=subscription.lower(),
            subject=scope,
        )
        yield ResourceFact(workload=workload, source=source)
