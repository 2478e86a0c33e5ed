"""The lines for the shell that ask a cluster what is not known of it, or mend a gap of it. Each name in them is quoted."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from copy import replace

from router.coverage.remedies import command_line, file_name, resource_words
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

ASK_CONSTRAINTS = "kubectl get constraints -o json"
ASK_CONFIG = "kubectl get --raw /apis/config.gatekeeper.sh/v1alpha1/configs"
"""What only a cluster with Gatekeeper knows. An empty answer of `kubectl get configs` would not say of what."""

ASK_POLICIES = "kubectl get validatingadmissionpolicies,validatingadmissionpolicybindings -o json"
"""What no cluster before version 1.30 knows."""

ASK_IMAGE_RULES = "kubectl get securityartifactpolicies.defender.microsoft.com -A -o json"
"""The rules of Defender's image gate, which only a cluster with that gate knows."""

_IN_ORDER = (ASK_CLUSTER, ASK_WEBHOOKS, ASK_CONSTRAINTS, ASK_CONFIG, ASK_POLICIES, ASK_IMAGE_RULES)

ASK_AKS = "az aks list -o json"


def joint_asks(remedies: Iterable[str]) -> str | None:
    """Several asks as one: each line once, in the same order whatever asks for it, and nothing that another line asks, too."""
    lines = {line for remedy in remedies for line in remedy.split("\n")}
    if ASK_CLUSTER in lines:
        lines.discard(ASK_WEBHOOKS)
    known = [line for line in _IN_ORDER if line in lines]
    return "\n".join((*known, *sorted(lines.difference(known)))) or None


UNNAMED = "(unnamed cluster)"
"""What a cluster is called of which only files without a name speak."""

_LINES = re.compile(r"""(?:'[^']*'|"[^"]*"|[^'"\n])+""")
"""The lines of a remedy; what is quoted in one may itself have several lines."""

_ASKS = re.compile(r"(?:kubectl get) (?:--raw \S*/(?P<raw>[a-z]+)|(?P<kind>[a-z]+)\S* .*-o json)", re.DOTALL)
"""A line that prints a document, and the kind that it asks for first."""


def at_cluster(verdict: Verdict, workload: Workload) -> Verdict:
    """A verdict whose lines name their cluster, and of which each that prints a document writes it into a file."""
    if verdict.remedy is None:
        return verdict
    lines: list[str] = []
    files: list[str] = []
    for line in _LINES.findall(verdict.remedy):
        is_kubectl = line.startswith("kubectl ") and workload.name != UNNAMED
        to = f"{line}{_context_option(workload)}" if is_kubectl else line
        if found := _ASKS.fullmatch(line):
            what = "" if line == ASK_CLUSTER else f".{found['kind'] or found['raw']}"
            files.append(f"{file_name(workload.name)}{what}.json")
            to = f"{to} > {files[-1]}"
        lines.append(to)
    # No object says which cluster it is of.
    given = files if workload.name == UNNAMED else [f"{workload.name}={file}" for file in files]
    remarks = (*verdict.remarks, f"give {' '.join(given)}") if given else verdict.remarks
    return replace(verdict, remedy="\n".join(lines), remarks=remarks)


def _context_option(workload: Workload) -> str:
    name = _context_name(workload)
    return f" {shlex.quote(f'--context={name}')}" if name.startswith("-") else f" --context {shlex.quote(name)}"


def _context_name(workload: Workload) -> str:
    """Return what `az aks get-credentials`, `aws` or `gcloud` call the context of a cluster.

    Where it has another name, kubectl finds none of that name, and touches nothing.
    """
    if workload.id and _EKS.fullmatch(workload.id):
        return workload.id
    name = find_gke_context(workload.subject) or workload.name
    # A cluster of which nothing but its id is known is called as that ends.
    return name.rpartition("/")[2] if name.startswith("/") else name


_EKS = re.compile(
    r"arn:aws[a-z-]*:eks:(?P<region>[a-z0-9][a-z0-9-]*):[0-9]+:cluster/(?P<name>[a-z0-9][a-z0-9_-]*)", re.IGNORECASE
)
_GKE = re.compile(
    r"gke_(?P<project>[a-z][a-z0-9.:-]*)_(?P<location>[a-z][a-z0-9-]*)_(?P<name>[a-z][a-z0-9-]*)", re.IGNORECASE
)
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


def find_gke_context(subject: str) -> str | None:
    """What gcloud calls the context of a cluster of GKE, by the cluster's id in lower case; None for any other cluster."""
    found = _IN_GOOGLE.fullmatch(subject)
    return f"gke_{found[1]}_{found[2]}_{found[3]}" if found else None


