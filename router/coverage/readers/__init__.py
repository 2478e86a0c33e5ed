"""Objects of documents -> facts. A reader passes over the fields that it does not know, and raises on nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from router.coverage.documents import CoverageDocument, Item
from router.coverage.facts import CoverageFact
from router.coverage.fields import find_text
from router.coverage.readers import clusters, kubernetes, machines, messages, plans, subscriptions
from router.coverage.stored import KEY, read_drill
from router.coverage.workloads import RESOURCE_KINDS, resource_fact

type Reader = Callable[[Item], Iterator[CoverageFact]]
"""Makes facts of an object; of one that is not of its sort, none."""


def _read_resource(item: Item) -> Iterator[CoverageFact]:
    """A resource that Defender watches from its own side, so that its document says no more than that it exists."""
    yield from filter(None, [resource_fact(item, RESOURCE_KINDS[item.type])])


_BY_TYPE: Mapping[str, Reader] = {
    **dict.fromkeys(RESOURCE_KINDS, _read_resource),
    "microsoft.compute/virtualmachines": machines.read_machine,
    "microsoft.compute/virtualmachinescalesets": machines.read_machine,
    "microsoft.hybridcompute/machines": machines.read_machine,
    "microsoft.compute/virtualmachines/extensions": machines.read_extension,
    "microsoft.compute/virtualmachinescalesets/extensions": machines.read_extension,
    "microsoft.hybridcompute/machines/extensions": machines.read_extension,
    "microsoft.sqlvirtualmachine/sqlvirtualmachines": machines.read_sql_machine,
    "microsoft.azurearcdata/sqlserverinstances": machines.read_sql_machine,
    "microsoft.containerservice/managedclusters": clusters.read_managed_cluster,
    "microsoft.kubernetes/connectedclusters": clusters.read_connected_cluster,
    "microsoft.kubernetesconfiguration/extensions": clusters.read_kubernetes_extension,
    "microsoft.security/securityconnectors": clusters.read_connector,
    "microsoft.security/pricings": plans.read_pricing,
    "microsoft.security/settings": plans.read_setting,
    "microsoft.security/defenderforstoragesettings": plans.read_switch,
    "microsoft.security/advancedthreatprotectionsettings": plans.read_switch,
    "microsoft.security/assessments": messages.read_assessment,
    "microsoft.security/alerts": messages.read_alert,
    "microsoft.security/locations/alerts": messages.read_alert,
    "microsoft.security/automations": subscriptions.read_listed,
    "microsoft.security/securityautomations": subscriptions.read_listed,
    "microsoft.security/alertssuppressionrules": subscriptions.read_listed,
    "microsoft.resources/subscriptions": subscriptions.read_subscription,
}
"""By the ARM type in lower case."""

_WITHOUT_TYPE: tuple[Reader, ...] = (
    subscriptions.read_subscription,
    machines.read_device,
    machines.read_sensor_health,
    clusters.read_eks_cluster,
    clusters.read_gke_cluster,
    clusters.read_last_row,
)


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """What an object says. One of a kind of Kubernetes, which users of a cluster may make, says nothing but of its cluster."""
    if item.kind:
        yield from kubernetes.facts_in(item)
    elif find_text(item.body, KEY) is not None:
        yield from read_drill(item)
    elif item.type:
        yield from _BY_TYPE[item.type](item) if item.type in _BY_TYPE else ()
    else:
        for reader in _WITHOUT_TYPE:
            yield from reader(item)


def read_facts(document: CoverageDocument) -> Iterator[CoverageFact]:
    """What a document says, its objects and its empty lists."""
    yield from document.facts
    for item in document.items:
        yield from facts_in(item)
    yield from machines.absent_extensions(document.items)
    yield from kubernetes.empty_lists_in(document)
    yield from kubernetes.unanswered_in(document)
