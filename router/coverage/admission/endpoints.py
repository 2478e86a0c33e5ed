"""Whether the service of a webhook leads to a pod: one that is ready answers nothing where no service chooses it. Pure.

https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from router.coverage.admission.cluster_objects import ClusterObjects, ObjectCopies, is_whole, labels_of
from router.coverage.fields import find_list, find_truth, objects_at
from router.coverage.readers.kubernetes import KubernetesFact
from router.domain.coverage import Verdict, gap, unknown

_SLICE_OF = "kubernetes.io/service-name"


def find_lost_service(objects: ClusterObjects, service: str, namespace: str) -> Verdict | None:
    """The verdict on a service that leads to no pod; None where no document says so, as few ask for that."""
    lists = [one for one in objects.find("Endpoints") if (one.name, one.namespace) == (service, namespace)]
    slices = [
        one
        for one in objects.find("EndpointSlice")
        if one.namespace == namespace and labels_of(one.copies[0]).get(_SLICE_OF) == service
    ]
    for some in (lists, slices):
        if not some or any(_leads_somewhere(one.worst(_leads_somewhere)) for one in some):
            continue
        reason = f"the service {service} leads to no pod"
        shown = [one.source.shows(field, "") for one, field in _shown(some)]
        if some is lists or is_whole(slices):
            mend = f"kubectl describe service {shlex.quote(service)} -n {shlex.quote(namespace)}"
            return gap(reason, *shown, remedy=mend)
        ask = f"kubectl get endpointslices -n {shlex.quote(namespace)} -o json"
        return unknown(f"{reason}, unless there are more of its slices", *shown, remedy=ask)
    return None


def _shown(some: list[ObjectCopies]) -> Iterator[tuple[KubernetesFact, str]]:
    for one in some:
        yield one.worst(_leads_somewhere), "subsets" if one.copies[0].kind == "Endpoints" else "endpoints"


def _leads_somewhere(fact: KubernetesFact) -> bool:
    if fact.kind == "Endpoints":
        return any(find_list(one, "addresses") for one in objects_at(fact.body, "subsets"))
    endpoints = objects_at(fact.body, "endpoints")
    # What is not said of an endpoint is that it is ready.
    return any(find_truth(one, "conditions", "ready") is not False for one in endpoints)
