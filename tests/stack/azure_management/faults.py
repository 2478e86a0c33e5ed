"""What may be wrong with an answer of Azure's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.errors import Unavailable
from tests.stack.azure_management.management import Fault

ELSEWHERE = "https://evil.test/next"


def _of_body(change: Mapping[str, object]) -> Fault:
    def fault(request: HttpRequest, answer: HttpAnswer) -> HttpAnswer:
        return replace(answer, body=json.dumps({**json.loads(answer.body), **change}).encode())

    return fault


def _instead(status: int, body: bytes = b"", **headers: str) -> Fault:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request, answer: HttpAnswer(status=status, headers=named, body=body)


def _silent(request: HttpRequest, answer: HttpAnswer) -> HttpAnswer:
    raise Unavailable("no answer within 60 s")


def _halved(request: HttpRequest, answer: HttpAnswer) -> HttpAnswer:
    return replace(answer, body=answer.body[: len(answer.body) // 2])


def _rows_lost(request: HttpRequest, answer: HttpAnswer) -> HttpAnswer:
    """Half of the rows are missing, and only the count of all tells."""
    body = json.loads(answer.body)
    if not body.get("data"):
        return _silent(request, answer)
    return replace(answer, body=json.dumps({**body, "data": body["data"][: len(body["data"]) // 2]}).encode())


def _too_few_in_all(request: HttpRequest, answer: HttpAnswer) -> HttpAnswer:
    """It gives more rows than it says that there are; of a later page the first one has said it already."""
    body = json.loads(answer.body)
    if not body.get("data") or b"$skipToken" in request.body:
        return _silent(request, answer)
    return replace(answer, body=json.dumps({**body, "totalRecords": 0, "$skipToken": None}).encode())


def _texts_among_rows(request: HttpRequest, answer: HttpAnswer) -> HttpAnswer:
    """Something that is no object stands among the rows."""
    body = json.loads(answer.body)
    names = body.keys() & {"data", "value"} or {"id"}
    changed = {name: [*body[name], "a"] if isinstance(body[name], list) else ["a"] for name in names & body.keys()}
    return replace(answer, body=json.dumps({**body, **(changed or {"tables": ["a"]})}).encode())


def _of_another(request: HttpRequest, answer: HttpAnswer) -> HttpAnswer:
    """Somebody between has kept the answer about another subscription; of one without rows nobody can tell."""
    found = replace(answer, body=answer.body.replace(b"6f0a3c52-", b"99999999-"))
    return found if found.body != answer.body else _silent(request, answer)


def _endless(request: HttpRequest, answer: HttpAnswer) -> HttpAnswer:
    """There is always a next page, which is this one."""
    return _of_body({"nextLink": request.url, "$skipToken": "again"})(request, answer)


_BUSY = b'{"error": {"code": "RateLimiting", "message": "Please try again after the given time."}}'
_FORBIDDEN = b'{"error": {"code": "AuthorizationFailed", "message": "The client does not have authorization."}}'

FAULTS: Mapping[str, Fault] = {
    "silent": _silent,
    "429": _instead(429, _BUSY, retry_after="7"),
    "403": _instead(403, _FORBIDDEN),
    "401": _instead(401),
    "404": _instead(404, b'{"error": {"code": "SubscriptionNotFound", "message": "It could not be found."}}'),
    "500": _instead(500, b"<html>Internal Server Error</html>"),
    "redirect": _instead(302, location=ELSEWHERE),
    "garbage": _instead(200, b"\xff<html>sign in</html>"),
    "nothing": _instead(200),
    "no rows": _instead(200, b"{}"),
    "a list": _instead(200, b"[]"),
    "null rows": _instead(200, b'{"value": null, "data": null, "totalRecords": null}'),
    "rows of text": _texts_among_rows,
    "nested": _instead(200, b'{"a":' * 3000 + b"1" + b"}" * 3000),
    "refused within": _of_body({"error": {"code": "PartialError", "message": "There were some errors."}}),
    "cut": _halved,
    "rows lost": _rows_lost,
    "truncated": _of_body({"resultTruncated": "true", "$skipToken": None, "nextLink": ELSEWHERE}),
    "elsewhere": _of_body({"nextLink": ELSEWHERE, "$skipToken": "unknown"}),
    "endless": _endless,
    "of another": _of_another,
    "odd tokens": _of_body({"$skipToken": {"next": 2}, "nextLink": {"next": 2}}),
    "truncated indeed": _of_body({"resultTruncated": True, "$skipToken": None, "nextLink": ELSEWHERE}),
    "other next": _of_body({"@odata.nextLink": ELSEWHERE, "resultTruncated": "true", "$skipToken": None}),
    "few in all": _too_few_in_all,
}
"""What is wrong, by its name."""
