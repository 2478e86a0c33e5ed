"""Alerts of Defender's, whatever form they come in: REST of 2015 to 2022, `az`, Resource Graph, and as they are exported.

https://learn.microsoft.com/rest/api/defenderforcloud/alerts
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, Source, source_of
from router.coverage.fields import find_text, find_time, find_truth, objects_at
from router.domain.catalogue import NO_SUBSCRIPTION, SAMPLE_GROUP, SAMPLE_NAME, SAMPLE_TITLE, SAMPLE_TYPE
from router.domain.resources import find_whole, parse_resource_id

_TYPES = ("microsoft.security/locations/alerts", "microsoft.security/alerts")
_PRODUCTS = ("microsoft defender for cloud", "azure security center")
_RULES = ("asi ", "customalertrule")  # Sentinel's, whose authors choose what the row says of a product
_HAPPENED = ("endTimeUtc", "endTime", "startTimeUtc", "startTime", "detectedTimeUtc")
_WRITTEN = ("timeGeneratedUtc", "timeGenerated", "reportedTimeUtc", "processingEndTimeUtc", "processingEndTime")
_NAMED = ("azureResourceId", "associatedResource", "resourceId")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFact:
    """That Defender raised an alert about a resource.

    Attributes:
        subject: the resource, in lower case.
        type: the alert's type, as it is written; its title where it has none.
        time: when what it is about happened; where that is not said, when it was written; None where neither is.
        is_sample: whether it may be one that Defender makes on request, about a resource that it makes up.
        source: where it stands.
    """

    subject: str
    type: str
    time: datetime | None
    is_sample: bool
    source: Source


def reads(item: Item) -> bool:
    """Whether it is an alert: an export of one says neither type nor id, yet has an id of its own."""
    return item.type in _TYPES or bool(find_text(item.body, "alertType") and find_text(item.body, "systemAlertId"))


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """One fact for each resource that the alert is about; nothing of an incident, which is made of alerts about others.

    An alert is about resources of its own subscription. One without an id is Defender's only where it says so.
    """
    product = (find_text(item.find("productName")) or "").lower()
    provider = (find_text(item.find("providerName")) or "").lower()
    own = (parse_resource_id(item.id).subscription or "").lower()
    vendor = (find_text(item.find("vendorName")) or "").lower()
    is_ours = product in _PRODUCTS or (not product and (own or vendor == "microsoft"))
    if find_truth(item.find("isIncident")) is True or not is_ours or provider.startswith(_RULES):
        return
    title = _first_text(item, "alertDisplayName", "displayName", "alertName") or ""
    type = _first_text(item, "alertType", "alertName") or title
    time = next((found for name in (*_HAPPENED, *_WRITTEN) if (found := find_time(item.find(name)))), None)
    written = _first_text(item, *_HAPPENED, *_WRITTEN)
    description = find_text(item.find("description")) or ""
    for resource in dict.fromkeys(_resources(item)):
        if own and not f"{resource}/".startswith(f"/subscriptions/{own}/"):
            continue
        yield AlertFact(
            subject=resource,
            type=type,
            time=time,
            is_sample=_is_sample(item, type, title, description, resource),
            source=source_of(item, written),
        )


def _first_text(item: Item, *names: str) -> str | None:
    return next((found for name in names if (found := find_text(item.find(name)))), None)


def _resources(item: Item) -> Iterator[str]:
    """The resources that it is about, in lower case; those of its entities may be somebody else's."""
    listed = [find_text(one, "azureResourceId") for one in objects_at(item.find("resourceIdentifiers"))]
    named = [find_text(item.find(name)) for name in _NAMED]
    effective = find_text(item.find("extendedProperties"), "effectiveAzureResourceId")
    for id in (*listed, *named, effective):
        if id and id.startswith("/"):
            resource = id.lower().rstrip("/")
            yield resource
            if (whole := find_whole(resource)) is not None:
                yield whole


def _is_sample(item: Item, type: str, title: str, description: str, resource: str) -> bool:
    """Whether anything says that it is a sample: in doubt it is one, and proves nothing.

    https://learn.microsoft.com/azure/defender-for-cloud/alert-validation
    """
    parts = parse_resource_id(resource)
    return (
        type.upper().startswith(SAMPLE_TYPE)
        or title.upper().startswith(SAMPLE_TITLE)
        or description.upper().startswith("THIS IS A SAMPLE ALERT")
        or find_truth(item.find("isSample")) is True
        or parts.subscription == NO_SUBSCRIPTION
        or (parts.resource_group == SAMPLE_GROUP and (parts.name or "").startswith(SAMPLE_NAME))
    )
