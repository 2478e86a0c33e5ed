"""Clusters as Azure, AWS and Google describe them, their extensions, the connectors to other clouds, and rows of sensors.

https://learn.microsoft.com/rest/api/aks/managed-clusters, https://learn.microsoft.com/rest/api/hybridkubernetes/connected-cluster,
https://learn.microsoft.com/rest/api/kubernetesconfiguration/extensions,
https://learn.microsoft.com/rest/api/defenderforcloud/security-connectors,
https://docs.aws.amazon.com/eks/latest/APIReference/API_Cluster.html,
https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters,
https://learn.microsoft.com/azure/azure-monitor/reference/tables/cloudprocessevents
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, ResourceFact, item_source
from router.coverage.fields import find, find_list, find_text, find_truth, objects_at, whole_objects_at
from router.coverage.verdicts import Workload
from router.coverage.workloads import AKS_CLUSTER, ARC_CLUSTER, named_resource, resource_fact
from router.domain.coverage import WorkloadKind
from router.domain.resources import location_named, parse_resource_id


class ClusterProfileFact(CoverageFact, kw_only=True):
    """What a managed cluster's own document says of Defender.

    Attributes:
        has_sensor: whether the security profile asks for the sensor; None where a projection left the profile out.
        sensor_field: where that stands, which depends on the version of the API.
        has_policy: whether the Azure Policy add-on is on.
        node_group: in which resource group its nodes are; empty where the document does not say it.
    """

    has_sensor: bool | None
    sensor_field: str
    has_policy: bool
    node_group: str


class ConnectedClusterFact(CoverageFact, kw_only=True):
    """How Azure Arc sees a cluster: `connected`, `offline`, `expired` or another word; empty where it does not say."""

    connectivity: str


class KubernetesExtensionFact(CoverageFact, kw_only=True):
    """That a cluster has an extension, or none: its type, such as microsoft.azuredefender.kubernetes, is then empty."""

    extension: str
    name: str
    state: str | None
    error: str


class CloudClusterFact(CoverageFact, kw_only=True):
    """What another cloud says of a cluster of its own, under the id by which alerts of Defender name it.

    Attributes:
        environment: its AWS account or GCP project, as `environment_subject` writes it.
        region: where EKS runs it; empty for GKE, which needs it for no command of ours.
        logged: the logs of its control plane that EKS writes, in lower case; None where the document does not say them.
    """

    environment: str
    region: str = ""
    logged: frozenset[str] | None = None
    is_autopilot: bool = False


class ConnectorFact(CoverageFact, kw_only=True):
    """What a connector says of the account or project that it connects.

    Attributes:
        subject: as `environment_subject` writes it: a project by its number, and once more by its id, by which Google's own
            documents name it.
        connector: the connector's ARM id in lower case.
        offerings: its offerings, by their types in lower case; None where the document does not say them. A plan is on where
            the connector has its offering; no offering says that it is off.
        excluded: the accounts or projects of its organization that it leaves out.
    """

    connector: str
    offerings: Mapping[str, Mapping[str, object]] | None
    excluded: tuple[str, ...] = ()


class ProcessEventsFact(CoverageFact, kw_only=True):
    """That the sensor of a cluster sent rows of `CloudProcessEvents`, and in `source` when the last one came."""


_SENSOR = ("securityProfile", "defender", "securityMonitoring", "enabled")
_BEFORE_2022 = ("securityProfile", "azureDefender", "enabled")


def read_managed_cluster(item: Item) -> Iterator[CoverageFact]:
    """An AKS cluster, and what its profile asks for."""
    code = item.word("powerState", "code")
    is_stopped = None if code is None else code == "stopped"
    if (fact := resource_fact(item, WorkloadKind.CLUSTER, is_stopped=is_stopped)) is None:
        return
    # Every cluster has node pools: where they are left out, too, a projection did not ask for the profile.
    is_profile_said = any(item.find(name) is not None for name in ("agentPoolProfiles", "securityProfile"))
    path = _SENSOR if item.truth(*_BEFORE_2022) is None else _BEFORE_2022
    is_cut = any(isinstance(item.find(*_SENSOR[:depth]), str) for depth in range(1, len(_SENSOR)))
    yield fact
    yield ClusterProfileFact(
        subject=fact.subject,
        has_sensor=item.truth(*path) is True if is_profile_said and not is_cut else None,
        sensor_field=f"properties.{'.'.join(path)}",
        has_policy=item.truth("addonProfiles", "azurepolicy", "enabled") is True,
        node_group=item.text("nodeResourceGroup") or "",
        source=item_source(item),
    )


def read_connected_cluster(item: Item) -> Iterator[CoverageFact]:
    """A cluster that Azure Arc connects, and whether Azure hears of it."""
    if (fact := resource_fact(item, WorkloadKind.CLUSTER)) is not None:
        yield fact
        yield ConnectedClusterFact(
            subject=fact.subject,
            connectivity=item.word("connectivityStatus") or "",
            source=item_source(item, item.text("lastConnectivityTime")),
        )


def read_kubernetes_extension(item: Item) -> Iterator[CoverageFact]:
    """The extension, and the cluster that has it."""
    id, provider = item.id or "", "/providers/microsoft.kubernetesconfiguration/extensions"
    cluster = id[: max(id.lower().find(provider), 0)]
    if (parse_resource_id(cluster).type or "").lower() not in (ARC_CLUSTER, AKS_CLUSTER):
        return
    yield named_resource(item, cluster, WorkloadKind.CLUSTER)
    yield KubernetesExtensionFact(
        subject=cluster.lower(),
        extension=item.word("extensionType") or (find_text(item.body, "name") or "").lower(),
        name=id[len(cluster) + len(provider) :].strip("/"),
        # Versions before 2021-09-01 call it `installState`.
        state=item.word("provisioningState") or item.word("installState"),
        error=item.text("errorInfo", "message") or "",
        source=item_source(item),
    )


_ENVIRONMENTS: Mapping[str, WorkloadKind] = {
    **dict.fromkeys(("aws", "awsaccount"), WorkloadKind.AWS_ACCOUNT),
    **dict.fromkeys(("gcp", "gcpproject"), WorkloadKind.GCP_PROJECT),
}
"""By the name of the environment or the type of its data, in lower case. Those of code and registries are not judged."""


def environment_subject(kind: WorkloadKind, name: str) -> str:
    """What facts about an account or a project are found under: two clouds may have one number."""
    return f"{kind}/{name.lower()}"


def read_connector(item: Item) -> Iterator[CoverageFact]:
    """The account or project, and what the connector offers it."""
    environment, id = item.find("environmentData"), (item.id or "").rstrip("/")
    said = item.word("environmentName") or item.word("environmentData", "environmentType") or ""
    number = item.text("hierarchyIdentifier") or find_text(environment, "projectDetails", "projectNumber")
    kind, parts = _ENVIRONMENTS.get(said), parse_resource_id(id)
    if kind is None or number is None or parts.name is None:
        return
    yield ResourceFact(
        workload=Workload(
            kind=kind,
            name=find_text(item.body, "name") or number,
            id=number,
            subscription=parts.subscription.lower() if parts.subscription else None,
            subject=number.lower(),
        ),
        source=item_source(item),
    )
    offerings = whole_objects_at(item.find("offerings"))
    by_type = {name.lower(): one for one in offerings or () if (name := find_text(one, "offeringType"))}
    organization = find(environment, "organizationalData")
    lists = (find_list(organization, name) for name in ("excludedAccountIds", "excludedProjectNumbers"))
    excluded = tuple(str(one) for some in lists for one in some or ())
    for name in sorted({number, find_text(environment, "projectDetails", "projectId") or number}):
        yield ConnectorFact(
            subject=environment_subject(kind, name),
            connector=id.lower(),
            offerings=None if offerings is None else by_type,
            excluded=excluded,
            source=item_source(item),
        )


def read_eks_cluster(item: Item) -> Iterator[CoverageFact]:
    """What `aws eks describe-cluster` prints, by its ARN; nothing of any other object."""
    cluster = find(item.body, "cluster")
    arn = find_text(cluster, "arn") or ""
    location = location_named(arn)
    if not (location.cluster and location.account):
        return
    logging = ("logging", "clusterLogging")
    enabled = [one for one in objects_at(cluster, *logging) if find_truth(one, "enabled") is True]
    logs = frozenset(str(log).lower() for one in enabled for log in find_list(one, "types") or ())
    yield _cloud_cluster(item, arn, find_text(cluster, "name"), find(cluster, "tags"))
    yield CloudClusterFact(
        subject=arn.lower(),
        environment=environment_subject(WorkloadKind.AWS_ACCOUNT, arn.split(":")[4]),
        region=arn.split(":")[3],
        logged=None if find_list(cluster, *logging) is None else logs,
        source=item_source(item),
    )


def read_gke_cluster(item: Item) -> Iterator[CoverageFact]:
    """What `gcloud container clusters describe` prints, by its link without its version; nothing of any other object."""
    _, service, rest = (find_text(item.body, "selfLink") or "").partition("container.googleapis.com/")
    name = service + rest.partition("/")[2]
    location = location_named(name)
    if location.cluster and location.projects:
        yield _cloud_cluster(item, name, find_text(item.body, "name"), find(item.body, "resourceLabels"))
        yield CloudClusterFact(
            subject=name.lower(),
            environment=environment_subject(WorkloadKind.GCP_PROJECT, location.projects[0]),
            is_autopilot=find_truth(item.body, "autopilot", "enabled") is True,
            source=item_source(item),
        )


def _cloud_cluster(item: Item, id: str, name: str | None, tags: object) -> ResourceFact:
    return ResourceFact(
        workload=Workload(kind=WorkloadKind.CLUSTER, name=name or id.rpartition("/")[2], id=id, subject=id.lower()),
        tags={str(key): str(value) for key, value in tags.items()} if isinstance(tags, Mapping) else None,
        source=item_source(item),
    )


def read_last_row(item: Item) -> Iterator[CoverageFact]:
    """When the sensor of a cluster last sent a row, as Log Analytics answers it; nothing of any other object."""
    if item.id is not None or (last := find_text(item.body, "last")) is None:
        return
    for column in ("AzureResourceId", "AwsResourceName", "GcpFullResourceName"):
        if cluster := find_text(item.body, column):
            # Google's full names have slashes before them, and the names by which its clusters are known have none.
            subject = cluster.removeprefix("//").rstrip("/").lower()
            yield ProcessEventsFact(subject=subject, source=item_source(item, last))
