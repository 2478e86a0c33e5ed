"""The lines that ask a cluster what is not known of it; each is one answer, and names its cluster."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from router.coverage.remedies import command_line, file_name
from router.coverage.verdicts import Verdict, Workload

EVERYWHERE = {
    "nodes": "Node",
    "daemonsets": "DaemonSet",
    "pods": "Pod",
    "namespaces": "Namespace",
    "events": "Event",
    "services": "Service",
    "endpointslices": "EndpointSlice",
    "validatingwebhookconfigurations": "ValidatingWebhookConfiguration",
}
"""The kinds that every cluster has, by what kubectl calls them."""

ASK_CLUSTER = f"kubectl get {','.join(EVERYWHERE)} -A -o json"
"""All that can be asked at once of every version of Kubernetes; where it has no kind of these, kubectl would answer nothing."""

ASK_WEBHOOKS = "kubectl get validatingwebhookconfigurations -o json"
"""Which webhooks there are, where the rest was asked: where there is none its answer is an empty list, which says so."""

ASK_SERVICES = "kubectl get services,endpointslices -A -o json"
"""Where services lead, where the rest was asked; every cluster has some."""

ASK_CONSTRAINTS = "kubectl get constraints -o json"
"""The constraints of Gatekeeper, which only a cluster with Gatekeeper knows."""

ASK_CONFIG = "kubectl get --raw /apis/config.gatekeeper.sh/v1alpha1/configs"
"""Which namespaces Gatekeeper's own configuration leaves out. An empty answer of `kubectl get configs` says not of what."""

ASK_POLICIES = "kubectl get validatingadmissionpolicies,validatingadmissionpolicybindings -o json"
"""What no cluster before version 1.30 knows. https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/"""

ASK_IMAGE_RULES = "kubectl get securityartifactpolicies.defender.microsoft.com -A -o json"
"""The rules of Defender's image gate, which only a cluster with that gate knows."""

_ALONE = (ASK_WEBHOOKS, ASK_SERVICES, ASK_CONSTRAINTS, ASK_CONFIG, ASK_POLICIES, ASK_IMAGE_RULES)


def joint_asks(remedies: Iterable[str]) -> str | None:
    """Several asks as one: each line once, in the same order whatever asks for it, and nothing that another line asks, too."""
    lines = {line for remedy in remedies for line in remedy.split("\n")}
    if ASK_CLUSTER in lines:
        lines -= {ASK_WEBHOOKS, ASK_SERVICES}
    known = [line for line in (ASK_CLUSTER, *_ALONE) if line in lines]
    return "\n".join((*known, *sorted(lines.difference(known)))) or None


UNNAMED = "(unnamed cluster)"
"""What a cluster is called of which only files without a name speak."""

_PROGRAMS = ("kubectl ", "oc ")
_ASKS = re.compile(r"(?:kubectl get) (?:--raw \S*/(?P<raw>[a-z]+)|(?P<kind>[a-z]+)\S* .*-o json)", re.DOTALL)
"""A line that prints a document, and the kind that it asks for first."""


def at_cluster(verdict: Verdict, workload: Workload) -> Verdict:
    """A verdict whose lines name their cluster, and of which each that prints a document writes it into a file."""
    if verdict.remedy is None:
        return verdict
    lines: list[str] = []
    files: list[str] = []
    for line in _split_lines(verdict.remedy):
        context = _context_option(workload) if line.startswith(_PROGRAMS) else ""
        if found := _ASKS.fullmatch(line):
            what = "" if line == ASK_CLUSTER else f".{found['kind'] or found['raw']}"
            file = f"{file_name(workload.name)}{what}.json"
            files.append(file)
            lines.append(f"{line}{context} > {file}")
        else:
            lines.append(f"{line}{context}")
    remarks = (*verdict.remarks, _give(files, workload)) if files else verdict.remarks
    return replace(verdict, remedy="\n".join(lines), remarks=remarks)


def _split_lines(remedy: str) -> Iterator[str]:
    """The lines of a remedy; what is quoted in one may itself have several lines."""
    begun = ""
    for part in remedy.split("\n"):
        begun += part
        try:
            shlex.split(begun)
        except ValueError:  # a quotation that goes on
            begun += "\n"
        else:
            yield begun
            begun = ""
    if begun:
        yield begun


def context_name(workload: Workload) -> str:
    """Return what `az aks get-credentials`, `aws` or `gcloud` call the context of a cluster.

    Where it has another name, kubectl finds none of that name, and touches nothing.
    """
    name = find_eks_context(workload) or find_gke_context(workload.subject) or workload.name
    # A cluster of which nothing but its id is known is called as that ends.
    return name.rpartition("/")[2] if name.startswith("/") else name


def _context_option(workload: Workload) -> str:
    if workload.name == UNNAMED:
        return ""
    name = context_name(workload)
    return f" {shlex.quote(f'--context={name}')}" if name.startswith("-") else f" --context {shlex.quote(name)}"


def _give(files: list[str], workload: Workload) -> str:
    """How answers of a cluster are given, so that it is known of which cluster they are."""
    if workload.name == UNNAMED:
        return f"give {' and '.join(files)}"
    if len(files) == 1:
        return f"give {files[0]} as {workload.name}={files[0]}"
    return f"give each of these files as {workload.name}=FILE"


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


def find_name_elsewhere(context: str) -> str | None:
    """Return the name of a cluster of EKS or GKE alone, by its context; None for any other cluster."""
    found = _EKS.fullmatch(context) or _GKE.fullmatch(context)
    return found["name"] if found else None


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
