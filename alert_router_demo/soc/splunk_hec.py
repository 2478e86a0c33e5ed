"""A double of Splunk's HTTP Event Collector, which deduplicates nothing and stops at the first event that it cannot read.

https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data/troubleshoot-http-event-collector
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

from aiohttp import web

from alert_router_demo.soc.endpoint import Endpoint, RefusedRequest, json_answer

BODY_LIMIT = 1_000_000  # bytes, the smallest that a Splunk had by default
TEXTS = {
    0: "Success", 1: "Token disabled", 2: "Token is required", 3: "Invalid authorization", 4: "Invalid token",
    5: "No data", 6: "Invalid data format", 7: "Incorrect index", 8: "Internal server error", 9: "Server is busy",
    10: "Data channel is missing", 12: "Event field is required", 13: "Event field cannot be blank",
}  # fmt: skip
_STATUSES = {0: 200, 1: 403, 2: 401, 3: 401, 4: 403, 8: 500, 9: 503}


class SplunkHecDouble(Endpoint):
    """A collector whose tokens may write to any index.

    `poison` are ids of signals whose events it calls invalid: a real one finds none among well-formed ones.
    `body_limit` is the largest body in bytes.

    Attributes:
        events: every event that was accepted, in order.
    """

    name = "splunk_hec"
    holds = "events"

    def __init__(
        self,
        *tokens: str,
        poison: Collection[str] = (),
        body_limit: int = BODY_LIMIT,
    ) -> None:
        super().__init__()
        self._tokens = tokens
        self._poison = poison
        self._body_limit = body_limit
        self.events: list[dict[str, Any]] = []

    def copies(self) -> Counter[tuple[str, int]]:
        """How often each turn of each signal was accepted."""
        return Counter((one["event"]["key"], one["event"]["turn"]) for one in self.events)

    def count(self) -> int:
        """Gives how many events were accepted."""
        return len(self.events)

    def routes(self) -> Iterable[web.RouteDef]:
        """Gives the collector's path."""
        return (web.post("/services/collector/event", self._collect),)

    def error_body(self, status: int, message: str) -> Any:
        """Gives `{"text", "code"}`."""
        code = {401: 3, 403: 4, 429: 9, 503: 9}.get(status, 8 if status >= 500 else 6)
        return {"text": TEXTS[code], "code": code}

    async def _collect(self, request: web.Request) -> web.Response:
        raw = await request.read()
        self._admit(request)
        if len(raw) > self._body_limit:
            return web.Response(status=413, text="<html>413 Request Entity Too Large</html>", content_type="text/html")
        text, place, number = raw.decode("utf-8"), 0, 0
        decoder = json.JSONDecoder()
        while text[place:].strip():
            place += len(text[place:]) - len(text[place:].lstrip())
            try:
                event, place = decoder.raw_decode(text, place)
            except json.JSONDecodeError:
                raise _refusal(6, number) from None
            self._accept(event, number)
            number += 1
        if not number:
            raise _refusal(5)
        return json_answer({"text": TEXTS[0], "code": 0})

    def _admit(self, request: web.Request) -> None:
        authorization = request.headers.get("Authorization")
        if authorization is None:
            raise _refusal(2)
        scheme, _, token = authorization.partition(" ")
        if scheme != "Splunk":
            raise _refusal(3)
        if token not in self._tokens:
            raise _refusal(4)

    def _accept(self, event: Any, number: int) -> None:
        if not isinstance(event, dict) or not isinstance(event.get("time"), int | float):
            raise _refusal(6, number)
        if "event" not in event:
            raise _refusal(12, number)
        if event["event"] in ("", None):
            raise _refusal(13, number)
        if event["event"].get("id") in self._poison:
            raise _refusal(6, number)
        self.events.append(event)


def _refusal(code: int, number: int | None = None) -> RefusedRequest:
    numbered = {} if number is None else {"invalid-event-number": number}
    return RefusedRequest(_STATUSES.get(code, 400), {"text": TEXTS[code], "code": code, **numbered})
