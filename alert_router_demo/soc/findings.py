"""A receiver of OCSF findings in CloudEvents behind a gateway: what it adds to the double of a webhook's receiver.

https://schema.ocsf.io/1.5.0/classes/detection_finding
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import orjson
from aiohttp import web

from alert_router_demo.soc.accounts import SocAccount
from alert_router_demo.soc.webhook import PATH, WebhookDouble

BODY_LIMIT = 20_000  # bytes
CLOSED = 3


class FindingsDouble(WebhookDouble):
    """A receiver that takes a message once, and lets an older state of a finding change nothing.

    Its gateway wants `key` in the header `x-api-key`.

    Attributes:
        seen: how often each message came, by its id.
        findings: the latest state of each finding.
    """

    name = "findings"
    holds = "findings"

    def __init__(self, account: SocAccount, key: str, clock: Any) -> None:
        super().__init__([account], clock=clock)
        self._key = key
        self.seen: Counter[str] = Counter()
        self.findings: dict[str, dict[str, Any]] = {}

    def routes(self) -> Iterable[web.RouteDef]:
        """Gives the receiver's path, behind its gateway."""
        return (web.post(PATH, self._through_the_gateway),)

    @property
    def open(self) -> list[str]:
        """The findings that are not closed."""
        return [key for key, one in self.findings.items() if one["activity_id"] != CLOSED]

    async def _through_the_gateway(self, request: web.Request) -> web.Response:
        if request.headers.get("x-api-key") != self._key:
            return self.error(403, "no such key")
        if request.content_type != "application/cloudevents+json":
            return self.error(415, "no CloudEvent")
        body = await request.read()
        if len(body) > BODY_LIMIT:
            return self.error(413, "body above 20 KB")
        answer = await self._receive(request)
        if answer.status == 204:
            self._keep_state(orjson.loads(body))
        return answer

    def _keep_state(self, message: dict[str, Any]) -> None:
        self.seen[message["id"]] += 1
        finding = message["data"]
        known = self.findings.get(message["subject"])
        if known is None or known["metadata"]["sequence"] < finding["metadata"]["sequence"]:
            self.findings[message["subject"]] = finding
