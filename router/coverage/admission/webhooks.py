"""Whether the API server asks a webhook about every new pod, and whether a pod that is ready answers it. Pure.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/,
https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence

from router.coverage.admission.effects import ClusterObjects, is_whole, listed
from router.coverage.admission.namespaces import GatedNamespace, by_conditions, by_scope, worst_of
from router.coverage.fields import find, find_list, find_text, find_truth, objects_at
from router.coverage.kubernetes.commands import ASK_CLUSTER, ASK_WEBHOOKS, describe
from router.coverage.kubernetes.daemon_sets import read_pod
from router.coverage.readers.kubernetes import KubernetesFact, labels_at
from router.coverage.verdicts import Verdict, covered, gap, unknown
from router.domain.values import Value

CONFIGURATION = "ValidatingWebhookConfiguration"


class AdmissionWebhook(Value, kw_only=True):
    """A webhook of a cluster, as often as documents show it in `entries`; where it was not seen, what is known of that."""

    verdict: Verdict
    name: str = ""
    service: str = ""
    namespace: str = ""
    configuration: str = ""
    entries: tuple[Mapping[str, object], ...] = ()

    def reach(self, namespace: GatedNamespace) -> Verdict:
        """Whether the API server asks it about the new pods of a namespace."""
        who = f"the webhook {self.name}"
        return worst_of(
            part
            for entry in self.entries
            for part in (
                by_scope(who, entry, namespace),
                by_conditions("validatingwebhookconfiguration", self.configuration, who, entry),
            )
        )


def find_webhooks(objects: ClusterObjects, name: re.Pattern[str], called: str) -> list[AdmissionWebhook]:
    """The webhooks of a name, one for each configuration, which may be called anything; else one that was not seen."""
    found: list[AdmissionWebhook] = []
    for configuration in objects.find(CONFIGURATION):
        copies = [(copy, _find_entry(copy, name)) for copy in configuration]
        if entries := tuple(entry for _, entry in copies if entry is not None):
            service = find(entries[0], "clientConfig", "service")
            webhook = AdmissionWebhook(
                verdict=worst_of(_judge_entry(copy, entry, called) for copy, entry in copies),
                name=find_text(entries[0], "name") or called,
                service=find_text(service, "name") or "",
                namespace=find_text(service, "namespace") or "",
                configuration=configuration[0].name,
                entries=entries,
            )
            found.append(webhook)
    if found:
        return found
    if objects.was_asked(CONFIGURATION):
        return [AdmissionWebhook(verdict=gap(f"no webhook {called} is in the cluster"))]
    ask = ASK_WEBHOOKS if objects.find("Pod") else ASK_CLUSTER
    return [AdmissionWebhook(verdict=unknown(f"nobody asked for the webhook {called}", remedy=ask))]


def _find_entry(configuration: KubernetesFact, name: re.Pattern[str]) -> Mapping[str, object] | None:
    webhooks = objects_at(configuration.body, "webhooks")
    return next((one for one in webhooks if name.fullmatch(find_text(one, "name") or "")), None)


def _judge_entry(configuration: KubernetesFact, entry: Mapping[str, object] | None, called: str) -> Verdict:
    """Whether the API server asks a webhook about new pods, as one document shows it."""
    if entry is None:
        shown = configuration.source.shows("webhooks", "")
        return gap(f"no webhook {called} is in {configuration.name}", shown)
    title, policy = find_text(entry, "name") or called, find_text(entry, "failurePolicy") or "Fail"
    evidence = configuration.source.shows(f"webhooks[{title}].failurePolicy", policy)
    ignores = f"{title} has failurePolicy Ignore: while no pod answers it, everything is admitted"
    limits = (ignores,) if policy.lower() == "ignore" else ()
    if (limit := _find_limit(entry)) is not None:
        return gap(f"the webhook {title} {limit}", evidence, remarks=limits)
    return covered(f"the API server asks the webhook {title} about new pods", evidence, limits=limits)


def _find_limit(entry: Mapping[str, object]) -> str | None:
    """What keeps the API server from asking about any new pod; None where nothing does."""
    if find_text(entry, "clientConfig", "service", "name") is None:
        return "is answered by something outside the cluster"
    if not creates_pods(objects_at(entry, "rules")):
        return "is not asked about new pods: none of its rules has CREATE of pods"
    if is_never_met(entry):
        return "is never asked: one of its matchConditions is always false"
    if _has_blank_authority(entry):
        return "cannot be asked: its caBundle has no certificate yet"
    return None


def is_never_met(body: object) -> bool:
    """Whether a condition of a webhook or a policy is the word false, with which people switch one off."""
    return any((find_text(one, "expression") or "").lower() == "false" for one in objects_at(body, "matchConditions"))


def _has_blank_authority(entry: Mapping[str, object]) -> bool:
    """Whether the certificates by which the API server knows the webhook are still the empty line that manifests have."""
    written = find(entry, "clientConfig", "caBundle")
    try:
        return isinstance(written, str) and not base64.b64decode(written).strip()
    except ValueError:
        return False


def creates_pods(rules: Sequence[Mapping[str, object]]) -> bool:
    """Whether one of some rules means new pods."""
    return any(
        _has(rule, "operations", "CREATE")
        and _has(rule, "apiGroups", "")
        and (_has(rule, "resources", "pods") or _has(rule, "resources", "*/*"))
        and (find_text(rule, "scope") or "*") != "Cluster"
        and not find_list(rule, "resourceNames")
        for rule in rules
    )


def _has(rule: Mapping[str, object], field: str, value: str) -> bool:
    return any(isinstance(one, str) and one.lower() in (value.lower(), "*") for one in find_list(rule, field) or ())


def find_selector(objects: ClusterObjects, service: str, namespace: str) -> Mapping[str, str] | None:
    """Return the labels of the pods that a service chooses; None if no document says it."""
    found = objects.find_one("Service", namespace, service)
    return (labels_at(found[0].body, "spec", "selector") or None) if found else None


def judge_service(objects: ClusterObjects, service: str, namespace: str) -> Verdict:
    """Return whether a service leads to a pod that is ready: one that no service chooses answers nothing."""
    slices = [
        one
        for one in objects.find("EndpointSlice")
        if one[0].namespace == namespace and one[0].labels.get("kubernetes.io/service-name") == service
    ]
    serves = {
        one[0].name: all(read_pod(copy).serves for copy in one)
        for one in objects.find("Pod")
        if one[0].namespace == namespace
    }
    has_all_pods = objects.lists_all(namespace, "Pod")

    def count(fact: KubernetesFact) -> int:
        """How many endpoints are of pods that are ready; what is given of a pod itself decides."""
        ready = [
            find_text(one, "targetRef", "name") or ""
            for one in objects_at(fact.body, "endpoints")
            # What is not said of an endpoint is that it is ready.
            if find_list(one, "addresses") and find_truth(one, "conditions", "ready") is not False
        ]
        return sum(serves.get(name, not (name and has_all_pods)) for name in ready)

    mend = describe("service", service, namespace)
    shown = [min(one, key=count) for one in slices]
    evidence = [one.source.shows("endpoints that are ready", count(one)) for one in shown]
    if slices and not any(map(count, shown)):
        reason = f"the service {service} leads to no pod that is ready"
        if is_whole(slices):
            return gap(reason, *evidence, remedy=mend)
        return unknown(f"{reason}, unless there are more of its slices", *evidence, remedy=ASK_CLUSTER)
    for kind, is_there in (
        ("Service", bool(objects.find_one("Service", namespace, service))),
        ("EndpointSlice", bool(slices)),
    ):
        if not is_there and objects.lists_all(namespace, kind):
            reason = f"the service {service} leads to no pod: it has no {kind} in {namespace}"
            return gap(reason, *evidence, remedy=mend)
    if shown:
        return covered(f"the service {service} leads to them", *evidence)
    return unknown(f"nobody asked where the service {service} leads", remedy=ASK_CLUSTER)


type IsMeant = Callable[[str, Mapping[str, str]], bool]
"""Whether a pod is meant, by its name and its labels: each way to install a gate has its own names."""


def judge_pods(objects: ClusterObjects, what: str, namespace: str, is_meant: IsMeant) -> Verdict:
    """Return whether one of the pods in a namespace that do a work is ready, which is enough."""
    pods = [
        min(map(read_pod, one), key=lambda pod: pod.serves)
        for one in objects.find("Pod")
        if one[0].namespace == namespace
        if any(is_meant(one[0].name, copy.labels) for copy in one)
        if not all(map(_is_over, one))
    ]
    ready = [one for one in pods if one.serves]
    evidence = [one.source.shows("status.conditions[Ready]", one.serves) for one in ready or pods]
    if ready:
        return covered(f"{len(ready)} of {len(pods)} pods of {what} are ready", *evidence)
    if pods:
        states = [
            f"{one.name} ({one.trouble or 'being deleted'}{f', {one.restarts} restarts' if one.restarts else ''})"
            for one in pods
        ]
        remedy = describe("pod", pods[0].name, namespace)
        return gap(f"no pod of {what} is ready: {listed(states)}", *evidence, remedy=remedy)
    if objects.has_empty_list or objects.lists_all(namespace, "Pod"):
        return gap(f"no pod of {what} is in namespace {namespace}")
    return unknown(f"nobody asked for the pods of {what}", remedy=ASK_CLUSTER)


def _is_over(pod: KubernetesFact) -> bool:
    """Whether a pod ended, as one that was evicted, or is being deleted: it stays listed, and says nothing of the others."""
    is_deleted = find(pod.body, "metadata", "deletionTimestamp") is not None
    return is_deleted or find_text(pod.body, "status", "phase") in ("Succeeded", "Failed")
