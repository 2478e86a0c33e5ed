"""`Microsoft.Security/assessments`: what a recommendation of Defender says of one resource.

REST answers, rows of Resource Graph's `securityresources`, and what `az security assessment list` flattens.
https://learn.microsoft.com/rest/api/defenderforcloud/assessments
"""

from __future__ import annotations

from collections.abc import Iterator

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, RecommendationFact, source_of
from router.coverage.fields import find_text
from router.coverage.workloads import AKS_CLUSTER, ARC_CLUSTER, MACHINES, SQL_ON_MACHINES, named_resource
from router.domain.coverage import WorkloadKind
from router.domain.recommendations import find_recommendation
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
    known = find_recommendation(key, title)
    kind = _KINDS.get((parse_resource_id(resource).type or "").lower())
    # Whoever asked for the recommendations alone is to see the machine that one of them is about.
    if known is not None and known.retired is None and kind in known.kinds:
        yield named_resource(item, resource, kind)
    yield RecommendationFact(
        subject=resource.lower(),
        recommendation=key,
        title=title,
        code=code,
        cause=(find_text(item.find("status", "cause")) or "").lower(),
        source=source_of(item, find_text(item.find("status", "statusChangeDate"))),
    )
