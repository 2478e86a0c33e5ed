"""What every resource's own document says: id, name, tags. The types that have no reader of their own are read here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, ResourceFact, Source, source_of, subscription_subject
from router.coverage.fields import find, find_text
from router.domain.coverage import Workload, WorkloadKind
from router.domain.resources import parse_resource_id

KINDS: Mapping[str, WorkloadKind] = {
    "microsoft.containerregistry/registries": WorkloadKind.REGISTRY,
    "microsoft.sql/servers": WorkloadKind.SQL_SERVER,
    "microsoft.sql/managedinstances": WorkloadKind.SQL_SERVER,
    "microsoft.documentdb/databaseaccounts": WorkloadKind.COSMOS_DB,
    "microsoft.dbforpostgresql/servers": WorkloadKind.OPEN_SOURCE_DATABASE,
    "microsoft.dbforpostgresql/flexibleservers": WorkloadKind.OPEN_SOURCE_DATABASE,
    "microsoft.dbformysql/servers": WorkloadKind.OPEN_SOURCE_DATABASE,
    "microsoft.dbformysql/flexibleservers": WorkloadKind.OPEN_SOURCE_DATABASE,
    "microsoft.dbformariadb/servers": WorkloadKind.OPEN_SOURCE_DATABASE,
    "microsoft.storage/storageaccounts": WorkloadKind.STORAGE_ACCOUNT,
}
"""Which kind of workload each type is."""


def reads(item: Item) -> bool:
    """Whether it is a resource that Defender watches from its own side, so that nothing in it says more than that it exists."""
    return item.type in KINDS


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The resource."""
    if (fact := resource_fact(item, KINDS[item.type])) is not None:
        yield fact


def resource_fact(
    item: Item, kind: WorkloadKind, *, is_stopped: bool | None = None, system: str | None = None
) -> ResourceFact | None:
    """The workload that an object describes; None where it has no ARM id."""
    id = (item.id or "").rstrip("/")
    if not id.startswith("/") or not (name := parse_resource_id(id).name):
        return None
    subscription = parse_resource_id(id).subscription
    return ResourceFact(
        workload=Workload(
            kind=kind,
            name=find_text(item.body, "name") or name,
            id=id,
            subscription=subscription.lower() if subscription else None,
            subject=id.lower(),
        ),
        tags=_tags(item),
        is_stopped=is_stopped,
        system=system,
        source=source_of(item),
    )


def subscription_fact(subscription: str, source: Source) -> ResourceFact:
    """The subscription that something in it names."""
    subject = subscription_subject(subscription)
    return ResourceFact(
        workload=Workload(
            kind=WorkloadKind.SUBSCRIPTION,
            name=subscription.lower(),
            id=subject,
            subscription=subscription.lower(),
            subject=subject,
        ),
        source=source,
    )


def _tags(item: Item) -> dict[str, str] | None:
    """The tags of a resource: none where the document says null, as `az` does; None where it does not speak of them."""
    tags = find(item.body, "tags")
    if isinstance(tags, Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    return {} if tags is None and any(str(key).lower() == "tags" for key in item.body) else None


def named_resource(item: Item, id: str, kind: WorkloadKind) -> ResourceFact:
    """A workload that an object names by its ARM id without being its document, so that nothing else is known of it."""
    parts = parse_resource_id(id)
    return ResourceFact(
        workload=Workload(
            kind=kind,
            name=parts.name or id,
            id=id,
            subscription=parts.subscription.lower() if parts.subscription else None,
            subject=id.lower(),
        ),
        source=source_of(item),
    )
