"""PagerDuty, Events API v2: one alert for each signal, triggered and resolved.

Deduplicates on the server, by `dedup_key` (the signal key) within one routing key; after a resolve the same key opens a new
alert. Whatever follows an opening goes to the routing key that opened it: PagerDuty drops a resolve that comes by another.

Retried: no answer, 408, 425, 429, 5xx. A 400 that names the destination's own routing key pauses it.
Truncated: summary at 1,024 characters, the details until the event is below 512 KB.

https://developer.pagerduty.com/docs/events-api-v2-overview (answers, limits)
https://developer.pagerduty.com/docs/send-alert-event (fields, deduplication)
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal

from router.destinations.base import OneByOne
from router.destinations.config import HttpsUrl, OneByOneConfig, SecretName, base_of
from router.destinations.paging import PagerKeys, details_of, details_within
from router.destinations.requests import JSON, Exchange, error_for
from router.destinations.wording.fitting import fitted, json_bytes, lines_of, shorten
from router.destinations.wording.headlines import location_of, reporter_of, summary_of
from router.destinations.wording.notice_text import Briefing, link_of
from router.domain.conversation import Deduplication, HttpAnswer, HttpRequest
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import Unavailable
from router.domain.resources import parse_resource_id
from router.domain.rulebook import Lane

SUMMARY_LIMIT = 1_024  # characters
EVENT_LIMIT = 500_000  # bytes; the vendor says 512 KB, and not which kind of KB
TEXT_LIMIT = 200  # characters of what a link is called; ours
SOURCE_LIMIT = 255  # characters; ours, since the vendor names none
_DETAILS_LEAST = 50_000  # bytes that the details keep whatever else is long

# High stays below Critical, yet both are urgent where a service's urgency follows severity. Unknown is loud.
SEVERITIES = {"Critical": "critical", "High": "error", "Medium": "warning", "Low": "info", "Informational": "info"}

_SUCCESS = re.compile(rb'"status"\s*:\s*"success"')
# Its field stands first: "Invalid routing key", "Length of 'routing_key' is incorrect", "'routing_key' cannot contain ...".
_ROUTING_KEY = re.compile(r"(?:[a-z]+ ){0,3}'?routing[ _]key\b", re.IGNORECASE)


class PagerDutyConfig(OneByOneConfig):
    """`{kind: pagerduty, routing_key: {secret: NAME}}`; `url` is another one in the EU (events.eu.pagerduty.com)."""

    kind: Literal["pagerduty"]
    routing_key: SecretName
    url: HttpsUrl = "https://events.pagerduty.com"


class PagerDuty(OneByOne):
    """Pages people on call."""

    name: ClassVar[str] = "pagerduty"
    lane: ClassVar[Lane] = Lane.PAGE
    deduplicates: ClassVar[Deduplication] = Deduplication.SERVER
    Config: ClassVar[type[PagerDutyConfig]] = PagerDutyConfig

    def __init__(self, config: PagerDutyConfig) -> None:
        super().__init__(config)
        self._keys = PagerKeys(self.name, config.routing_key.secret, handle="routing_key", refusals=_ROUTING_KEY)
        self._url = f"{base_of(config.url)}/v2/enqueue"
        # Each key is a place of its own.
        self.address = f"{self._url} {self._keys.default}"

    def deliver(self, attempt: Attempt) -> Exchange[Receipt]:
        """The exchange that triggers what is opened or updated, or resolves it."""
        return self._keys.page(attempt, lambda key: self._send(key, attempt))

    def _send(self, key: str, attempt: Attempt) -> Exchange[Receipt]:
        """A trigger for what is opened or updated, a resolve for what is resolved, by the routing key of a name."""
        briefing = self.briefing_in(attempt)
        event: dict[str, Any] = {
            "routing_key": self._keys.value_of(key, attempt),
            "event_action": "resolve" if briefing.change is Change.RESOLVED else "trigger",
            "dedup_key": briefing.notice.key,
        }
        if briefing.change is not Change.RESOLVED:
            event |= _trigger(briefing)
        answer: HttpAnswer = yield HttpRequest(
            method="POST", url=self._url, headers=JSON, body=_fitted_event(event, briefing)
        )
        if (error := error_for(answer, self.name, attempt)) is not None:
            raise self._keys.error_by(key, error, answer)
        if answer.status != 202 and not _SUCCESS.search(answer.body):
            # Whatever stands between us and the pager may answer 200 with a page for people.
            raise Unavailable(f"{self.name}: answered {answer.status} without accepting the event")
        return Receipt(reference=attempt.delivery.key, handles={"routing_key": key})

    def preview(self, attempt: Attempt) -> str:
        """The summary and the details; a resolution says nothing more than that it is over."""
        briefing = self.briefing_in(attempt)
        if briefing.change is Change.RESOLVED:
            return f"The page is resolved, by its key {briefing.notice.key}; nothing else is said."
        payload = _trigger(briefing)["payload"]
        return "\n".join([payload["summary"], "", *lines_of(payload["custom_details"])])


def _trigger(briefing: Briefing) -> dict[str, Any]:
    notice = briefing.notice
    parts = parse_resource_id(notice.resource)
    owner = notice.owner
    payload = {
        "summary": summary_of(briefing.notice, briefing.evidence, SUMMARY_LIMIT),
        "source": shorten(location_of(notice), SOURCE_LIMIT),
        "severity": SEVERITIES.get(notice.severity or "", "critical"),
        "timestamp": notice.changed or notice.started,
        "component": parts.name,
        "group": (owner.service if owner else None) or notice.resource_group,
        "class": notice.type,
        "custom_details": details_of(briefing),
    }
    event: dict[str, Any] = {"payload": {name: value for name, value in payload.items() if value}}
    if link := link_of(notice):
        event |= {"client": reporter_of(notice), "client_url": link}
    if links := [{"href": one.url, "text": shorten(one.text, TEXT_LIMIT)} for one in briefing.links if one.url]:
        event["links"] = links
    return event


def _fitted_event(event: dict[str, Any], briefing: Briefing) -> bytes:
    body = json_bytes(event)
    if len(body) <= EVENT_LIMIT:
        return body
    event["payload"].pop("custom_details")
    event = dict(fitted(event, EVENT_LIMIT - _DETAILS_LEAST))
    room = EVENT_LIMIT - len(json_bytes(event)) - len(',"custom_details":')
    event["payload"] = {**event["payload"], "custom_details": details_within(briefing, room)}
    return json_bytes(event)
