"""Answers that are none, each as an API server, or what stands before it, gives them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from router.domain.conversation import HttpAnswer
from router.domain.errors import Unavailable
from tests.stack.kubernetes_api.answers import refusal


def _ok(body: bytes) -> HttpAnswer:
    return HttpAnswer(status=200, headers={"content-type": "application/json"}, body=body)


def _listed(**fields: object) -> HttpAnswer:
    return _ok(json.dumps({"kind": "List", "apiVersion": "v1", "metadata": {}, **fields}).encode())


FAULTS: Mapping[str, HttpAnswer | Unavailable] = {
    "no answer": Unavailable("no answer: ConnectionRefusedError"),
    "401": refusal(401, "Unauthorized", "Unauthorized"),
    "403": refusal(403, "Forbidden", 'daemonsets.apps is forbidden: User "reader" cannot list resource "daemonsets"'),
    "404": refusal(404, "NotFound", "the server could not find the requested resource"),
    "410": refusal(410, "Expired", "The provided continue parameter is too old to display a consistent list result."),
    "429": refusal(429, "TooManyRequests", "Too many requests, please try again later.", **{"retry-after": "1"}),
    "500": refusal(500, "InternalError", "etcdserver: request timed out"),
    "503": refusal(503, "ServiceUnavailable", "the server is currently unable to handle the request"),
    "a redirect": HttpAnswer(status=302, headers={"location": "https://login.example/"}),
    "nothing": _ok(b""),
    "a page to sign in at": _ok(b"<!doctype html><title>Sign in</title>"),
    "half an answer": _ok(b'{"kind": "DaemonSetList", "apiVersion": "apps/v1", "items": [{"metadata": {"na'),
    "no UTF-8": _ok(b'{"kind": "\xff\xfe"}'),
    "a list in JSON": _ok(b"[]"),
    "null": _ok(b"null"),
    "an abyss": _ok(b"[" * 100_000),
    "a number without end": _ok(b'{"kind": "NodeList", "items": ' + b"9" * 10_000 + b"}"),
    "no kind": _ok(b'{"items": []}'),
    "another kind": _listed(kind="ConfigMapList", items=[]),
    "kubectl's kind": _listed(items=[]),
    "no items": _listed(kind="DaemonSetList"),
    "items that are none": _listed(kind="DaemonSetList", items=[1, None, "x"]),
    "items that are no list": _listed(kind="DaemonSetList", items={"a": {}}),
    "no groups": _listed(kind="APIGroupList"),
    "no resources": _listed(kind="APIResourceList", resources={}),
}
"""What comes instead of an answer, by what it is called."""