def find_region(subject: str) -> tuple[str, str] | None:
    """Return the cloud of a cluster of EKS or GKE, and with what the ids of its nodes begin; None for any other cluster.

    `subject` is its id or its context in lower case. A cluster of one zone may have nodes in others of its region.
    """
    if eks := _EKS.fullmatch(subject):
        return "aws", eks["region"]
    if gke := _GKE.fullmatch(find_gke_context(subject) or subject):
        return "gce", f"{gke['project']}/{re.sub(r'-[a-z]$', '', gke['location'])}"
    return None


_SENSOR = "microsoft.azuredefender.kubernetes"
_GROUP = "RESOURCE_GROUP"
"""What stands for a resource group that no document says."""


def enable_sensor(workload: Workload, cloud: str = "", name: str = _SENSOR) -> str:
    """Return the lines that install the sensor; `cloud` is that of the cluster's nodes, empty if they do not say it.

    https://learn.microsoft.com/azure/defender-for-cloud/defender-for-containers-enable
    """
    extension = ("--name", name, "--extension-type", _SENSOR)
    return _install(workload, cloud, ("update", "--enable-defender"), extension)


def enable_policy(workload: Workload, cloud: str = "") -> str:
    """Return the lines that install Azure Policy, which brings Gatekeeper.

    https://learn.microsoft.com/azure/governance/policy/concepts/policy-for-kubernetes
    """
    extension = ("--name", "azurepolicy", "--extension-type", "Microsoft.PolicyInsights")
    return _install(workload, cloud, ("enable-addons", "--addons", "azure-policy"), extension)


def _install(workload: Workload, cloud: str, in_azure: tuple[str, ...], extension: tuple[str, ...]) -> str:
    """The lines for AKS, or, outside of Azure, for an extension of Azure Arc."""
    create = ("az", "k8s-extension", "create", *extension, "--cluster-type", "connectedClusters", "--cluster-name")
    words, kind = resource_words(workload.id), (workload.id or "").lower()
    if words and "/microsoft.kubernetes/connectedclusters/" in kind:
        _, group, _, name, *subscription = words
        return command_line(*create, name, "--resource-group", group, *subscription)
    if words and "/microsoft.containerservice/managedclusters/" in kind:
        return command_line("az", "aks", *in_azure, *words)
    context, name = ("CONTEXT", "CLUSTER") if workload.name == UNNAMED else (_context_name(workload),) * 2
    elsewhere = _EKS.fullmatch(context) or _GKE.fullmatch(context)
    name, where = elsewhere["name"] if elsewhere else name, ("--resource-group", _GROUP)
    if elsewhere is None and cloud in ("", "azure"):
        return command_line("az", "aks", *in_azure, "--name", name, *where)
    connect = command_line("az", "connectedk8s", "connect", "--name", name, *where, "--kube-context", context)
    return f"{connect}\n{command_line(*create, name, *where)}"


def delete_tag(workload: Workload, name: str, value: str) -> str | None:
    """Return the line that takes a tag off; None if Azure does not know the cluster."""
    if not resource_words(workload.id):
        return None
    of = ("--resource-id", workload.id or "", "--operation", "Delete")
    return command_line("az", "tag", "update", *of, "--tags", f"{name}={value}")


def label_namespace(namespace: str, *words: str) -> str:
    """Return the line that changes the labels of a namespace."""
    return command_line("kubectl", "label", *_object("namespace", namespace), *words)


def add_toleration(daemon_set: str, namespace: str, key: str, effect: str, *, has_tolerations: bool) -> str:
    """Return the line that has a DaemonSet tolerate a taint."""
    path, value = "/spec/template/spec/tolerations", {"key": key, "effect": effect, "operator": "Exists"}
    end, added = ("/-", value) if has_tolerations else ("", [value])
    patch = json.dumps([{"op": "add", "path": f"{path}{end}", "value": added}])
    about = (*_object("daemonset", daemon_set), "-n", namespace)
    return command_line("kubectl", "patch", *about, "--type", "json", "-p", patch)


def edit(kind: str, name: str, namespace: str) -> str:
    """Return the line that opens an object, where a person must decide."""
    return command_line("kubectl", "edit", *_object(kind, name), "-n", namespace)


def describe(kind: str, name: str, namespace: str = "") -> str:
    """Return the line that shows an object with its events."""
    return command_line("kubectl", "describe", *_object(kind, name), *(("-n", namespace) if namespace else ()))


def _object(kind: str, name: str) -> tuple[str, ...]:
    """The words by which kubectl is told an object. No object has a name that begins with `-`: that would be an option."""
    return (f"{kind}/{name}",) if name.startswith("-") else (kind, name)
