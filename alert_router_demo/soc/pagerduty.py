"""A double of PagerDuty's Events API v2, which deduplicates on its server.

https://developer.pagerduty.com/docs/send-alert-event
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from alert_router_demo.soc.accounts import SocAccount
from alert_router_demo.soc.endpoint import Endpoint, json_answer

EVENT_LIMIT = 512 * 1024  # bytes of an event
SUMMARY_LIMIT = 1024  # characters
KEY_LIMIT = 255  # characters of a dedup_key
ROUTING_KEY_LENGTH = 32
ACTIONS = ("trigger", "acknowledge", "resolve")
SEVERITIES = ("critical", "warning", "error", "info")


@dataclass(slots=True)
class Page:
    """One alert at the pager.

    Attributes:
        account: whose routing key it came under.
        dedup_key: its key.
        status: `triggered`, `acknowledged` or `resolved`.
        summary, severity, source: as its first event says.
        event: the first event without its routing key, for the first alerts only.
        triggers: how many events it deduplicated, the first included.
    """

    account: str
    dedup_key: str
    status: str
    summary: str
    severity: str
    source: str
    event: dict[str, Any] | None
    triggers: int = 1


class PagerDutyDouble(Endpoint):
    """One service per account: a trigger on an open key is deduplicated, on a resolved or new key it opens an alert.

    Attributes:
        pages: the alerts, in the order of their opening; the first `keep` of them with their event.
        deduplicated: how many triggers opened no alert.
    """

    name = "pagerduty"
    holds = "pages"

    def __init__(self, accounts: Iterable[SocAccount], *, keep: int = 10_000) -> None:
        super().__init__()
        self._accounts = {account.routing_key: account.name for account in accounts}
        self._open: dict[tuple[str, str], Page] = {}
        self._keep = keep
        self.pages: list[Page] = []
        self.deduplicated = 0

    def count(self) -> int:
        """Gives how many alerts were opened."""
        return len(self.pages)

    def routes(self) -> Iterable[web.RouteDef]:
        """Gives the Events API's path."""
        return (web.post("/v2/enqueue", self._enqueue),)

    def error_body(self, status: int, message: str, errors: Iterable[str] = ()) -> Any:
        """Gives `{"status", "message", "errors"}`."""
        match status:
            case 400:
                return {"status": "invalid event", "message": "Event object is invalid", "errors": list(errors)}
            case 429:
                return {"status": "throttle exceeded", "message": "Requests for this service are arriving too quickly."}
            case _:
                return {"status": "error", "message": message, "errors": list(errors)}

    async def _enqueue(self, request: web.Request) -> web.Response:
        raw = await request.read()
        if len(raw) > EVENT_LIMIT:
            return self.error(413, "Event is larger than 512 KB")
        try:
            event = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return self._invalid(["Invalid JSON"])
        if not isinstance(event, dict):
            return self._invalid(["Event is not an object"])
        problems = list(_problems_of(event))
        if not problems and event["routing_key"] not in self._accounts:
            problems = ["Invalid routing key"]
        if problems:
            return self._invalid(problems)
        return json_answer(
            {"status": "success", "message": "Event processed", "dedup_key": self._process(event)}, status=202
        )

    def _invalid(self, errors: Iterable[str]) -> web.Response:
        return json_answer(self.error_body(400, "", errors), status=400)

    def _process(self, event: dict[str, Any]) -> str:
        account = self._accounts[event.pop("routing_key")]
        key: str = event.get("dedup_key") or secrets.token_hex(16)
        match event["event_action"], self._open.get((account, key)):
            case "trigger", None:
                self._open_page(account, key, event)
            case "trigger", Page() as page:
                page.triggers += 1
                self.deduplicated += 1
            case "acknowledge", Page() as page:
                page.status = "acknowledged"
            case "resolve", Page() as page:
                page.status = "resolved"
                del self._open[account, key]
        return key

    def _open_page(self, account: str, key: str, event: dict[str, Any]) -> None:
        payload = event["payload"]
        kept = event if len(self.pages) < self._keep else None
        page = Page(account, key, "triggered", payload["summary"], payload["severity"], payload["source"], kept)
        self._open[account, key] = page
        self.pages.append(page)


def _problems_of(event: Mapping[str, Any]) -> Iterable[str]:
    key = event.get("routing_key")
    if not isinstance(key, str) or not key:
        yield "'routing_key' is missing or blank"
    elif len(key) != ROUTING_KEY_LENGTH:
        yield f"Length of 'routing_key' is incorrect (should be {ROUTING_KEY_LENGTH} characters)"
    action = event.get("event_action")
    if action not in ACTIONS:
        yield "'event_action' is invalid (must be one of the following: 'trigger', 'acknowledge' or 'resolve')"
    yield from _dedup_problems_of(event.get("dedup_key"), action)
    if action == "trigger":
        payload = event.get("payload")
        if isinstance(payload, dict):
            yield from _payload_problems_of(payload)
        else:
            yield "'payload' is missing or blank"


def _dedup_problems_of(key: Any, action: Any) -> Iterable[str]:
    if not key:
        if action in ("acknowledge", "resolve"):
            yield "'dedup_key' is missing or blank"
    elif not isinstance(key, str):
        yield "'dedup_key' is not a string"
    elif len(key) > KEY_LIMIT:
        yield f"'dedup_key' is too long (maximum is {KEY_LIMIT} characters)"


def _payload_problems_of(payload: Mapping[str, Any]) -> Iterable[str]:
    for name in ("summary", "source"):
        if not isinstance(payload.get(name), str) or not payload[name]:
            yield f"'payload.{name}' is missing or blank"
    if isinstance(payload.get("summary"), str) and len(payload["summary"]) > SUMMARY_LIMIT:
        yield f"'payload.summary' is too long (maximum is {SUMMARY_LIMIT} characters)"
    if payload.get("severity") not in SEVERITIES:
        yield "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')"
