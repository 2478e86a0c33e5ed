"""What a plan or a setting is about: the subscription or the resource that stands before it in its id."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from router.coverage.documents import Item
from router.coverage.facts import ResourceFact, source_of, subscription_subject
from router.coverage.readers.resources import KINDS
from router.domain.coverage import Workload, WorkloadKind
from router.domain.resources import parse_resource_id

_KINDS: Mapping[str, WorkloadKind] = MappingProxyType(
    {
        **KINDS,
        "microsoft.compute/virtualmachines": WorkloadKind.MACHINE,
        "microsoft.hybridcompute/machines": WorkloadKind.MACHINE,
        "microsoft.containerservice/managedclusters": WorkloadKind.CLUSTER,
        "microsoft.kubernetes/connectedclusters": WorkloadKind.CLUSTER,
    }
)


def find_scope(id: str | None, child: str) -> tuple[str, str] | None:
    """What stands before a child such as `/providers/microsoft.security/pricings/` in an id, and after it; None without it.

    A child of the child, as an operator of a plan is one, is another thing.
    """
    if id is None or (at := id.lower().rfind(child)) < 0:
        return None
    scope, name = id[:at].strip("/"), id[at + len(child) :].strip("/")
    return (f"/{scope}", name) if scope and name and "/" not in name else None


def workload_fact(item: Item, scope: str) -> ResourceFact | None:
    """That the subscription or the resource exists that a document is about; None where it is none that is judged."""
    parts = parse_resource_id(scope)
    subscription = parts.subscription.lower() if parts.subscription else None
    if subscription and scope.lower() == subscription_subject(subscription):
        return subscription_fact(item, subscription, subscription)
    kind = _KINDS.get((parts.type or "").lower())
    if kind is None or parts.name is None:
        return None
    workload = Workload(kind=kind, name=parts.name, id=scope, subscription=subscription, subject=scope.lower())
    return ResourceFact(workload=workload, source=source_of(item))


def subscription_fact(item: Item, subscription: str, name: str) -> ResourceFact:
    """That a subscription exists."""
    subject = subscription_subject(subscription)
    workload = Workload(
        kind=WorkloadKind.SUBSCRIPTION, name=name, id=subject, subscription=subscription.lower(), subject=subject
    )
    return ResourceFact(workload=workload, source=source_of(item))
