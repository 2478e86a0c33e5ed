"""A double of the Workflows app behind Teams: it accepts at once, posts later, and says nothing of what fails then.

https://learn.microsoft.com/connectors/teams/#microsoft-teams-webhook
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import orjson
from aiohttp import web

from alert_router_demo.soc.endpoint import Endpoint, RefusedRequest

POST_LIMIT = 28 * 1024  # bytes of what a channel takes, counted as UTF-16 here, which is the harder way
PATH = "/powerautomate/automations/direct/workflows/{workflow}/triggers/manual/paths/invoke"
QUERY = "api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={signature}"
CARD = "application/vnd.microsoft.card.adaptive"


class TeamsDouble(Endpoint):
    """One workflow, whose address is good with any of its signatures; a card is posted `lag` seconds after it was accepted.

    Attributes:
        is_orphaned: whether its connection is gone: runs are accepted as before, and post nothing.
        runs: how many cards it accepted.
        cards: what the channel shows.
        failed: why the others are not there.
    """

    name = "teams"
    holds = "cards"

    def __init__(self, workflow: str, *signatures: str, lag: float = 0.0) -> None:
        super().__init__()
        self._workflow, self._signatures, self._lag = workflow, signatures, lag
        self.is_orphaned = False
        self.runs = 0
        self.cards: list[dict[str, Any]] = []
        self.failed: list[str] = []

    def headings(self) -> list[str]:
        """What stands above each card."""
        return [card["body"][0]["text"] for card in self.cards]

    def count(self) -> int:
        """Gives how many cards the channel shows."""
        return len(self.cards)

    def routes(self) -> Iterable[web.RouteDef]:
        """Gives the trigger's path."""
        return (web.post(PATH, self._invoke),)

    def error_body(self, status: int, message: str) -> Any:
        """Gives `{"error": {"code", "message"}}`."""
        return _error({429: "TooManyRequests", 502: "NoResponse"}.get(status, "Error"), message)

    async def _invoke(self, request: web.Request) -> web.Response:
        if request.match_info["workflow"] != self._workflow:
            raise RefusedRequest(
                404, _error("WorkflowNotFound", f"The workflow '{request.match_info['workflow']}' is not there.")
            )
        if request.query.get("sig") not in self._signatures or request.query.get("sp") != "/triggers/manual/run":
            raise RefusedRequest(
                401, _error("DirectApiAuthorizationRequired", f"Not accepted: {request.query.get('sig')}")
            )
        raw = await request.read()
        try:
            content = _content_in(orjson.loads(raw))
        except (orjson.JSONDecodeError, LookupError, TypeError):
            raise RefusedRequest(
                400, _error("TriggerInputSchemaMismatch", "The input does not match the schema.")
            ) from None
        self.runs += 1
        asyncio.get_running_loop().call_later(self._lag, self._post, content, len(raw.decode().encode("utf-16-le")))
        return web.Response(status=202)

    def _post(self, card: Any, size: int) -> None:
        if self.is_orphaned:
            self.failed.append("the connection is gone")
        elif size > POST_LIMIT:
            self.failed.append("RequestEntityTooLarge")
        elif card.get("type") != "AdaptiveCard" or not card.get("version") or not card.get("body"):
            self.failed.append("no Adaptive Card")
        else:
            self.cards.append(card)


def hook_of(workflow: str, signature: str) -> str:
    """Gives the path and query by which a workflow is started."""
    return f"{PATH.format(workflow=workflow)}?{QUERY.format(signature=quote(signature, safe=''))}"


def _content_in(message: Any) -> Any:
    (attachment,) = message["attachments"]
    if message["type"] != "message" or attachment["contentType"] != CARD:
        raise LookupError
    return attachment["content"]


def _error(code: str, message: str) -> Any:
    return {"error": {"code": code, "message": message}}
