"""What a cluster of EKS or GKE is called in kubectl, and so which cloud one is of that nothing but kubectl speaks of. Pure.

https://docs.aws.amazon.com/cli/latest/reference/eks/update-kubeconfig.html,
https://cloud.google.com/kubernetes-engine/docs/how-to/cluster-access-for-kubectl
"""

from __future__ import annotations

import re
from typing import NamedTuple

from router.coverage.remedies import command_line
from router.coverage.verdicts import Workload

ASK_AKS = "az aks list -o json"

_EKS = re.compile(
    r"arn:aws[a-z-]*:eks:(?P<region>[a-z0-9][a-z0-9-]*):[0-9]+:cluster/(?P<name>[a-z0-9][a-z0-9_-]*)", re.IGNORECASE
)
_GKE = re.compile(
    r"gke_(?P<project>[a-z][a-z0-9.:-]*)_(?P<location>[a-z][a-z0-9-]*)_(?P<name>[a-z][a-z0-9-]*)", re.IGNORECASE
)
_ZONE = re.compile(r"-[a-z]$")
_IN_GOOGLE = re.compile(
    r"container\.googleapis\.com/projects/([^/]+)/(?:locations|zones|regions)/([^/]+)/clusters/([^/]+)"
)


def ask_for_cluster(name: str) -> str:
    """The line that asks a cluster's own cloud what it is; Azure, where its name says no other."""
    if eks := _EKS.fullmatch(name):
        region, cluster = eks["region"], eks["name"]
        return command_line("aws", "eks", "describe-cluster", "--region", region, "--name", cluster, "--output", "json")
    if gke := _GKE.fullmatch(name):
        where = ("--location", gke["location"], "--project", gke["project"])
        return command_line("gcloud", "container", "clusters", "describe", gke["name"], *where, "--format", "json")
    return ASK_AKS


class CloudRegion(NamedTuple):
    """Where another cloud has a cluster, and so its nodes.

    Attributes:
        cloud: `aws` or `gce`, as the ids of nodes call it.
        project: the project of Google Cloud; empty in AWS, whose nodes do not say their account.
        location: the region, with which the zones of nodes begin: those of a cluster of one zone may be in others of it.
    """

    cloud: str
    project: str
    location: str

    def has_node(self, cloud: str, path: str) -> bool:
        """Whether a node may be there, by what stands before and after `://` in its id: `aws:///eu-west-1a/i-0123`."""
        if cloud != self.cloud:
            return False
        parts = path.lower().strip("/").split("/")
        project, zone = ("", parts[0]) if cloud == "aws" else ((*parts, "")[0], (*parts, "")[1])
        return project == self.project and zone.startswith(self.location)


def find_region(subject: str) -> CloudRegion | None:
    """Where a cluster of EKS or GKE is, by its id or its context in lower case; None for any other cluster."""
    if eks := _EKS.fullmatch(subject):
        return CloudRegion("aws", "", eks["region"].lower())
    if gke := _GKE.fullmatch(find_gke_context(subject) or subject):
        return CloudRegion("gce", gke["project"].lower(), _ZONE.sub("", gke["location"].lower()))
    return None


def find_eks_context(workload: Workload) -> str | None:
    """What aws calls the context of a cluster of EKS; None for any other cluster."""
    return workload.id if workload.id and _EKS.fullmatch(workload.id) else None


def find_gke_context(subject: str) -> str | None:
    """What gcloud calls the context of a cluster of GKE, by the cluster's id in lower case; None for any other cluster."""
    found = _IN_GOOGLE.fullmatch(subject)
    return f"gke_{found[1]}_{found[2]}_{found[3]}" if found else None
