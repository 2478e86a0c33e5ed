"""The lines that mend a gap of a cluster's sensor, or show what keeps it off. Each name in them is quoted for the shell."""

from __future__ import annotations

import json

from router.coverage.kubernetes.asks import UNNAMED, context_name, find_name_elsewhere
from router.coverage.kubernetes.daemon_sets import SensorDaemonSet
from router.coverage.kubernetes.nodes import Node, Obstacle
from router.coverage.kubernetes.objects import ENFORCE
from router.coverage.kubernetes.pods import Pod
from router.coverage.remedies import command_line, resource_words
from router.coverage.verdicts import Workload

_SENSOR = "microsoft.azuredefender.kubernetes"
_GROUP = "RESOURCE_GROUP"
"""What stands for a resource group that no document says."""

_OF_THE_IMAGE = {"kubernetes.io/os", "kubernetes.io/arch", "beta.kubernetes.io/os", "beta.kubernetes.io/arch"}
"""The labels by which a DaemonSet asks for nodes that can run its image."""

_POOL = "kubernetes.azure.com/agentpool"


def enable_sensor(workload: Workload, cloud: str = "") -> str:
    """Return the lines that install the sensor; `cloud` is that of the cluster's nodes, empty if they do not say it.

    https://learn.microsoft.com/azure/defender-for-cloud/defender-for-containers-enable
    """
    extension = ("--name", _SENSOR, "--extension-type", _SENSOR)
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
    context = "CONTEXT" if workload.name == UNNAMED else context_name(workload)
    elsewhere = find_name_elsewhere(context)
    name = "CLUSTER" if workload.name == UNNAMED else elsewhere or context
    where = ("--resource-group", _GROUP)
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


def admit_sensor(namespace: str) -> str:
    """Return the line that has Pod Security let the sensor into a namespace; a label goes before the cluster's default."""
    return command_line("kubectl", "label", *_object("namespace", namespace), f"{ENFORCE}=privileged", "--overwrite")


def give_security_context(daemon_set: SensorDaemonSet) -> str:
    """Return the line that has OpenShift let the sensor's pods in.

    https://docs.redhat.com/documentation/openshift_container_platform/4.17/html/authentication_and_authorization/managing-pod-security-policies
    """
    account = f"--serviceaccount={daemon_set.scheduling.account or 'default'}"
    return command_line("oc", "adm", "policy", "add-scc-to-user", "privileged", account, "-n", daemon_set.namespace)


def lift_obstacle(obstacle: Obstacle, daemon_set: SensorDaemonSet, node: Node, workload: Workload) -> str:
    """Return the line that has a DaemonSet choose the nodes that it passes over, or opens it where that may break it.

    An affinity keeps pods off nodes that cannot run them, too, such as virtual ones. AKS undoes a patch of what it manages.
    """
    if daemon_set.is_managed:
        return _take_taint_off(obstacle, node, workload) if obstacle.taint else enable_sensor(workload)
    about = (*_object("daemonset", daemon_set.name), "-n", daemon_set.namespace)
    operation = _find_operation(obstacle, daemon_set)
    if operation is None:
        return command_line("kubectl", "edit", *about)
    return command_line("kubectl", "patch", *about, "--type", "json", "-p", json.dumps([operation]))


def _take_taint_off(obstacle: Obstacle, node: Node, workload: Workload) -> str:
    """https://learn.microsoft.com/azure/aks/use-node-taints"""
    of_kubernetes = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
    left = [one for one in node.taints if one != obstacle.taint and not one.key.startswith(of_kubernetes)]
    words = resource_words(workload.id) or ("--resource-group", _GROUP, "--name", workload.name)
    _, group, _, cluster, *subscription = words
    return command_line(
        *("az", "aks", "nodepool", "update", "--cluster-name", cluster, "--resource-group", group, *subscription),
        *("--name", node.labels.get(_POOL, "POOL"), "--node-taints", ",".join(map(str, left))),
    )


def _find_operation(obstacle: Obstacle, daemon_set: SensorDaemonSet) -> dict[str, object] | None:
    """The change of a DaemonSet that mends; None if that may have its pods go where they cannot run."""
    pod = "/spec/template/spec"
    if (taint := obstacle.taint) is not None:
        wanted = {"key": taint.key, "effect": taint.effect, "operator": "Exists"}
        if daemon_set.scheduling.has_tolerations:
            return {"op": "add", "path": f"{pod}/tolerations/-", "value": wanted}
        return {"op": "add", "path": f"{pod}/tolerations", "value": [wanted]}
    if obstacle.label and obstacle.label not in _OF_THE_IMAGE:
        # https://datatracker.ietf.org/doc/html/rfc6901#section-3
        label = obstacle.label.replace("~", "~0").replace("/", "~1")
        return {"op": "remove", "path": f"{pod}/nodeSelector/{label}"}
    return {"op": "remove", "path": f"{pod}/nodeName"} if obstacle.field.endswith(".nodeName") else None


def show(kind: str, name: str) -> str:
    """Return the line that shows an object of the whole cluster."""
    return command_line("kubectl", "get", *_object(kind, name), "-o", "yaml")


def show_pod(pod: Pod) -> str:
    """Return the line that shows why a pod is not ready."""
    if pod.container and pod.restarts:
        words = ("kubectl", "logs", f"pod/{pod.name}", "-n", pod.namespace, "-c", pod.container, "--previous")
        return command_line(*words)
    return describe("pod", pod.name, pod.namespace)


def describe(kind: str, name: str, namespace: str = "") -> str:
    """Return the line that shows an object with its events."""
    return command_line("kubectl", "describe", *_object(kind, name), *(("-n", namespace) if namespace else ()))


def _object(kind: str, name: str) -> tuple[str, ...]:
    """The words by which kubectl is told an object. No object has a name that begins with `-`: that would be an option."""
    return (f"{kind}/{name}",) if name.startswith("-") else (kind, name)
