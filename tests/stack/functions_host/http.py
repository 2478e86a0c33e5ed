"""The HTTP trigger: which function answers a request, and what it says. Keys are not asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.stack.functions_host.calls import Call
from tests.stack.functions_host.functions import Function
from tests.stack.functions_host.invocations import Invocation, Outcome
from tests.stack.functions_worker.protocol import protocol

_PARAMETER = re.compile(r"\{(\*)?(\w+)(?::[^}?]+)?(\?)?\}")
_ORIGIN = "http://127.0.0.1"


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request; `path` may carry a query."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What a request is answered with; names of headers in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class _Route:
    function: Function
    methods: frozenset[str]
    path: re.Pattern[str]


class Routes:
    """The routes of an app."""

    def __init__(self, functions: Iterable[Function], prefix: str) -> None:
        self._routes = [_route(function, prefix) for function in functions if function.kind == "httpTrigger"]

    def find(self, request: Request) -> tuple[Function, Call] | None:
        """Gives the function for a request, and what it is called with; None where there is none."""
        address = urlsplit(request.path)
        for route in self._routes:
            found = route.path.fullmatch(address.path)
            if found is not None and (not route.methods or request.method.upper() in route.methods):
                parameters = {name: value for name, value in found.groupdict().items() if value is not None}
                return route.function, _call(request, dict(parse_qsl(address.query)), parameters)
        return None


def response_of(invocation: Invocation) -> Response:
    """Gives what the caller sees of a run: its response, or a bare 500 if it failed."""
    if invocation.outcome is not Outcome.OK:
        return Response(500)
    value = invocation.answer.return_value
    if value.WhichOneof("data") != "http":
        return Response(200, {"content-type": "text/plain; charset=utf-8"}, value.string.encode())
    headers = {name.lower(): text for name, text in value.http.headers.items()}
    return Response(int(value.http.status_code), headers, value.http.body.bytes)


def _route(function: Function, prefix: str) -> _Route:
    template = str(function.trigger.get("route") or function.name).strip("/")
    path = "".join(f"/{part}" for part in (prefix.strip("/"), template) if part)
    pattern, end = "", 0
    for found in _PARAMETER.finditer(path):
        everything, name, optional = found.groups()
        pattern += re.escape(path[end : found.start()].removesuffix("/"))
        pattern += f"(?:/(?P<{name}>{'.*' if everything else '[^/]+'})){'?' if everything or optional else ''}"
        end = found.end()
    methods = frozenset(str(method).upper() for method in function.trigger.get("methods", ()))
    return _Route(function, methods, re.compile(pattern + re.escape(path[end:]), re.IGNORECASE))


def _call(request: Request, query: Mapping[str, str], parameters: Mapping[str, str]) -> Call:
    of = protocol()
    http: Any = of.RpcHttp(
        method=request.method.upper(),
        url=_ORIGIN + request.path,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=query,
        params=parameters,
        body=of.TypedData(bytes=request.body),
    )
    return Call(of.TypedData(http=http), {}, f"{request.method.upper()} {urlsplit(request.path).path}")
