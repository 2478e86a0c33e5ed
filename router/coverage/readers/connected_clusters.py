"""`Microsoft.Kubernetes/connectedClusters`: clusters anywhere that Azure Arc connects.

https://learn.microsoft.com/rest/api/hybridkubernetes/connected-cluster
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, Source, source_of
from router.coverage.fields import find_text
from router.coverage.workloads import ARC_CLUSTER, resource_fact
from router.domain.coverage import WorkloadKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedClusterFact:
    """What Azure Arc says of a cluster.

    Attributes:
        subject: the cluster in lower case.
        connectivity: `connected`, `offline`, `expired` or another word in lower case; empty where the document does not say it.
        source: where it stands.
    """

    subject: str
    connectivity: str
    source: Source


def reads(item: Item) -> bool:
    """Whether it is a cluster that Azure Arc connects."""
    return item.type == ARC_CLUSTER


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The cluster, and whether Azure hears of it."""
    fact = resource_fact(item, WorkloadKind.CLUSTER)
    if fact is None:
        return
    yield fact
    yield ConnectedClusterFact(
        subject=fact.subject,
        connectivity=(find_text(item.find("connectivityStatus")) or "").lower(),
        source=source_of(item, find_text(item.find("lastConnectivityTime"))),
    )
