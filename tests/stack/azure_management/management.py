"""Azure Resource Manager, Resource Graph and Log Analytics over an estate, in the recorded shapes.

Of queries only those that are asked are known: this is no engine of the query language, and refuses what it does not know.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from copy import replace
from urllib.parse import parse_qs, unquote, urlsplit

from aiohttp import web

from alert_router_demo.soc.endpoint import served
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.errors import Unavailable
from tests.stack.azure_management.estate import Estate, Row
from tests.stack.event_hubs.threads import in_thread
from tests.waiting import PATIENCE

QUOTA = {"x-ms-user-quota-remaining": "14", "x-ms-user-quota-resets-after": "00:00:05"}
GRAPH = "/providers/microsoft.resourcegraph/resources"

type Fault = Callable[[HttpRequest, HttpAnswer], HttpAnswer]
"""What becomes of an answer; it may raise Unavailable, as where none comes."""


class AzureManagement:
    """Answers requests over an estate, which stays as it is once it was asked, and remembers them.

    Attributes:
        estate: what there is.
        asked: every request, in order.
        page: how many rows a page has.
        fault: what is wrong with its answers.
    """

    def __init__(self, estate: Estate, page: int = 1000) -> None:
        self.estate = estate
        self.asked: list[HttpRequest] = []
        self.page = page
        self.fault: Fault = lambda request, answer: answer
        self._found: dict[tuple[str, ...], list[Row]] = {}

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """The answer to a request, as a sender of requests gives it."""
        return self.answer(request)

    def answer(self, request: HttpRequest) -> HttpAnswer:
        """The answer to a request; raises Unavailable where a fault does."""
        self.asked.append(request)
        return self.fault(request, self._answer(request))

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        url = urlsplit(request.url)
        path, options = unquote(url.path).rstrip("/").lower(), parse_qs(url.query)
        if request.method == "POST" and path == GRAPH:
            return self._graph(json.loads(request.body))
        if request.method == "POST" and path.startswith("/v1/workspaces/"):
            return self._log_analytics(path.split("/")[3])
        if request.method != "GET" or "api-version" not in options:
            return _refusal(400, "MissingApiVersionParameter", "The api-version query parameter is required.")
        subscription = path.split("/")[2] if path.startswith("/subscriptions/") else ""
        if subscription in self.estate.hidden:
            return _refusal(403, "AuthorizationFailed", f"No authorization over scope '{url.path}'.")
        if path in self.estate.lists:
            return self._list(request.url, path, int(options.get("skip", ["0"])[0]))
        if path in self.estate.objects:
            return _ok(self.estate.objects[path])
        return _refusal(404, "ResourceNotFound", f"The resource {url.path} was not found.")

    def _list(self, url: str, path: str, start: int) -> HttpAnswer:
        rows, end = self.estate.lists[path], start + self.page
        body: dict[str, object] = {"value": rows[start:end]}
        if end < len(rows):
            body["nextLink"] = f"{url.partition('&skip=')[0]}&skip={end}"
        return _ok(body)

    def _graph(self, asked: Mapping[str, object]) -> HttpAnswer:
        options = asked.get("options")
        options = options if isinstance(options, dict) else {}
        named = asked.get("subscriptions")
        try:
            rows = self._rows_of(str(asked["query"]), [str(one) for one in named] if isinstance(named, list) else [])
        except UnknownQuery:
            return _refusal(400, "BadRequest", "Please provide below info when asking for support: unknown query")
        try:
            start = int(base64.b64decode(options.get("$skipToken", "MA==")))
        except ValueError:
            return _refusal(400, "BadRequest", "The $skipToken is not valid.")
        end = start + min(self.page, options.get("$top", 100))
        body: dict[str, object] = {"totalRecords": len(rows), "count": len(rows[start:end])}
        body |= {"resultTruncated": "false", "facets": []}
        if end < len(rows):
            body["$skipToken"] = base64.b64encode(str(end).encode()).decode()
        return _ok({**body, "data": rows[start:end]}, QUOTA)

    def _rows_of(self, query: str, subscriptions: list[str]) -> list[Row]:
        """The rows of a query, which are looked for once: the next page is a page of the same ones."""
        key = (query, *subscriptions)
        if key not in self._found:
            self._found[key] = rows_of(self.estate, query, {one.lower() for one in subscriptions})
        return self._found[key]

    def _log_analytics(self, workspace: str) -> HttpAnswer:
        if workspace not in self.estate.processes:
            return _refusal(403, "InsufficientAccessError", "The provided credentials have insufficient access")
        columns = [
            {"name": name, "type": "datetime" if name == "last" else "string"}
            for name in ("AzureResourceId", "AwsResourceName", "GcpFullResourceName", "last")
        ]
        rows = [
            [cluster if cluster.startswith("/") else "", cluster if cluster.startswith("arn:") else "", "", time]
            for cluster, time in self.estate.processes[workspace]
        ]
        return _ok({"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]})


def _ok(body: object, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    return _answer_of(200, body, headers or {})


def _refusal(status: int, code: str, message: str) -> HttpAnswer:
    return _answer_of(status, {"error": {"code": code, "message": message}}, {})


def _answer_of(status: int, body: object, headers: Mapping[str, str]) -> HttpAnswer:
    data = json.dumps(body).encode()
    return HttpAnswer(status=status, headers={"content-type": "application/json", **headers}, body=data)


_TEXT = re.compile(r"'((?:[^'\\]|\\.)*)'")
_CONDITION = re.compile(
    r"(?P<field>[\w.]+|tostring\(properties\.displayName\)) (?:=~ (?P<one>'(?:[^'\\]|\\.)*')|in~ \((?P<many>[^)]*)\))"
)


class UnknownQuery(Exception):
    """A query that nobody asked when this was written."""


def rows_of(estate: Estate, query: str, subscriptions: Container[str]) -> list[Row]:
    """The rows of a query over some subscriptions, or over all that can be read; raises UnknownQuery."""
    steps = [step.strip() for step in _outer(query)]
    tables = [steps[0], *(step.removeprefix("union ") for step in steps if step.startswith("union "))]
    if not set(tables) <= set(estate.graph):
        raise UnknownQuery(query)
    rows = [row for table in tables for row in estate.graph[table] if _is_in(estate, row, subscriptions)]
    for step in steps[1:]:
        if step.startswith("where "):
            rows = list(filter(_condition(step), rows))
        elif step.startswith("join kind=leftouter ("):
            rows = list(_joined(estate, rows, step))
        elif step.startswith("project "):
            rows = list(_projected(rows, step))
        elif not step.startswith("union "):
            raise UnknownQuery(query)
    return sorted(rows, key=lambda row: str(row["id"]).lower())


def _outer(query: str) -> Iterator[str]:
    """The steps of a query; those of a query in parentheses are a part of theirs."""
    depth, begun = 0, ""
    for character in query:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and depth == 0:
            yield begun
            begun = ""
        else:
            begun += character
    yield begun


def _is_in(estate: Estate, row: Row, subscriptions: Container[str]) -> bool:
    subscription = str(row["id"]).split("/")[2].lower()
    return subscription not in estate.hidden and (not subscriptions or subscription in subscriptions)


def _condition(step: str) -> Callable[[Row], bool]:
    """Whether a row fits a `where`, whose conditions hold together or, with an `or` between them, one of them does."""
    conditions = []
    for found in _CONDITION.finditer(step):
        field = found["field"].removeprefix("tostring(").removesuffix(")")
        conditions.append((field, {text.lower() for text in _TEXT.findall(found["one"] or found["many"])}))
    if not conditions:
        raise UnknownQuery(step)
    together = any if " or " in step else all
    return lambda row: together(str(_value(row, field)).lower() in wanted for field, wanted in conditions)


def _joined(estate: Estate, rows: list[Row], step: str) -> Iterator[Row]:
    """Each machine with its extension, or each subscription with the types of its resources; else with empty columns."""
    if "make_set(tolower(type), 1000) by subscriptionId" in step:
        for row in rows:
            own = f"/subscriptions/{row['subscriptionId']}/".lower()
            types = {one["type"].lower() for one in estate.graph["resources"] if one["id"].lower().startswith(own)}
            yield {**row, "resourceTypes": sorted(types) or None}
        return
    inner = step[step.index("(") + 1 : step.rindex(")")]
    condition = _condition(next(part.strip() for part in inner.split("|") if part.strip().startswith("where ")))
    extensions = {
        row["id"].lower().split("/extensions/")[0]: row for row in estate.graph["resources"] if condition(row)
    }
    for row in rows:
        found: Mapping[str, object] = extensions.get(row["id"].lower(), {})
        yield {**row, "name1": found.get("name", ""), "properties1": found.get("properties")}


def _projected(rows: list[Row], step: str) -> Iterator[Row]:
    columns = []
    for column in step.removeprefix("project ").split(","):
        name, _, path = (part.strip() for part in column.partition("="))
        columns.append((name, path or name))
    for row in rows:
        yield {
            name: str(row["id"]).lower() if path.startswith("tolower(") else _value(row, path) for name, path in columns
        }


def _value(row: Row, path: str) -> object:
    value: object = row
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


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


@contextmanager
def serving(azure: AzureManagement) -> Iterator[str]:
    """The URL at which it answers, as long as the context lasts."""

    async def answer(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = f"http://{request.host}{request.raw_path}"
        body = await request.read()
        try:
            found = azure.answer(HttpRequest(method=request.method, url=asked, headers=headers, body=body))
        except Unavailable:
            await asyncio.sleep(PATIENCE)  # Nothing comes, until the client has gone or the double ends.
            return web.Response(status=503)
        return web.Response(status=found.status, headers=found.headers, body=found.body)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    with in_thread(served(application), "azure") as url:
        yield url
