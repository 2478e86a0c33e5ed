"""What Defender says of resources: recommendations, `Microsoft.Security/assessments`, and alerts.

https://learn.microsoft.com/rest/api/defenderforcloud/assessments, https://learn.microsoft.com/rest/api/defenderforcloud/alerts
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import replace
from datetime import datetime

from router.coverage.documents import Item
from router.coverage.facts import (
    CoverageFact,
    RecommendationFact,
    ResourceFact,
    item_source,
    subscription_subject,
)
from router.coverage.fields import find, find_text, find_time, objects_at
from router.coverage.stored import NO_INSTANT
from router.coverage.workloads import SCOPES, named_resource, subscription_fact
from router.domain.catalogue import NO_SUBSCRIPTION, SAMPLE_GROUP, SAMPLE_NAME, SAMPLE_TITLE, SAMPLE_TYPE
from router.domain.recommendations import CoverageRecommendation, find_proving, names_another, scope_of_assessment
from router.domain.resources import find_whole, parse_resource_id

_IDS = ("id", "resourceId", "azureResourceId", "nativeResourceId")
_PRODUCTS = ("microsoft defender for cloud", "azure security center")
_RULES = ("asi ", "customalertrule")  # Sentinel's, whose authors choose what the row says of a product
_HAPPENED = ("endTimeUtc", "startTimeUtc", "detectedTimeUtc", "timeGeneratedUtc", "processingEndTimeUtc")
"""When what an alert is about happened; where no field says that, when it was written."""


class AlertFact(CoverageFact, kw_only=True):
    """That Defender raised an alert about a resource: its type, else its title, when what it is about happened.

    A sample is one that Defender may have made on request, about a resource that it makes up.
    """

    type: str
    time: datetime | None
    is_sample: bool


def read_assessment(item: Item) -> Iterator[CoverageFact]:
    """What it says; nothing where its id hangs on no resource, or it names another one, or says no status that is known."""
    id = item.id or ""
    resource = scope_of_assessment(id)
    code = item.word("status", "code")
    if not resource or code not in ("healthy", "unhealthy", "notapplicable"):
        return
    source, details = item_source(item, item.text("status", "statusChangeDate")), item.find("resourceDetails")
    if find(item.body, "seen") is not None:
        # A message said it, which has the instant at which one last did.
        source = replace(source, known_at=find_text(item.body, "seen") or NO_INSTANT)
    if any(names_another(resource, find_text(details, name)) for name in _IDS):
        return
    key = id.rpartition("/")[2].lower()
    title = item.text("displayName") or item.text("metadata", "displayName") or ""
    known = find_proving(key, title, item.text("metadata", "assessmentType") or item.text("assessmentType"))
    if known is not None and known.retired is None:
        yield from _resource(item, resource, known)
    yield RecommendationFact(
        subject=resource.lower(),
        recommendation=key,
        known=known,
        title=title,
        code=code,
        cause=item.word("status", "cause") or "",
        source=source,
    )


def _resource(item: Item, resource: str, known: CoverageRecommendation) -> Iterator[ResourceFact]:
    """The workload that a recommendation on coverage is about, which no other document may name."""
    parts = parse_resource_id(resource)
    if known.plan is not None and parts.subscription and resource.lower() == subscription_subject(parts.subscription):
        yield subscription_fact(parts.subscription, item_source(item))
    kind = SCOPES.get((parts.type or "").lower())
    if kind in known.kinds:
        yield named_resource(item, resource, kind)


def read_alert(item: Item) -> Iterator[CoverageFact]:
    """One fact for each resource that the alert is about; nothing of an incident, which is made of alerts about others.

    An alert is about resources of its own subscription. One without an id is Defender's only where it says so.
    """
    product = item.word("productName")
    own = (parse_resource_id(item.id).subscription or "").lower()
    is_ours = product in _PRODUCTS or (not product and own)
    if item.truth("isIncident") is True or not is_ours or (item.word("providerName") or "").startswith(_RULES):
        return
    title = item.text("alertDisplayName") or item.text("alertName") or ""
    type = item.text("alertType") or title
    written = next((text for name in _HAPPENED if (text := item.text(name))), None)
    time = next((found for name in _HAPPENED if (found := find_time(item.find(name)))), None)
    for resource in dict.fromkeys(_resources(item)):
        if not own or f"{resource}/".startswith(f"/subscriptions/{own}/"):
            yield AlertFact(
                subject=resource,
                type=type,
                time=time,
                is_sample=_is_sample(item, type, title, resource),
                source=item_source(item, written),
            )


def _resources(item: Item) -> Iterator[str]:
    """The resources that it is about, in lower case; those of its entities may be another's."""
    listed = [find_text(one, "azureResourceId") for one in objects_at(item.find("resourceIdentifiers"))]
    effective = item.text("extendedProperties", "effectiveAzureResourceId")
    for id in (*listed, item.text("associatedResource"), effective):
        if id and id.startswith("/"):
            resource = id.lower().rstrip("/")
            yield resource
            if (whole := find_whole(resource)) is not None:
                yield whole


def _is_sample(item: Item, type: str, title: str, resource: str) -> bool:
    """Whether anything says that it is a sample: in doubt it is one, and proves nothing.

    https://learn.microsoft.com/azure/defender-for-cloud/alert-validation
    """
    parts = parse_resource_id(resource)
    return (
        type.upper().startswith(SAMPLE_TYPE)
        or title.upper().startswith(SAMPLE_TITLE)
        or (item.text("description") or "").upper().startswith("THIS IS A SAMPLE ALERT")
        or item.truth("isSample") is True
        or parts.subscription == NO_SUBSCRIPTION
        or (parts.resource_group == SAMPLE_GROUP and (parts.name or "").startswith(SAMPLE_NAME))
    )
