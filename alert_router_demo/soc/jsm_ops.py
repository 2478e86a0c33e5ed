"""A double of JSM Operations' integration events: it accepts at once, carries out later, and deduplicates by alias.

https://developer.atlassian.com/cloud/jira/service-desk-ops/rest/v1/api-group-integration-events/
https://docs.opsgenie.com/docs/response
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from aiohttp import web

from alert_router_demo.soc.endpoint import Endpoint, RefusedRequest, json_answer

PATHS = ("/jsm/ops/integration", "")  # JSM's own, and Opsgenie's
LONGEST = {"message": 130, "alias": 512, "description": 15_000, "entity": 512, "source": 100, "note": 25_000}
DETAILS, TAGS, TAG = 8_000, 20, 50


@dataclass(slots=True)
class OpsAlert:
    """One alert.

    Attributes:
        alias, message, priority: as its creation says.
        body: the whole of its creation.
        is_open: whether nobody closed it.
        count: how many creations it stands for.
        pages: how often people were called.
        notes: what was added to it.
    """

    alias: str
    message: str
    priority: str
    body: Mapping[str, Any]
    is_open: bool = True
    count: int = 1
    pages: int = 1
    notes: list[str] = field(default_factory=list)


class AcceptedRequest(NamedTuple):
    """A request that was accepted and is carried out later.

    Attributes:
        id: its id, by which its outcome is asked for.
        action: `Create`, `AddNote` or `Close`.
        alias: the alert that it is about.
        body: what it says.
    """

    id: str
    action: str
    alias: str
    body: Mapping[str, Any]


class JsmOpsDouble(Endpoint):
    """One account with an integration for each key.

    Attributes:
        is_slow: whether what is accepted waits until `process_waiting`; else it is carried out at once.
        alerts: the alerts, in the order of their creation.
        waiting: what was accepted and is not carried out yet.
        outcomes: whether each request succeeded, and the vendor's words for it, by id.
    """

    name = "jsm_ops"
    holds = "alerts"

    def __init__(self, keys: Iterable[str], *, is_slow: bool = False) -> None:
        super().__init__()
        self.is_slow = is_slow
        self.alerts: list[OpsAlert] = []
        self.waiting: list[AcceptedRequest] = []
        self.outcomes: dict[str, tuple[bool, str]] = {}
        self._keys = {f"GenieKey {key}" for key in keys}

    @property
    def open(self) -> list[OpsAlert]:
        """The alerts that are open."""
        return [alert for alert in self.alerts if alert.is_open]

    def close_by_hand(self) -> None:
        """Closes whatever is open, as people do."""
        for alert in self.open:
            alert.is_open = False

    def count(self) -> int:
        """Gives how many alerts were created."""
        return len(self.alerts)

    def routes(self) -> Iterable[web.RouteDef]:
        """Gives the paths of both products."""
        for path in PATHS:
            yield web.post(f"{path}/v2/alerts", self._create)
            yield web.post(f"{path}/v2/alerts/{{alias}}/notes", self._add_note)
            yield web.post(f"{path}/v2/alerts/{{alias}}/close", self._close)
            yield web.get(f"{path}/v2/alerts/requests/{{id}}", self._status, allow_head=False)

    def error_body(self, status: int, message: str) -> Any:
        """Gives `{"message", "took", "requestId"}`."""
        return {"message": message, "took": 0.001, "requestId": str(uuid.uuid4())}

    def process_waiting(self) -> None:
        """Carries out what was accepted, in its order."""
        waiting, self.waiting = self.waiting, []
        for accepted in waiting:
            self.outcomes[accepted.id] = self._process(accepted)

    async def _create(self, request: web.Request) -> web.Response:
        body = await self._body_of(request)
        return self._accept("Create", body.get("alias") or str(uuid.uuid4()), body)

    async def _add_note(self, request: web.Request) -> web.Response:
        return self._accept("AddNote", self._alias_in(request), await self._body_of(request))

    async def _close(self, request: web.Request) -> web.Response:
        return self._accept("Close", self._alias_in(request), await self._body_of(request))

    async def _status(self, request: web.Request) -> web.Response:
        self._authenticate(request)
        outcome = self.outcomes.get(request.match_info["id"])
        if outcome is None:
            return self.error(404, "Request not found. It might not be processed, yet.")
        return json_answer({"data": {"success": outcome[0], "status": outcome[1]}, "requestId": str(uuid.uuid4())})

    def _accept(self, action: str, alias: str, body: Mapping[str, Any]) -> web.Response:
        accepted = AcceptedRequest(str(uuid.uuid4()), action, alias, body)
        self.waiting.append(accepted)
        if not self.is_slow:
            self.process_waiting()
        told = {"result": "Request will be processed", "took": 0.01, "requestId": accepted.id}
        return json_answer(told, 202)

    def _process(self, accepted: AcceptedRequest) -> tuple[bool, str]:
        alert = next((alert for alert in self.open if alert.alias == accepted.alias), None)
        match accepted.action, alert:
            case "Create", None:
                body = accepted.body
                self.alerts.append(OpsAlert(accepted.alias, body["message"], body.get("priority", "P3"), body))
            case "Create", OpsAlert():
                alert.count += 1
            case _, None:
                return False, "Alert does not exist"
            case "AddNote", OpsAlert():
                alert.notes.append(accepted.body["note"])
            case "Close", OpsAlert():
                alert.is_open = False
        return True, f"{accepted.action} processed"

    def _authenticate(self, request: web.Request) -> None:
        if request.headers.get("Authorization") not in self._keys:
            raise RefusedRequest(401, self.error_body(401, "Could not authenticate"))

    def _alias_in(self, request: web.Request) -> str:
        if request.query.get("identifierType") != "alias":
            raise RefusedRequest(422, self.error_body(422, "Identifier is not a valid alert id"))
        return request.match_info["alias"]

    async def _body_of(self, request: web.Request) -> Mapping[str, Any]:
        self._authenticate(request)
        try:
            body = orjson.loads(await request.read())
        except orjson.JSONDecodeError as broken:
            raise RefusedRequest(400, self.error_body(400, "Could not parse JSON body")) from broken
        problems = list(_problems_of(body, "message" if request.path.endswith("/alerts") else "note"))
        if problems:
            raise RefusedRequest(422, self.error_body(422, "; ".join(problems)))
        return dict(body)


def _problems_of(body: Mapping[str, Any], needed: str) -> Iterator[str]:
    if not body.get(needed):
        yield f"{needed} can not be empty"
    for name, most in LONGEST.items():
        if len(body.get(name, "")) > most:
            yield f"{name} is longer than {most} characters"
    if body.get("priority", "P3") not in ("P1", "P2", "P3", "P4", "P5"):
        yield "priority is none of P1 to P5"
    tags, details = body.get("tags", []), body.get("details", {})
    if len(tags) > TAGS or any(len(tag) > TAG for tag in tags):
        yield "tags are too many or too long"
    if not all(isinstance(value, str) for value in details.values()):
        yield "details hold something else than texts"
    elif sum(len(name) + len(value) for name, value in details.items()) > DETAILS:
        yield f"details are longer than {DETAILS} characters"
