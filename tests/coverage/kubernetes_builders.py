"""Objects of Kubernetes as kubectl prints them, each showing only what the test is about."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung
from tests.coverage.builders import Json, daemon_set, document, judged, kubectl, node, of_kind, verdict

COLLECTOR = "microsoft-defender-collector-ds"
PUBLISHER = "microsoft-defender-publisher-ds"
PUBLISHER_IMAGE = "mcr.microsoft.com/azuredefender/stable/security-publisher:1.0.67"


def part(
    name: str,
    many: int = 3,
    *,
    image: str = "mcr.microsoft.com/azuredefender/stable/pod-collector:1.0.71",
    namespace: str = "kube-system",
    ready: int | None = None,
    current: int | None = None,
    pod: Json | None = None,
    metadata: Json | None = None,
    status: Json | None = None,
) -> Json:
    """A DaemonSet that wants so many nodes, and is ready on all of them where `ready` says nothing else."""
    body = daemon_set(name, namespace=namespace, desired=many, ready=many if ready is None else ready, image=image)
    template = {"spec": {"containers": [{"name": "main", "image": image}], **(pod or {})}}
    now = {"currentNumberScheduled": many if current is None else current, **(status or {})}
    return {
        **body,
        "metadata": {**as_object(body, "metadata"), **(metadata or {})},
        "spec": {"selector": {"matchLabels": {"dsName": name}}, "template": template},
        "status": {**as_object(body, "status"), **now},
    }


collector = partial(part, COLLECTOR)
publisher = partial(part, PUBLISHER, image=PUBLISHER_IMAGE)


def as_object(body: Json, name: str) -> dict[str, object]:
    """An object in an object."""
    found = body[name]
    assert isinstance(found, Mapping)
    return dict(found)


def pod(
    node: str,
    owner: str = COLLECTOR,
    *,
    namespace: str = "kube-system",
    is_ready: bool = True,
    waiting: str | None = None,
    restarts: int = 0,
    uid: str | None = None,
    metadata: Json | None = None,
) -> Json:
    """A pod of a DaemonSet on a node."""
    reference = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": owner, **({"uid": uid} if uid else {})}
    state: Json = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    is_ready = is_ready and waiting is None
    status = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": str(is_ready)}],
        "containerStatuses": [{"name": "main", "ready": is_ready, "restartCount": restarts, "state": state}],
    }
    said = {"ownerReferences": [reference], **(metadata or {})}
    return of_kind("Pod", f"{owner}-{node}", namespace, metadata=said, spec={"nodeName": node}, status=status)


def pods(
    names: Iterable[str], *, restarts: int = 0, uid: str | None = None, metadata: Json | None = None
) -> list[Json]:
    """A pod of the collector and one of the publisher on each node."""
    owners = (COLLECTOR, PUBLISHER)
    return [pod(name, owner, restarts=restarts, uid=uid, metadata=metadata) for name in names for owner in owners]


POD_SECURITY = (
    'Error creating: pods "microsoft-defender-collector-ds-" is forbidden: violates PodSecurity "baseline:latest": '
    'hostPath volumes (volumes "host-log", "modules")'
)


def failed_create(
    message: str = POD_SECURITY,
    *,
    owner: str = COLLECTOR,
    namespace: str = "kube-system",
    uid: str | None = None,
    time: str = "2026-11-24T09:58:11Z",
) -> Json:
    """The event of a pod that was refused."""
    about = {"kind": "DaemonSet", "name": owner, "namespace": namespace, **({"uid": uid} if uid else {})}
    said: dict[str, Any] = {
        "involvedObject": about,
        "reason": "FailedCreate",
        "message": message,
        "lastTimestamp": time,
    }
    return of_kind("Event", f"{owner}.{time}", namespace, **said)


def new_event() -> Json:
    """The same, as the newer API writes it."""
    about = {"kind": "DaemonSet", "name": COLLECTOR, "namespace": "kube-system"}
    when = {"series": {"count": 3, "lastObservedTime": "2026-11-24T09:58:11.0Z"}, "eventTime": "2026-11-20T00:00:00.0Z"}
    said: dict[str, Any] = {"regarding": about, "reason": "FailedCreate", "note": POD_SECURITY, **when}
    return of_kind("Event", "new", "kube-system", version="events.k8s.io/v1", **said)


def namespace(name: str = "kube-system", **levels: str) -> Json:
    """A namespace; `enforce="baseline"` is its label of Pod Security."""
    labels = {f"pod-security.kubernetes.io/{mode.replace('_', '-')}": level for mode, level in levels.items()}
    return of_kind("Namespace", name, metadata={"labels": labels})


def taint(key: str, value: str = "", effect: str = "NoSchedule") -> Json:
    """A taint of a node."""
    return {"key": key, "effect": effect, **({"value": value} if value else {})}


def affinity(*expressions: Json, fields: Iterable[Json] = ()) -> Json:
    """What `pod` of a DaemonSet says to ask for nodes that meet all of that."""
    term = {"matchExpressions": list(expressions), "matchFields": list(fields)}
    return affinity_of([term])


def affinity_of(terms: list[Json]) -> Json:
    """The same, of several terms of which one must fit."""
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {"affinity": {"nodeAffinity": required}}


def node_of_image(name: str, image: str, kernel: str = "5.15.0") -> Json:
    """A node that is ready, of a release and a kernel."""
    info = {"operatingSystem": "linux", "osImage": image, "kernelVersion": kernel}
    return {**node(name), "status": {"nodeInfo": info, "conditions": [{"type": "Ready", "status": "True"}]}}


def silent_node(name: str) -> Json:
    """A node whose kubelet does not report."""
    return {**node(name), "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}


def labelled_node(name: str, labels: Mapping[str, str]) -> Json:
    """A node that has labels and says nothing else of itself."""
    return of_kind("Node", name, metadata={"labels": labels})


def running(*objects: Json) -> Verdict:
    """Whether the sensor runs, as objects in one list of `kubectl` say."""
    return running_in(kubectl(*objects))


def running_in(*documents: Json) -> Verdict:
    """Whether the sensor runs, as documents say."""
    named = [document(one, f"{number}.json", "payments") for number, one in enumerate(documents)]
    return verdict(judged(*named), "payments", Rung.SENSOR_RUNNING)
