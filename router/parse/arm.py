"""What every posture message has: an ARM id, a name, properties, what was done to it, and the place in a cluster.

| the finding | where its cluster, namespace, workload and container stand in additional data |
|---|---|
| on a running container, since 2024 | `kubernetesDetails`, of the assessment or of the sub-assessment in it |
| on an update of AKS | `K8sClusterId`, `Namespace`, `ControllerName`, ... on top |
| on a cluster, before | `clusterDetails` and `kubernetesContext.workloads` |
| without any of these | the id: `.../securityentitydata/namespace-NAME-pod-NAME-container-NAME` |

Where several pods or replica sets are meant, the part in which they differ is a star: `metrics-server-*-*`.
https://learn.microsoft.com/azure/defender-for-cloud/subassessment-rest-api
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from router.domain.decisions import Code
from router.domain.entities import Entities
from router.domain.evidence import says_something
from router.parse.documents import MessageRefused
from router.parse.fields import Fields, fields_in, is_true, items_in, name_in, text_in

_PROVIDER = "/providers/microsoft.security/"
_BREAK = re.compile(r"<br\s*+/?>", re.IGNORECASE)


class Posture(NamedTuple):
    """One posture message."""

    id: str
    name: str
    scope: str | None
    properties: Fields
    deleted: bool
    snapshot: bool


def posture_in(fields: Fields) -> Posture:
    """The parts of a posture message; raises MessageRefused (invalid) where it has no id."""
    written = text_in(fields, "id")
    if written is None:
        raise MessageRefused(Code.INVALID, "a finding without id", "id")
    written = written.strip().rstrip("/") or written
    id = written.lower()
    enrichments = [fields_in(value) for name, value in fields.items() if name.endswith("eventdataenrichment")]
    return Posture(
        id=id,
        name=name_in(fields, "name") or written.rpartition("/")[2],
        scope=written[: max(id.rfind(_PROVIDER), 0)] or None,
        properties=fields_in(fields.get("properties")),
        deleted=any((text_in(enrichment, "action") or "").strip().lower() == "delete" for enrichment in enrichments),
        snapshot=any(is_true(enrichment.get("issnapshot")) for enrichment in enrichments),
    )


def entities_for(resource: str | None, inside: Iterable[dict[str, object]] = ()) -> Entities:
    """What a finding offers to rules as entities: its resource, and what it names `inside` a cluster."""
    named = [{"$id": "1", "Type": "azure-resource", "ResourceId": resource}] if resource is not None else []
    return Entities([*named, *inside])


def steps_for(html: str | None) -> tuple[str, ...]:
    """A text of Defender's as one remediation step, with its <br> as line ends."""
    return (_BREAK.sub("\n", html),) if html else ()


_BEFORE = "/securityentitydata/namespace-"
_IN_ID = re.compile(
    r"(?P<namespace>[^/]{1,63}?)-pod-(?P<podname>[^/]{1,253}?)-container-(?P<containername>[^/]{1,253})", re.IGNORECASE
)
_MARKS = frozenset({"k8sclusterid", "k8sclustername", "controllername", "podname"})
"""What tells that additional data themselves are about what is in a cluster."""
_SAYING = _MARKS | {"kubernetesdetails", "kubernetescontext", "clusterdetails", "subassessment"}


def entities_in_cluster(resource: str | None, additional: Fields) -> list[dict[str, object]]:
    """The cluster, the namespaces, the workloads and the containers that a finding names, as entities; each once."""
    if _SAYING.isdisjoint(additional) and _BEFORE not in (resource or "").lower():
        return []
    entities: dict[tuple[str, str], dict[str, object]] = {}
    for said in _cluster_facts(resource, additional):
        for entity in _entities_at(said):
            entities.setdefault((str(entity["Type"]), str(entity["Name"])), entity)
    return list(entities.values())


def _cluster_facts(resource: str | None, additional: Fields) -> list[Fields]:
    """All that is said of places in clusters, with what the id says where that is silent."""
    inner = fields_in(fields_in(additional.get("subassessment")).get("properties"))
    said = [additional] if _MARKS & additional.keys() else []
    for data in (additional, fields_in(inner.get("additionaldata"))):
        details = data.get("kubernetesdetails")
        said += map(fields_in, [*(items_in(details) or [details]), data.get("clusterdetails")])
        workloads = map(fields_in, items_in(fields_in(data.get("kubernetescontext")).get("workloads")))
        said += [{"controllername": workload.get("name"), **workload} for workload in workloads]
    at = (resource or "").lower().rfind(_BEFORE)
    found = _IN_ID.match(resource, at + len(_BEFORE)) if resource and at >= 0 else None
    ids: Fields = found.groupdict() if found is not None else {}
    return [{**ids, **{name: held for name, held in one.items() if held}} for one in said if one] or [ids]


def _entities_at(said: Fields) -> Iterator[dict[str, object]]:
    id = _name_in(said, "clusterresourceid", "k8sclusterid")
    cluster = _name_in(said, "clustername", "k8sclustername") or (id or "").rstrip("/").rpartition("/")[2]
    workload = _name_in(said, "controllername")
    for type, name in (
        ("K8s-cluster", cluster),
        ("K8s-namespace", _name_in(said, "namespace")),
        ("K8s-controller" if workload else "K8s-pod", workload or _name_in(said, "podname")),
        ("container", _name_in(said, "containername")),
    ):
        if name:
            yield {"Type": type, "Name": name, **({"ResourceId": id} if type == "K8s-cluster" else {})}


def _name_in(said: Fields, *names: str) -> str | None:
    name = name_in(said, *names)
    return name if name and says_something(name) else None
