"""Clusters of other clouds, as `aws eks describe-cluster` and `gcloud container clusters describe` print them.

Their ids are those by which alerts of Defender name them.
https://docs.aws.amazon.com/eks/latest/APIReference/API_Cluster.html,
https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, ResourceFact, Source, source_of
from router.coverage.fields import find, find_list, find_text, find_truth, objects_at
from router.coverage.readers.connectors import environment_subject
from router.coverage.verdicts import Workload
from router.domain.coverage import WorkloadKind
from router.domain.resources import location_named

_GKE = "container.googleapis.com/"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudClusterFact:
    """What another cloud says of a cluster of its own.

    Attributes:
        subject: the cluster's id in lower case.
        environment: the AWS account or the GCP project that it belongs to, as connectors are found under.
        region: where EKS runs it; empty for GKE, which needs it for no command of ours.
        logged: the logs of its control plane that EKS writes, in lower case; None where the document does not say them.
        is_autopilot: whether it is GKE Autopilot, whose nodes take no sensor.
        source: where it stands.
    """

    subject: str
    environment: str
    region: str = ""
    logged: frozenset[str] | None = None
    is_autopilot: bool = False
    source: Source


def reads(item: Item) -> bool:
    """Whether it is a cluster of EKS or GKE."""
    return bool(_arn(item) or _name_in_google(item))


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The cluster, and what its own cloud says of it."""
    if arn := _arn(item):
        yield from _eks(item, arn)
    elif name := _name_in_google(item):
        yield from _gke(item, name)


def _eks(item: Item, arn: str) -> Iterator[CoverageFact]:
    cluster = find(item.body, "cluster")
    yield _resource(item, arn, find_text(cluster, "name"), find(cluster, "tags"))
    yield CloudClusterFact(
        subject=arn.lower(),
        environment=environment_subject(WorkloadKind.AWS_ACCOUNT, arn.split(":")[4]),
        region=arn.split(":")[3],
        logged=_logged(cluster),
        source=source_of(item),
    )


def _gke(item: Item, name: str) -> Iterator[CoverageFact]:
    yield _resource(item, name, find_text(item.body, "name"), find(item.body, "resourceLabels"))
    yield CloudClusterFact(
        subject=name.lower(),
        environment=environment_subject(WorkloadKind.GCP_PROJECT, location_named(name).projects[0]),
        is_autopilot=find_truth(item.body, "autopilot", "enabled") is True,
        source=source_of(item),
    )


def _resource(item: Item, id: str, name: str | None, tags: object) -> ResourceFact:
    return ResourceFact(
        workload=Workload(kind=WorkloadKind.CLUSTER, name=name or id.rpartition("/")[2], id=id, subject=id.lower()),
        tags={str(key): str(value) for key, value in tags.items()} if isinstance(tags, Mapping) else None,
        source=source_of(item),
    )


def _logged(cluster: object) -> frozenset[str] | None:
    if find_list(cluster, "logging", "clusterLogging") is None:
        return None
    return frozenset(
        str(log).lower()
        for one in objects_at(cluster, "logging", "clusterLogging")
        if find_truth(one, "enabled") is True
        for log in find_list(one, "types") or ()
    )


def _arn(item: Item) -> str | None:
    """The ARN of a cluster of EKS, as in `arn:aws:eks:eu-west-1:123456789012:cluster/payments`."""
    arn = find_text(item.body, "cluster", "arn") or ""
    location = location_named(arn)
    return arn if location.cluster and location.account else None


def _name_in_google(item: Item) -> str | None:
    """The name of a cluster of GKE: what its link says without `https://` and the version of the API."""
    _, service, rest = (find_text(item.body, "selfLink") or "").partition(_GKE)
    name = service + rest.partition("/")[2]
    location = location_named(name)
    return name if location.cluster and location.projects else None
