"""`Microsoft.Security/assessments`: what a recommendation of Defender says of the resource that its id hangs on.

REST answers, rows of Resource Graph's `securityresources`, what `az security assessment list` flattens, and what messages said.
https://learn.microsoft.com/rest/api/defenderforcloud/assessments
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from router.coverage.documents import Item
from router.coverage.facts import (
    CoverageFact,
    RecommendationFact,
    ResourceFact,
    Source,
    source_of,
    subscription_subject,
)
from router.coverage.fields import find, find_text
from router.coverage.stored import NOBODY_KNOWS_WHEN
from router.coverage.workloads import (
    AKS_CLUSTER,
    ARC_CLUSTER,
    MACHINES,
    SQL_ON_MACHINES,
    named_resource,
    subscription_fact,
)
from router.domain.coverage import WorkloadKind
from router.domain.recommendation_table import CoverageRecommendation
from router.domain.recommendations import find_proving, names_another, scope_of_assessment
from router.domain.resources import parse_resource_id

_KINDS = {
    **dict.fromkeys(MACHINES, WorkloadKind.MACHINE),
    **dict.fromkeys(SQL_ON_MACHINES, WorkloadKind.SQL_ON_MACHINE),
    AKS_CLUSTER: WorkloadKind.CLUSTER,
    ARC_CLUSTER: WorkloadKind.CLUSTER,
}
_TYPE = "microsoft.security/assessments"
_NAMED = ("id", "resourceId", "azureResourceId", "nativeResourceId")


def reads(item: Item) -> bool:
    """Whether it is an assessment."""
    return item.type == _TYPE


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """What it says; nothing where its id hangs on no resource, or it names another one, or says no status that is known."""
    id = item.id or ""
    resource = scope_of_assessment(id)
    code = (find_text(item.find("status", "code")) or find_text(item.body, "properties_status_code") or "").lower()
    if not resource or code not in ("healthy", "unhealthy", "notapplicable"):
        return
    details = item.find("resourceDetails")
    if any(names_another(resource, find_text(details, name)) for name in _NAMED):
        return
    key = id.rpartition("/")[2].lower()
    title = find_text(item.find("displayName")) or find_text(item.find("metadata", "displayName")) or ""
    type = find_text(item.find("metadata", "assessmentType")) or find_text(item.find("assessmentType"))
    known = find_proving(key, title, type)
    if known is not None and known.retired is None and (named := _named(item, resource, known)) is not None:
        yield named
    yield RecommendationFact(
        subject=resource.lower(),
        recommendation=key,
        known=known,
        title=title,
        code=code,
        cause=(find_text(item.find("status", "cause")) or "").lower(),
        source=_source(item),
    )


def _named(item: Item, resource: str, known: CoverageRecommendation) -> ResourceFact | None:
    """The workload that a recommendation on coverage is about: whoever asked for these alone is to see it."""
    parts = parse_resource_id(resource)
    if known.plan is not None and parts.subscription and resource.lower() == subscription_subject(parts.subscription):
        return subscription_fact(parts.subscription, source_of(item))
    kind = _KINDS.get((parts.type or "").lower())
    return named_resource(item, resource, kind) if kind is not None and kind in known.kinds else None


def _source(item: Item) -> Source:
    """Where it stands; what a message said has `seen`, the instant at which one last said so."""
    source = source_of(item, find_text(item.find("status", "statusChangeDate")))
    seen = find(item.body, "seen")
    return source if seen is None else replace(source, known_at=find_text(item.body, "seen") or NOBODY_KNOWS_WHEN)
