"""Where the service of a webhook leads: a pod that is ready answers nothing where no service chooses it. Pure.

https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from router.coverage.admission.cluster_objects import ClusterObjects, is_whole, labels_of
from router.coverage.admission.controllers import is_ready
from router.coverage.fields import find_list, find_text, find_truth, objects_at
from router.coverage.kubernetes import nodes
from router.coverage.kubernetes.asks import ASK_CLUSTER, ASK_SERVICES
from router.coverage.readers.kubernetes import KubernetesFact
from router.coverage.remedies import command_line
from router.coverage.verdicts import Verdict, covered, gap, unknown

_SLICE_OF = "kubernetes.io/service-name"


def selector_of(objects: ClusterObjects, service: str, namespace: str) -> Mapping[str, str] | None:
    """The labels of the pods that a service chooses; None where no document says it."""
    for one in objects.find("Service"):
        if (one.name, one.namespace) == (service, namespace):
            return nodes.labels_of(one.copies[0].body, "spec", "selector") or None
    return None


def judge_service(objects: ClusterObjects, service: str, namespace: str) -> Verdict:
    """Whether a service leads to a pod that is ready, as both forms of its endpoints say that are given."""
    lists = [one for one in objects.find("Endpoints") if (one.name, one.namespace) == (service, namespace)]
    slices = [
        one
        for one in objects.find("EndpointSlice")
        if one.namespace == namespace and labels_of(one.copies[0]).get(_SLICE_OF) == service
    ]
    has_service = any((one.name, one.namespace) == (service, namespace) for one in objects.find("Service"))
    pods = {one.name: one for one in objects.find("Pod") if one.namespace == namespace}
    has_all_pods = objects.lists_all(namespace, "Pod")

    def count(fact: KubernetesFact) -> int:
        """How many endpoints are of pods that are ready; what is given of a pod itself decides."""
        targets = [find_text(one, "targetRef", "name") or "" for one in _ready_endpoints(fact)]
        known = (pods.get(name) for name in targets if name in pods or (name and has_all_pods))
        stale = sum(pod is None or not is_ready(pod.worst(is_ready)) for pod in known)
        return len(targets) - stale

    mend = command_line("kubectl", "describe", "service", service, "-n", namespace)
    shown = [one.worst(count) for one in (*lists, *slices)]
    evidence = [one.source.shows("endpoints that are ready", count(one)) for one in shown]
    for some in filter(None, (lists, slices)):
        if any(count(one.worst(count)) for one in some):
            continue
        reason = f"the service {service} leads to no pod that is ready"
        if some is lists or is_whole(slices):
            return gap(reason, *evidence, remedy=mend)
        return unknown(f"{reason}, unless there are more of its slices", *evidence, remedy=ASK_SERVICES)
    for kind in ("Service", "EndpointSlice", "Endpoints"):
        is_there = slices if kind == "EndpointSlice" else lists or slices if kind == "Endpoints" else has_service
        if not is_there and objects.lists_all(namespace, kind):
            return gap(
                f"the service {service} leads to no pod: it has no {kind} in {namespace}", *evidence, remedy=mend
            )
    if shown:
        return covered(f"the service {service} leads to them", *evidence)
    ask = ASK_SERVICES if objects.find("Pod") else ASK_CLUSTER
    return unknown(f"nobody asked where the service {service} leads", remedy=ask)


def _ready_endpoints(fact: KubernetesFact) -> Iterator[Mapping[str, object]]:
    if fact.kind == "Endpoints":
        for subset in objects_at(fact.body, "subsets"):
            yield from objects_at(subset, "addresses")
        return
    for one in objects_at(fact.body, "endpoints"):
        # What is not said of an endpoint is that it is ready.
        if find_list(one, "addresses") and find_truth(one, "conditions", "ready") is not False:
            yield one
