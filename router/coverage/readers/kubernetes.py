"""What kubectl prints. The objects stay as they are, but for what is large and never asked: judges ask them many things.

https://kubernetes.io/docs/reference/kubernetes-api/
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from router.coverage.documents import CoverageDocument, Item
from router.coverage.facts import CoverageFact, Source, item_source
from router.coverage.fields import find, find_text


class KubernetesFact(CoverageFact, kw_only=True):
    """One object of a cluster.

    Attributes:
        subject: the cluster; None until `router.coverage.assignment` has found it, and where it cannot.
        given: the name that was given before the document.
        kind: the object's kind; one that ends in List stands for an empty list, and an empty one for a cluster that did not
            answer, for the reason `refusal`.
    """

    subject: str | None = None
    given: str | None
    kind: str
    namespace: str = ""
    name: str = ""
    body: Mapping[str, object] = {}
    refusal: str = ""

    @property
    def group(self) -> str:
        """The group of its API, without the version; empty for the core group."""
        return (find_text(self.body, "apiVersion") or "").lower().rpartition("/")[0]

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        return labels_at(self.body, "metadata", "labels")


def labels_at(body: object, *path: str) -> Mapping[str, str]:
    """The labels at a path."""
    found = find(body, *path)
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, Mapping) else {}


_KINDS = {
    "": ("Endpoints", "Event", "Namespace", "Node", "Pod", "Service"),
    "apps": ("DaemonSet", "Deployment"),
}
"""What is read of the groups in which every workload of a cluster is."""

_GROUPS = (
    "events.k8s.io",
    "admissionregistration.k8s.io",
    "discovery.k8s.io",
    "gatekeeper.sh",
    "defender.microsoft.com",
)
"""The groups, or their ends, of which everything is read."""


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The object itself, where it is of a kind that says something of a cluster's coverage."""
    group = (find_text(item.body, "apiVersion") or "").rpartition("/")[0]
    if item.kind in _KINDS[group] if group in _KINDS else group.endswith(_GROUPS):
        yield KubernetesFact(
            given=item.given,
            kind=item.kind,
            namespace=find_text(item.body, "metadata", "namespace") or "",
            name=find_text(item.body, "metadata", "name") or "",
            body=without_ballast(item.kind, item.body),
            source=item_source(item),
        )


_ASKED = frozenset(
    {
        *("metadata", "name", "namespace", "labels", "uid", "deletiontimestamp", "ownerreferences", "kind"),
        *("spec", "nodename", "affinity", "providerid", "taints", "key", "value", "effect"),
        *("status", "phase", "reason", "message", "conditions", "type", "ready", "restartcount", "state", "waiting"),
        *("terminated", "containerstatuses", "initcontainerstatuses"),
        *("nodeinfo", "operatingsystem", "kernelversion", "osimage"),
    }
)
"""All that is asked of pods and nodes, in lower case, wherever it stands in them."""

_WHOLE = ("labels", "affinity")
"""What is kept whole, since its names are free."""


def without_ballast(kind: str, body: Mapping[str, object]) -> Mapping[str, object]:
    """Return an object; of a pod or a node, which are many, only what is asked, and parts that are equal are one."""
    if kind not in ("Pod", "Node"):
        return body
    return {
        key: {name: _slim(one, name) for name, one in part.items() if name.lower() in _ASKED}
        if isinstance(part, dict)
        else part
        for key, part in body.items()
    }


def _slim(value: object, name: str) -> object:
    return _shared(json.dumps(_asked_in(value, name))) if isinstance(value, dict | list) else value


def _asked_in(value: object, name: str, depth: int = 8) -> object:
    """What is asked of a value, and none of it that lies deeper than any field that is."""
    if isinstance(value, list):
        return [_asked_in(one, name, depth - 1) for one in value if depth]
    if not isinstance(value, dict):
        return value
    is_whole = name.lower() in _WHOLE
    return {
        key: _asked_in(one, name if is_whole else key, depth - 1)
        for key, one in value.items()
        if depth and (is_whole or key.lower() in _ASKED)
    }


_shared = lru_cache(maxsize=4096)(json.loads)


def empty_lists_in(document: CoverageDocument) -> Iterator[CoverageFact]:
    """The empty lists of kubectl's in a document: that there was nothing is an answer, too."""
    for kind in filter(None, document.empty_lists):
        source = Source(document=document.name, is_whole=True)
        yield KubernetesFact(given=document.given, kind=kind, source=source)


def unanswered_in(document: CoverageDocument) -> Iterator[CoverageFact]:
    """That there is a cluster which did not answer: it is unknown, and not left out. An object without a kind stands for it."""
    if document.is_of_cluster and not document.items:
        refusal = document.refusals[0].reason if document.refusals else ""
        yield KubernetesFact(given=document.given, kind="", refusal=refusal, source=Source(document=document.name))


def refusals_in(facts: Iterable[KubernetesFact]) -> tuple[str, ...]:
    """Why a cluster did not answer what it was asked, once each."""
    return tuple(dict.fromkeys(fact.refusal for fact in facts if fact.refusal))
