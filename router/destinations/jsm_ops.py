"""Jira Service Management Operations, and Opsgenie until it ends: one alert for each signal, paged and closed.

Deduplicates on the server, by `alias` (the signal key), while the alert is open; after a close the alias opens a new alert.
An update is a creation, then a note: a note alone is accepted for an alert that is closed, and is lost there. So people who
closed an alert whose signal goes on changing are paged anew. Whatever follows an opening goes by the key that took it.
A receipt means that the request was accepted (202); the vendor carries it out later, and its id is in the integration's log.

Retried: no answer, 408, 425, 429, 5xx, a success that is no acceptance. A 402 pauses like a 401, and so does a 422 that is
about the key's form.
Truncated: message at 130 characters, entity at 512, description and notes at 15,000, details at 8,000 together, tags
at 20 of 50 characters.

https://developer.atlassian.com/cloud/jira/service-desk-ops/rest/v1/api-group-integration-events/ (requests, keys)
https://docs.opsgenie.com/docs/response (answers)
https://docs.opsgenie.com/docs/alerts-and-alert-fields (limits)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import quote

from pydantic import Field, model_validator

from router.destinations.base import OneByOne, is_handle
from router.destinations.config import Config, HttpsUrl, OneByOneConfig, SecretName, Template, base_of, parse
from router.destinations.paging import PagerKeys, details_within
from router.destinations.requests import JSON, Exchange, error_for, fits_header, json_object
from router.destinations.wording.escaping import html
from router.destinations.wording.fitting import json_bytes, shorten
from router.destinations.wording.headlines import location_of, reporter_of, summary_of
from router.destinations.wording.notice_text import Briefing
from router.destinations.wording.plain_text import note_of, text_of
from router.domain.conversation import Deduplication, HttpAnswer, HttpRequest
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import DeliveryError, Unauthorized, Unavailable
from router.domain.notices import Notice
from router.domain.rulebook import Lane

MESSAGE_LIMIT = 130  # characters
ENTITY_LIMIT = 512  # characters
DESCRIPTION_LIMIT = 15_000  # characters; notes may be longer
DETAILS_LIMIT = 8_000  # characters, names and values together
TAGS_LIMIT, TAG_LIMIT = 20, 50  # tags, characters of one

PRIORITIES = {"Critical": "P1", "High": "P2", "Medium": "P3", "Low": "P4", "Informational": "P5"}
_LOUDEST = "P1"

# "Key format is not valid!", with a 422: https://github.com/falcosecurity/falcosidekick/issues/719
_KEY = re.compile(r"(?:the )?(?:api ?|genie ?|integration )?key\b", re.IGNORECASE)


class Responder(Config):
    """Whom an alert is for: `{type: team, id: ...}`, or at Opsgenie `{type: team, name: "{owner.group}"}`."""

    type: Literal["team", "user", "escalation", "schedule"]
    id: Annotated[Template, Field(min_length=1)] | None = None
    name: Annotated[Template, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _is_named_once(self) -> Self:
        if (self.id is None) == (self.name is None):
            raise ValueError("a responder is named by `id` or by `name`: give one of them")
        return self


class JsmOpsConfig(OneByOneConfig):
    """`{kind: jsm_ops, key: {secret: NAME}}`; `url` is https://api.opsgenie.com or https://api.eu.opsgenie.com there.

    `responders` are added to those that the integration's team has; one whose name comes out empty is left out.
    """

    kind: Literal["jsm_ops"]
    key: SecretName
    url: HttpsUrl = "https://api.atlassian.com/jsm/ops/integration"
    responders: Annotated[tuple[Responder, ...], Field(max_length=50)] = ()


class JsmOps(OneByOne):
    """Pages people on call."""

    name: ClassVar[str] = "jsm_ops"
    lane: ClassVar[Lane] = Lane.PAGE
    deduplicates: ClassVar[Deduplication] = Deduplication.SERVER
    words = staticmethod(html)
    Config: ClassVar[type[JsmOpsConfig]] = JsmOpsConfig

    def __init__(self, config: JsmOpsConfig) -> None:
        super().__init__(config)
        self._keys = PagerKeys(self.name, config.key.secret, handle="key", refusals=_KEY)
        self._url = f"{base_of(config.url)}/v2/alerts"
        # Each key is an integration of its own.
        self.address = f"{self._url} {self._keys.default}"
        self._responders = [(one, parse(one.id or one.name or "")) for one in config.responders]

    def deliver(self, attempt: Attempt) -> Exchange[Receipt]:
        """The exchange that opens, annotates or closes a signal's alert."""
        return self._keys.page(attempt, lambda key: self._send(key, attempt))

    def _send(self, key: str, attempt: Attempt) -> Exchange[Receipt]:
        """The same, by the key of a name."""
        briefing = self.briefing_in(attempt)
        notice, change = briefing.notice, attempt.delivery.change
        alert = f"/{quote(notice.key, safe='')}"
        request = None
        if change is not Change.RESOLVED:
            request = yield from self._ask("", self._alert(notice, briefing), key, attempt)
        if change is not Change.OPENED:
            note = {"note": note_of(briefing, DESCRIPTION_LIMIT), "source": reporter_of(notice)}
            action = "close" if change is Change.RESOLVED else "notes"
            noted = yield from self._ask(f"{alert}/{action}?identifierType=alias", note, key, attempt)
            request = noted if change is Change.RESOLVED else request
        return Receipt(reference=notice.key, handles={"key": key} | ({"request": request} if request else {}))

    def preview(self, attempt: Attempt) -> str:
        """The alert's message and description, or the note that is added to it."""
        briefing = self.briefing_in(attempt)
        if attempt.delivery.change is not Change.OPENED:
            return note_of(briefing, DESCRIPTION_LIMIT)
        alert = self._alert(briefing.notice, briefing)
        return f"{alert['message']}\n\n{alert['description']}"

    def _ask(self, path: str, body: Mapping[str, Any], key: str, attempt: Attempt) -> Exchange[str | None]:
        """The id of the request that was accepted."""
        headers = {**JSON, "authorization": f"GenieKey {self._key_in(key, attempt)}"}
        request = HttpRequest(method="POST", url=f"{self._url}{path}", headers=headers, body=json_bytes(body))
        answer: HttpAnswer = yield request
        if (error := self._find_error(answer, key, attempt)) is not None:
            raise error
        return _request_in(answer)

    def _key_in(self, name: str, attempt: Attempt) -> str:
        if fits_header(value := self._keys.value_of(name, attempt)):
            return value
        raise self._keys.refusal_of(name, Unauthorized(f"{self.name}: a key that cannot stand in a header"), 401)

    def _find_error(self, answer: HttpAnswer, key: str, attempt: Attempt) -> DeliveryError | None:
        error = error_for(answer, self.name, attempt)
        if error is not None:
            return self._keys.error_by(key, error, answer)
        if answer.status != 202 and _request_in(answer) is None:
            # Whatever stands between us and the vendor may answer 200 with a page for people.
            return Unavailable(f"{self.name}: answered {answer.status} without accepting the request")
        return None

    def _alert(self, notice: Notice, briefing: Briefing) -> dict[str, Any]:
        alert = {
            "message": summary_of(briefing.notice, briefing.evidence, MESSAGE_LIMIT),
            "alias": notice.key,
            "description": text_of(briefing, DESCRIPTION_LIMIT),
            "responders": list(self._responders_for(notice)),
            "tags": _tags(notice),
            "details": details_within(briefing, DETAILS_LIMIT, _characters, _as_texts),
            "entity": shorten(location_of(notice), ENTITY_LIMIT),
            "source": reporter_of(notice),
            "priority": PRIORITIES.get(notice.severity or "", _LOUDEST),
        }
        return {name: value for name, value in alert.items() if value}

    def _responders_for(self, notice: Notice) -> Iterator[dict[str, str]]:
        for responder, text in self._responders:
            by_name = "username" if responder.type == "user" else "name"
            named = text(notice).strip()
            if named:
                yield {"type": responder.type, "id" if responder.id is not None else by_name: named}


def _tags(notice: Notice) -> list[str]:
    texts = [notice.stream, notice.kind, notice.plan, *(tactic.name for tactic in notice.tactics), *notice.techniques]
    tags = [shorten(text, TAG_LIMIT) for text in dict.fromkeys(texts) if text]
    kept = tags[: TAGS_LIMIT - 1]
    return tags if len(tags) <= TAGS_LIMIT else [*kept, f"… [{len(tags) - len(kept)} more]"]


def _as_texts(details: dict[str, Any]) -> dict[str, Any]:
    """The details as texts, since the vendor takes no other, without what the description says."""
    return {name: _text(value) for name, value in details.items() if name not in ("description", "remediation")}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, tuple | list) else str(value)


def _characters(details: Mapping[str, Any]) -> int:
    return sum(len(name) + len(value) for name, value in details.items())


def _request_in(answer: HttpAnswer) -> str | None:
    request = json_object(answer).get("requestId")
    return str(request) if is_handle(request) else None
