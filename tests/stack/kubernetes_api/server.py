"""An API server on loopback, by HTTPS with an authority of its own: for kubectl itself, where it is installed.

Its answers have the shapes of https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

import base64
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trustme
from aiohttp import web

from alert_router_demo.soc.endpoint import json_answer, served
from tests.stack.kubernetes_api.kubectl import BROUGHT, KINDS

TOKEN = "canary-token"
"""Who bears it may read everything."""

_PLURALS = {kind: plural for plural, kind in KINDS.items()}
_NAMESPACED = frozenset({"Pod", "Event", "DaemonSet", "Service", "EndpointSlice", "Config"})
_VERSIONS = {"DaemonSet": "apps/v1", "EndpointSlice": "discovery.k8s.io/v1"}


@dataclass
class ApiServer:
    """An API server, and what it was asked.

    Attributes:
        objects: the objects in its cluster.
        authority: who vouches for it.
        page: how many objects it gives at once, however many are asked for.
        lacks: the built-in kinds that its version does not have yet.
        url: its address.
        instead: what it answers instead, by the number of the request, from 0; None to answer as it should.
        requests: the requests that came.
    """

    objects: Sequence[Mapping[str, Any]]
    authority: trustme.CA = field(default_factory=trustme.CA)
    page: int = 500
    lacks: Collection[str] = ()
    url: str = ""
    instead: Callable[[int, web.Request], web.StreamResponse | None] = lambda number, request: None
    requests: list[web.Request] = field(default_factory=list)

    def kubeconfig(self, user: object = None, **cluster: object) -> dict[str, Any]:
        """A kubeconfig for it."""
        context = "payments"
        trust = {"certificate-authority-data": base64.b64encode(self.authority.cert_pem.bytes()).decode()}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [{"name": context, "cluster": {"server": self.url, **trust, **cluster}}],
            "users": [{"name": context, "user": {"token": TOKEN} if user is None else user}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answers a request."""
        self.requests.append(request)
        other = self.instead(len(self.requests) - 1, request)
        if other is not None:
            return other
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return refusal(401, "Unauthorized", "Unauthorized")
        return self._answer(request)

    def _answer(self, request: web.Request) -> web.Response:
        assert request.method == "GET"
        served = dict(self._kinds())
        if request.path == "/api":
            return json_answer({"kind": "APIVersions", "versions": ["v1"]})
        if request.path == "/apis":
            versions = sorted({version for version, _ in served.values() if "/" in version})
            return json_answer({"kind": "APIGroupList", "apiVersion": "v1", "groups": list(map(_group, versions))})
        if request.path in served:
            return self._listed(*served[request.path], request.query)
        version = request.path.removeprefix("/api/").removeprefix("/apis/")
        resources = [one for path, kind in served.items() if kind[0] == version for one in _resources(path, *kind)]
        if not resources:
            return refusal(404, "NotFound", "the server could not find the requested resource")
        return json_answer(
            {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}
        )

    def _kinds(self) -> Iterator[tuple[str, tuple[str, str]]]:
        """By their paths, the kinds that it serves, with their versions: the built-in ones, and those of its objects."""
        for kind, plural in _PLURALS.items():
            if plural not in BROUGHT and kind not in self.lacks:
                usual = "admissionregistration.k8s.io/v1" if kind.startswith("Validating") else "v1"
                version = _VERSIONS.get(kind, usual)
                yield _path(version, plural), (version, kind)
        for one in self.objects:
            # A constraint is called as its kind, in lower case.
            version, kind = one["apiVersion"], one["kind"]
            yield _path(version, _PLURALS.get(kind, kind.lower())), (version, kind)

    def _listed(self, version: str, kind: str, query: Mapping[str, str]) -> web.Response:
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
        return json_answer({"kind": f"{kind}List", "apiVersion": version, "metadata": metadata, "items": items})


def _path(version: str, plural: str) -> str:
    return f"/{'apis' if '/' in version else 'api'}/{version}/{plural}"


def _group(whole: str) -> Mapping[str, object]:
    name, _, version = whole.partition("/")
    served = {"groupVersion": whole, "version": version}
    return {"name": name, "versions": [served], "preferredVersion": served}


def _resources(path: str, version: str, kind: str) -> Iterator[Mapping[str, object]]:
    plural = path.rpartition("/")[2]
    one = {"name": plural, "singularName": "", "namespaced": kind in _NAMESPACED, "kind": kind}
    categories = {"categories": ["constraint", "constraints"]} if version.startswith("constraints.") else {}
    yield {**one, **categories, "verbs": ["delete", "get", "list", "watch"]}
    yield {**one, "name": f"{plural}/status", "verbs": ["get", "patch", "update"]}


def refusal(status: int, reason: str, message: str) -> web.Response:
    """An answer that says why there is none: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/"""
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    return json_answer({**body, "reason": reason, "code": status}, status)


@asynccontextmanager
async def serving(server: ApiServer, *names: str) -> AsyncIterator[ApiServer]:
    """An API server on loopback, for which its authority vouches under those names."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.authority.issue_cert("127.0.0.1", *names).configure_cert(tls)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    async with served(application, tls) as server.url:
        yield server
