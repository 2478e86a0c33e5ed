"""What a cluster is asked: each line is one answer, and says neither which cluster it asks nor where the answer goes."""

from __future__ import annotations

from collections.abc import Iterable

EVERYWHERE = {
    "nodes": "Node",
    "daemonsets": "DaemonSet",
    "pods": "Pod",
    "namespaces": "Namespace",
    "events": "Event",
    "deployments": "Deployment",
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
"""Whom Gatekeeper's own configuration leaves out. Unlike `kubectl get configs`, an empty answer says of what there is none."""

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
