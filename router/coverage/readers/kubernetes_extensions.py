"""`Microsoft.KubernetesConfiguration/extensions`: what Azure installs in a cluster, above all in one that Azure Arc connects.

Versions before 2021-09-01 call the state `installState`. Resource Graph has them in `kubernetesconfigurationresources`.
https://learn.microsoft.com/rest/api/kubernetesconfiguration/extensions
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, ResourceFact, Source, source_of
from router.coverage.fields import find_text
from router.coverage.verdicts import Workload
from router.coverage.workloads import AKS_CLUSTER, ARC_CLUSTER
from router.domain.coverage import WorkloadKind
from router.domain.resources import parse_resource_id

_TYPE = "microsoft.kubernetesconfiguration/extensions"
_PROVIDER = f"/providers/{_TYPE}"
_CLUSTERS = (ARC_CLUSTER, AKS_CLUSTER)


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesExtensionFact:
    """That a cluster has an extension, or none.

    Attributes:
        subject: the cluster in lower case.
        extension: the type of the extension in lower case, such as microsoft.azuredefender.kubernetes; empty for a list of
            extensions in which there is none.
        name: what it is called in its id, which people choose.
        state: `succeeded`, `failed`, `pending` or another one in lower case; None where the document does not say it.
        error: what went wrong, as it says itself; empty where it says nothing.
        source: where it stands.
    """

    subject: str
    extension: str
    name: str
    state: str | None
    error: str
    source: Source


def reads(item: Item) -> bool:
    """Whether it is an extension of a cluster."""
    return item.type == _TYPE and _PROVIDER in (item.id or "").lower()


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The extension, and the cluster that has it."""
    id = item.id or ""
    cluster = id[: id.lower().index(_PROVIDER)]
    parts = parse_resource_id(cluster)
    if parts.name is None or (parts.type or "").lower() not in _CLUSTERS:
        return
    source = source_of(item)
    state = find_text(item.find("provisioningState")) or find_text(item.find("installState"))
    yield ResourceFact(
        workload=Workload(
            kind=WorkloadKind.CLUSTER,
            name=parts.name,
            id=cluster,
            subscription=parts.subscription.lower() if parts.subscription else None,
            subject=cluster.lower(),
        ),
        source=source,
    )
    yield KubernetesExtensionFact(
        subject=cluster.lower(),
        extension=(find_text(item.find("extensionType")) or find_text(item.body, "name") or "").lower(),
        name=id[len(cluster) + len(_PROVIDER) :].strip("/"),
        state=state.lower() if state else None,
        error=find_text(item.find("errorInfo"), "message") or "",
        source=source,
    )
