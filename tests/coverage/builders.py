"""Documents as people have them, each showing only what the test is about."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from router.coverage.documents import CoverageDocument, document_of
from router.coverage.gate import GateResult, judge_documents
from router.domain.coverage import Rung, Verdict
from router.domain.coverage_manifest import NO_MANIFEST, CoverageManifest

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
CLUSTER = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/payments"
)
MACHINE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/web-1"

type Json = Mapping[str, object]


def document(value: object, name: str = "answer.json", given: str | None = None) -> CoverageDocument:
    """A document that holds that, as if it had been read from a file of that name."""
    return document_of(json.loads(json.dumps(value)), name, given)


def judged(*documents: object, manifest: CoverageManifest = NO_MANIFEST, now: datetime = NOW) -> GateResult:
    """What comes of documents: values, or documents that `document` made."""
    named = [
        one if isinstance(one, CoverageDocument) else document(one, f"{number}.json")
        for number, one in enumerate(documents, 1)
    ]
    return judge_documents(named, manifest, now)


def verdict(result: GateResult, name: str, rung: Rung) -> Verdict:
    """What is known of the workload of that name on a rung."""
    found = [one for workload, at, one in result.assessed.verdicts() if workload.name == name and at is rung]
    assert len(found) == 1, f"{len(found)} verdicts on {name} at {rung}"
    return found[0]


def pricing(
    plan: str, tier: str = "Standard", *, scope: str = f"/subscriptions/{SUBSCRIPTION}", **properties: object
) -> Json:
    """A plan as the REST API answers it."""
    return {
        "id": f"{scope}/providers/Microsoft.Security/pricings/{plan}",
        "name": plan,
        "type": "Microsoft.Security/pricings",
        "properties": {"pricingTier": tier, **properties},
    }


def resource(id: str, type: str, properties: Json | None = None, **fields: object) -> Json:
    """A resource as ARM answers it."""
    return {"id": id, "name": id.rpartition("/")[2], "type": type, "properties": properties or {}, **fields}


def managed_cluster(id: str = CLUSTER, *, has_sensor: bool = True, **fields: object) -> Json:
    """An AKS cluster."""
    profile = {"defender": {"securityMonitoring": {"enabled": has_sensor}}}
    properties = {"provisioningState": "Succeeded", "powerState": {"code": "Running"}, "securityProfile": profile}
    return resource(id, "Microsoft.ContainerService/managedClusters", properties, **fields)


def kubectl(*objects: Json) -> Json:
    """What `kubectl get ... -o json` prints of several objects."""
    return {"apiVersion": "v1", "kind": "List", "items": list(objects)}


def node(name: str, *, system: str = "linux", taints: Iterable[Json] = (), **labels: str) -> Json:
    """A node that is ready."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/os": system, **labels}},
        "spec": {"taints": list(taints)},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {
                "operatingSystem": system,
                "kernelVersion": "5.15.0-1091-azure",
                "osImage": "Ubuntu 22.04.5 LTS",
            },
        },
    }


def nodes(many: int = 3) -> list[Json]:
    """Linux nodes."""
    return [node(f"node-{number}") for number in range(many)]


def daemon_set(
    name: str = "microsoft-defender-collector-ds",
    *,
    namespace: str = "kube-system",
    desired: int = 3,
    ready: int = 3,
    image: str = "mcr.microsoft.com/azuredefender/stable/pod-collector:1.0.71",
    **status: int,
) -> Json:
    """A DaemonSet of Defender's."""
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": namespace, "generation": 1},
        "spec": {
            "selector": {"matchLabels": {"dsName": name}},
            "template": {"spec": {"containers": [{"name": "main", "image": image}]}},
        },
        "status": {
            "desiredNumberScheduled": desired,
            "currentNumberScheduled": desired,
            "numberMisscheduled": 0,
            "numberReady": ready,
            "observedGeneration": 1,
            **status,
        },
    }


def sensor(*, ready: int = 3, desired: int = 3, namespace: str = "kube-system") -> list[Json]:
    """Collector and publisher."""
    image = "mcr.microsoft.com/azuredefender/stable/security-publisher:1.0.67"
    publisher = daemon_set(
        "microsoft-defender-publisher-ds", namespace=namespace, desired=desired, ready=ready, image=image
    )
    return [daemon_set(namespace=namespace, desired=desired, ready=ready), publisher]
