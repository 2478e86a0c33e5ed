"""The lines that mend a gap of a cluster's sensor, or show what keeps it off. Each name in them is quoted for the shell."""

from __future__ import annotations

import json

from router.coverage.kubernetes.creation import ENFORCE, Cause, Refuser
from router.coverage.kubernetes.daemon_sets import SensorDaemonSet
from router.coverage.kubernetes.pods import Pod
from router.coverage.kubernetes.scheduling import Obstacle
from router.coverage.remedies import command_line, resource_words
from router.coverage.verdicts import Workload


def enable_sensor(workload: Workload) -> str | None:
    """The line that has Azure install the sensor; None where Azure does not know the cluster.

    https://learn.microsoft.com/azure/defender-for-cloud/defender-for-containers-enable
    """
    words = resource_words(workload.id)
    kind = (workload.id or "").lower()
    if not words:
        return None
    if "/microsoft.containerservice/managedclusters/" in kind:
        return command_line("az", "aks", "update", "--enable-defender", *words)
    if "/microsoft.kubernetes/connectedclusters/" in kind:
        _, group, _, cluster, _, subscription = words
        extension = "microsoft.azuredefender.kubernetes"
        return command_line(
            *("az", "k8s-extension", "create", "--name", extension, "--extension-type", extension),
            *("--cluster-type", "connectedClusters", "--cluster-name", cluster),
            *("--resource-group", group, "--subscription", subscription),
        )
    return None


def delete_tag(workload: Workload, name: str, value: str) -> str | None:
    """The line that takes a tag off; None where Azure does not know the cluster."""
    if not resource_words(workload.id):
        return None
    tag = f"{name}={value}"
    return command_line(
        "az", "tag", "update", "--resource-id", workload.id or "", "--operation", "Delete", "--tags", tag
    )


def admit_sensor(namespace: str) -> str:
    """The line that has Pod Security let the sensor's pods into a namespace; a label goes before the cluster's default."""
    return command_line("kubectl", "label", *_object("namespace", namespace), f"{ENFORCE}=privileged", "--overwrite")


def lift_cause(cause: Cause, daemon_set: SensorDaemonSet) -> str:
    """The line that lets pods be made again, or, where only people can decide it, shows what keeps them off."""
    match cause.refuser:
        case Refuser.POD_SECURITY:
            return admit_sensor(daemon_set.namespace)
        case Refuser.WEBHOOK:
            return "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml"
        case Refuser.POLICY:
            return command_line("kubectl", "get", *_object("validatingadmissionpolicy", cause.name), "-o", "yaml")
        case Refuser.QUOTA:
            return describe("resourcequota", cause.name, daemon_set.namespace)
        case Refuser.SECURITY_CONTEXT:
            # https://docs.redhat.com/documentation/openshift_container_platform/4.17/html/authentication_and_authorization/managing-pod-security-policies
            account = f"--serviceaccount={daemon_set.scheduling.account or 'default'}"
            return command_line(
                "oc", "adm", "policy", "add-scc-to-user", "privileged", account, "-n", daemon_set.namespace
            )
        case Refuser.OTHER:
            return describe("daemonset", daemon_set.name, daemon_set.namespace)


_OF_THE_IMAGE = {"kubernetes.io/os", "kubernetes.io/arch", "beta.kubernetes.io/os", "beta.kubernetes.io/arch"}
"""The labels by which a DaemonSet asks for nodes that can run its image."""


def lift_obstacle(obstacle: Obstacle, daemon_set: SensorDaemonSet) -> str:
    """The line that has a DaemonSet choose the nodes that it passes over, or, where that may break it, shows what it asks for.

    An affinity is shown: it keeps pods off nodes that cannot run them, too, such as virtual ones.
    """
    pod = "/spec/template/spec"
    operation: dict[str, object]
    if obstacle.taint is not None:
        taint = obstacle.taint
        wanted = {"key": taint.key, "effect": taint.effect, "operator": "Exists"}
        if daemon_set.scheduling.has_tolerations:
            operation = {"op": "add", "path": f"{pod}/tolerations/-", "value": wanted}
        else:
            operation = {"op": "add", "path": f"{pod}/tolerations", "value": [wanted]}
    elif obstacle.label and obstacle.label not in _OF_THE_IMAGE:
        # https://datatracker.ietf.org/doc/html/rfc6901#section-3
        label = obstacle.label.replace("~", "~0").replace("/", "~1")
        operation = {"op": "remove", "path": f"{pod}/nodeSelector/{label}"}
    elif obstacle.field.endswith(".nodeName"):
        operation = {"op": "remove", "path": f"{pod}/nodeName"}
    else:
        words = ("kubectl", "get", *_object("daemonset", daemon_set.name), "-n", daemon_set.namespace)
        return command_line(*words, "-o", f"jsonpath={{.{obstacle.field}}}")
    words = ("kubectl", "patch", *_object("daemonset", daemon_set.name), "-n", daemon_set.namespace, "--type", "json")
    return command_line(*words, "-p", json.dumps([operation]))


def show_pod(pod: Pod) -> str:
    """The line that shows why a pod is not ready."""
    if pod.container and pod.restarts:
        words = ("kubectl", "logs", f"pod/{pod.name}", "-n", pod.namespace, "-c", pod.container, "--previous")
        return command_line(*words)
    return describe("pod", pod.name, pod.namespace)


def describe(kind: str, name: str, namespace: str = "") -> str:
    """The line that shows an object with its events."""
    return command_line("kubectl", "describe", *_object(kind, name), *(("-n", namespace) if namespace else ()))


def _object(kind: str, name: str) -> tuple[str, ...]:
    """The words by which kubectl is told an object. No object has a name that begins with `-`: that would be an option."""
    return (f"{kind}/{name}",) if name.startswith("-") else (kind, name)
