"""`Microsoft.Security/pricings`: the plans, their sub-plans and extensions, at subscriptions and at single resources.

Booleans come as the texts `True` and `False`; `az` flattens `properties`; Resource Graph answers in whatever columns a query
names, which may leave the id out. https://learn.microsoft.com/rest/api/defenderforcloud/pricings
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, PlanFact, source_of, subscription_subject
from router.coverage.fields import find, find_text, find_truth, objects_at
from router.coverage.plans.table import PLANS
from router.coverage.workloads import find_scope, scope_fact
from router.domain.resources import find_subscription_id

_CHILD = "/providers/microsoft.security/pricings/"
_TYPE = "microsoft.security/pricings"
_NOTHING = re.compile(r"[PTYMWDHS0:.]*")
"""A duration of nothing, as ISO 8601 or as `az` prints it."""

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "pricingTier": ("properties_pricingTier", "tier", "pricing_tier"),
    "subPlan": ("properties_subPlan", "sub", "sub_plan"),
    "extensions": ("properties_extensions",),
    "resourcesCoverageStatus": ("properties_resourcesCoverageStatus",),
    "deprecated": ("properties_deprecated",),
    "name": ("plan", "planName", "pricingName"),
}
"""How a projection may call a field besides: Resource Graph's own names, and those of queries that go around."""


def reads(item: Item) -> bool:
    """Whether it is the pricing of a plan."""
    if item.id is not None:
        return find_scope(item.id, _CHILD) is not None
    if item.kind or item.type not in ("", _TYPE) or _column(item, "pricingTier") is None:
        return False
    return item.type == _TYPE or (find_text(_column(item, "name")) or "").lower() in PLANS


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The plan, and the subscription or the resource whose plan it is."""
    scope, name = find_scope(item.id, _CHILD) or (_scope_of_row(item), find_text(_column(item, "name")) or "")
    extensions = {title.lower(): one for one in _extensions(item) if (title := find_text(one, "name"))}
    remaining = find_text(item.find("freeTrialRemainingTime"))
    yield PlanFact(
        subject=scope.lower() if scope else None,
        plan=name.lower(),
        name=name,
        tier=(find_text(_column(item, "pricingTier")) or "").lower() or None,
        sub_plan=find_text(_column(item, "subPlan")),
        extensions={title: find_truth(one, "isEnabled") for title, one in extensions.items()},
        coverage=(find_text(_column(item, "resourcesCoverageStatus")) or "").lower() or None,
        is_inherited=find_truth(item.find("inherited")),
        inherited_from=find_text(item.find("inheritedFrom")),
        is_deprecated=find_truth(_column(item, "deprecated")) is True,
        failures={title: text for title, one in extensions.items() if (text := _failure(one)) is not None},
        exclusions={title: tags for title, one in extensions.items() if (tags := _exclusions(one))},
        free_for=None if remaining is None or _NOTHING.fullmatch(remaining) else remaining,
        is_enforced=find_truth(item.find("enforce")),
        managed_by=find_text(item.find("managedBy")),
        source=source_of(item),
    )
    if scope and (fact := scope_fact(item, scope)) is not None:
        yield fact


def _column(item: Item, field: str) -> object:
    """A field of an answer, whatever a projection calls it."""
    found = item.find(field)
    return (
        found
        if found is not None
        else next((value for name in _COLUMNS[field] if (value := find(item.body, name)) is not None), None)
    )


def _scope_of_row(item: Item) -> str | None:
    """The subscription of a row without an id: it says it itself, or the name before its file does."""
    said = find_text(item.body, "subscriptionId") or find_text(item.body, "subscription") or item.given or ""
    id = find_subscription_id(said)
    return subscription_subject(id) if id is not None else None


def _extensions(item: Item) -> list[Mapping[str, object]]:
    return objects_at(_parsed(_column(item, "extensions")))


def _failure(extension: Mapping[str, object]) -> str | None:
    """Why an extension is not on although it says so; only the answer to the request that switched it on tells."""
    if (find_text(extension, "operationStatus", "code") or "").lower() != "failed":
        return None
    return find_text(extension, "operationStatus", "message") or "no reason is given"


def _exclusions(extension: Mapping[str, object]) -> tuple[str, ...]:
    more = _parsed(find(extension, "additionalExtensionProperties"))
    tags = objects_at(_parsed(find(more, "ExclusionTags")))
    return tuple(f"{key}={find_text(one, 'value') or ''}" for one in tags if (key := find_text(one, "key")))


def _parsed(value: object) -> object:
    """A value, or what it holds where it is JSON in a text, as ExclusionTags always and columns of a table sometimes are."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None
