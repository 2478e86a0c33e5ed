"""What an API server answers that has some objects. Pure, so that a property asks it thousands of times."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from router.domain.conversation import HttpAnswer, HttpRequest

PLURALS = {
    ("", "Node"): "nodes",
    ("apps", "DaemonSet"): "daemonsets",
    ("", "Pod"): "pods",
    ("", "Namespace"): "namespaces",
    ("", "Event"): "events",
    ("", "Service"): "services",
    ("discovery.k8s.io", "EndpointSlice"): "endpointslices",
    ("config.gatekeeper.sh", "Config"): "configs",
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): "validatingwebhookconfigurations",
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): "validatingadmissionpolicies",
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): "validatingadmissionpolicybindings",
    ("defender.microsoft.com", "SecurityArtifactPolicy"): "securityartifactpolicies",
}
"""What objects are called in paths. A constraint is called as its kind, in lower case."""

_NAMESPACED = frozenset({"Pod", "Event", "DaemonSet", "Service", "EndpointSlice", "Config"})

_BUILT_IN = ("v1", "apps/v1", "discovery.k8s.io/v1", "admissionregistration.k8s.io/v1")

type Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ClusterApi:
    """An API server.

    Attributes:
        objects: the objects in its cluster.
        page: how many objects it gives at once, however many are asked for.
        lacks: the built-in kinds that its version does not have yet.
    """

    objects: tuple[Json, ...]
    page: int = 500
    lacks: frozenset[str] = frozenset()
    kinds: Mapping[str, tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        served = {(f"{group}/v1" if group else "v1", kind): plural for (group, kind), plural in PLURALS.items()}
        found = {self._path(version, plural): (version, kind) for (version, kind), plural in served.items()
                 if version in _BUILT_IN and kind not in self.lacks}  # fmt: skip
        for one in self.objects:
            group, _, _ = one["apiVersion"].rpartition("/")
            plural = PLURALS.get((group, one["kind"]), one["kind"].lower())
            found[self._path(one["apiVersion"], plural)] = (one["apiVersion"], one["kind"])
        object.__setattr__(self, "kinds", found)

    def answer(self, request: HttpRequest) -> HttpAnswer:
        """The answer to a request by somebody who may read everything."""
        url = urlsplit(request.url)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        assert request.method == "GET"
        if url.path == "/api":
            return _said({"kind": "APIVersions", "versions": ["v1"]})
        if url.path == "/apis":
            return _said({"kind": "APIGroupList", "apiVersion": "v1", "groups": list(self._groups())})
        if url.path in self.kinds:
            return self._listed(*self.kinds[url.path], query)
        version = url.path.removeprefix("/api/").removeprefix("/apis/")
        resources = list(self._resources(version))
        if not resources or version == url.path:
            return refusal(404, "NotFound", "the server could not find the requested resource")
        return _said({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources})

    @staticmethod
    def _path(version: str, plural: str) -> str:
        return f"/{'apis' if '/' in version else 'api'}/{version}/{plural}"

    def _groups(self) -> Iterator[Json]:
        for each in sorted({version for version, _ in self.kinds.values() if "/" in version}):
            group, _, version = each.partition("/")
            served = {"groupVersion": each, "version": version}
            yield {"name": group, "versions": [served], "preferredVersion": served}

    def _resources(self, wanted: str) -> Iterator[Json]:
        for path, (version, kind) in self.kinds.items():
            if version == wanted:
                plural = path.rpartition("/")[2]
                one = {"name": plural, "singularName": "", "namespaced": kind in _NAMESPACED, "kind": kind}
                categories = {"categories": ["constraint", "constraints"]} if version.startswith("constraints.") else {}
                yield {**one, **categories, "verbs": ["delete", "get", "list", "watch"]}
                yield {**one, "name": f"{plural}/status", "verbs": ["get", "patch", "update"]}

    def _listed(self, version: str, kind: str, query: Mapping[str, str]) -> HttpAnswer:
        every = [one for one in self.objects if (one["apiVersion"], one["kind"]) == (version, kind)]
        start = int(base64.b64decode(query["continue"])) if "continue" in query else 0
        end = start + min(int(query["limit"]), self.page)
        metadata: dict[str, Any] = {"resourceVersion": "1000"}
        if end < len(every):
            metadata["continue"] = base64.b64encode(str(end).encode()).decode()
            metadata["remainingItemCount"] = len(every) - end
        items = [
            {name: value for name, value in one.items() if name not in ("apiVersion", "kind")}
            for one in every[start:end]
        ]
        return _said({"kind": f"{kind}List", "apiVersion": version, "metadata": metadata, "items": items})


def api_of(objects: Iterable[Json], *, page: int = 500, lacks: Iterable[str] = ()) -> ClusterApi:
    """The API server of a cluster in which are those objects."""
    return ClusterApi(tuple(objects), page, frozenset(lacks))


def refusal(status: int, reason: str, message: str, **headers: str) -> HttpAnswer:
    """An answer that says why there is none: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/"""
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    return _said({**body, "reason": reason, "code": status}, status, headers)


def _said(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    return HttpAnswer(
        status=status,
        headers={"content-type": "application/json", **(headers or {})},
        body=json.dumps(body).encode(),
    )
