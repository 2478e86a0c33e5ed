"""Workloads of Azure as objects show them: by their own document, or by an id that names them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from router.coverage.documents import Item
from router.coverage.facts import ResourceFact, Source, item_source, subscription_subject
from router.coverage.fields import find, find_text
from router.coverage.verdicts import Workload
from router.domain.coverage import WorkloadKind
from router.domain.resources import parse_resource_id

VIRTUAL_MACHINE = "microsoft.compute/virtualmachines"
SCALE_SET = "microsoft.compute/virtualmachinescalesets"
ARC_MACHINE = "microsoft.hybridcompute/machines"
MACHINES = (VIRTUAL_MACHINE, SCALE_SET, ARC_MACHINE)
SQL_ON_MACHINES = ("microsoft.sqlvirtualmachine/sqlvirtualmachines", "microsoft.azurearcdata/sqlserverinstances")
AKS_CLUSTER = "microsoft.containerservice/managedclusters"
ARC_CLUSTER = "microsoft.kubernetes/connectedclusters"

RESOURCE_KINDS: Mapping[str, WorkloadKind] = {
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
"""The kinds of the types whose documents say nothing but that there is one, each by its ARM type in lower case."""

SCOPES: Mapping[str, WorkloadKind] = {
    **RESOURCE_KINDS,
    **dict.fromkeys(MACHINES, WorkloadKind.MACHINE),
    **dict.fromkeys(SQL_ON_MACHINES, WorkloadKind.SQL_ON_MACHINE),
    AKS_CLUSTER: WorkloadKind.CLUSTER,
    ARC_CLUSTER: WorkloadKind.CLUSTER,
}
"""The kinds of all types of Azure that are judged."""

OFF_CLUSTERS = frozenset(
    {
        "ms_defender_container_exclude_sensors",
        "ms_defender_container_exclude_agents",
        "ms_defender_e2e_discovery_exclude",
    }
)
"""The tags, in lower case, that keep a sensor off a cluster where their value is `true`.
https://learn.microsoft.com/azure/defender-for-cloud/defender-for-containers-exclude-cluster"""

OFF_MACHINES = frozenset({"excludemdeautoprovisioning"})
"""Those on a machine. https://learn.microsoft.com/azure/defender-for-cloud/enable-defender-for-endpoint"""


def excluding(tags: Mapping[str, str], names: frozenset[str]) -> Mapping[str, str]:
    """The tags, as they are written, that keep a sensor off by one of these names."""
    return {
        name: value for name, value in tags.items() if name.strip().lower() in names and value.strip().lower() == "true"
    }


def resource_fact(
    item: Item, kind: WorkloadKind, *, is_stopped: bool | None = None, system: str | None = None
) -> ResourceFact | None:
    """The workload whose own document an object is; None where it has no ARM id."""
    id = (item.id or "").rstrip("/")
    if not id.startswith("/") or not (name := parse_resource_id(id).name):
        return None
    return ResourceFact(
        workload=_workload(kind, find_text(item.body, "name") or name, id),
        tags=_tags(item),
        is_stopped=is_stopped,
        system=system,
        source=item_source(item),
    )


def named_resource(item: Item, id: str, kind: WorkloadKind) -> ResourceFact:
    """A workload that an object names by its ARM id without being its document, so that nothing else is known of it."""
    return ResourceFact(workload=_workload(kind, parse_resource_id(id).name or id, id), source=item_source(item))


def subscription_fact(subscription: str, source: Source, name: str | None = None) -> ResourceFact:
    """A subscription that an object is, or is in; without a name it is called by its id."""
    id = subscription_subject(subscription)
    return ResourceFact(workload=_workload(WorkloadKind.SUBSCRIPTION, name or subscription.lower(), id), source=source)


def scope_fact(item: Item, scope: str) -> Iterator[ResourceFact]:
    """The subscription or the resource that a plan or a setting is about; nothing where none such is judged."""
    parts = parse_resource_id(scope)
    if parts.subscription and scope.lower() == subscription_subject(parts.subscription):
        yield subscription_fact(parts.subscription, item_source(item))
    elif (kind := SCOPES.get((parts.type or "").lower())) is not None and parts.name is not None:
        yield named_resource(item, scope, kind)


def find_scope(id: str | None, child: str) -> tuple[str, str] | None:
    """What stands before and after a child such as `/providers/microsoft.security/pricings/` in an id; None where it has none.

    A child of the child, as an operator of a plan is one, is another thing.
    """
    if id is None or (at := id.lower().rfind(child)) < 0:
        return None
    scope, name = id[:at].strip("/"), id[at + len(child) :].strip("/")
    return (f"/{scope}", name) if scope and name and "/" not in name else None


def _workload(kind: WorkloadKind, name: str, id: str) -> Workload:
    subscription = (parse_resource_id(id).subscription or "").lower() or None
    return Workload(kind=kind, name=name, id=id, subscription=subscription, subject=id.lower())


def _tags(item: Item) -> dict[str, str] | None:
    """The tags of a resource: none where the document says null, as `az` does; None where it does not speak of them."""
    tags = find(item.body, "tags")
    if isinstance(tags, Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    return {} if tags is None and any(str(key).lower() == "tags" for key in item.body) else None
