"""`Microsoft.Security/assessments`: what a recommendation of Defender says of one resource.

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
from router.domain.recommendations import find_recommendation, is_written_by_others
from router.domain.resources import parse_resource_id

_KINDS = {
    **dict.fromkeys(MACHINES, WorkloadKind.MACHINE),
    **dict.fromkeys(SQL_ON_MACHINES, WorkloadKind.SQL_ON_MACHINE),
    AKS_CLUSTER: WorkloadKind.CLUSTER,
    ARC_CLUSTER: WorkloadKind.CLUSTER,
}
_TYPE = "microsoft.security/assessments"
_PROVIDER = f"/providers/{_TYPE}/"


def reads(item: Item) -> bool:
    """Whether it is an assessment."""
    return item.type == _TYPE


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """What it says; nothing where it names no resource, or says no status that is known."""
    id = (item.id or "").lower()
    scope, _, key = id.partition(_PROVIDER)
    details = item.find("resourceDetails")
    resource = find_text(details, "id") or find_text(details, "resourceId") or scope
    code = (find_text(item.find("status", "code")) or find_text(item.body, "properties_status_code") or "").lower()
    if not resource or code not in ("healthy", "unhealthy", "notapplicable"):
        return
    resource = resource.rstrip("/")
    key = key or (find_text(item.body, "name") or "").lower()
    title = find_text(item.find("displayName")) or find_text(item.find("metadata", "displayName")) or ""
    if is_written_by_others(
        find_text(item.find("metadata", "assessmentType")) or find_text(item.find("assessmentType"))
    ):
        # Whoever may write recommendations calls them as they like.
        title = ""
    known = find_recommendation(key, title)
    if known is not None and known.retired is None and (named := _named(item, resource, known)) is not None:
        yield named
    yield RecommendationFact(
        subject=resource.lower(),
        recommendation=key,
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
