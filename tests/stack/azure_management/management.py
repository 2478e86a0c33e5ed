"""A request -> the answer that Azure gives, in the recorded shapes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, unquote, urlsplit

from router.domain.conversation import HttpAnswer, HttpRequest
from tests.stack.azure_management.estate import Estate, Row
from tests.stack.azure_management.queries import UnknownQuery, rows_of

QUOTA = {"x-ms-user-quota-remaining": "14", "x-ms-user-quota-resets-after": "00:00:05"}
GRAPH = "/providers/microsoft.resourcegraph/resources"

type Fault = Callable[[HttpRequest, HttpAnswer], HttpAnswer]
"""What becomes of an answer; it may raise Unavailable, as where none comes."""


def no_fault(request: HttpRequest, answer: HttpAnswer) -> HttpAnswer:
    """The answer as it is."""
    return answer


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
        self.fault: Fault = no_fault
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
