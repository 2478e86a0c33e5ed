"""Microsoft Teams, by a webhook of the Workflows app: one Adaptive Card for each notice.

Deduplicates nothing: a card that is tried again stands there again, at least once. A webhook can neither look up nor
change what it has posted, so an update and a resolution are further cards; `key` and turn at the end of each tell which
belong together and which are the same.
An answer of 202 says that the workflow was started, and nothing more: whether it posted the card (its owner is gone, its
connection has expired, the channel is) only its run history shows, and the router counts the delivery as sent.

Retried: no answer, 408, 425, 429, 5xx, and a success around an error or a page for people. 401, 403, 404 and a workflow
that is turned off pause the destination: they are about every card. Any other answer is about this one, and final.
Truncated: the heading at 200 characters, the story at 4,000, a fact at 300, the message below 28 KB.

Text of an alert is escaped, so that its Markdown makes nothing but paragraphs.

https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook (28 KB)
https://learn.microsoft.com/connectors/teams/#microsoft-teams-webhook (form)
https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features (Markdown)
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal

import orjson
from pydantic import ConfigDict

from router.destinations.base import JSON, OneRequest
from router.destinations.config import OneByOneConfig, Origin, SecretName
from router.destinations.credentials import secret_url
from router.destinations.wording.briefing import Briefing, link_of
from router.destinations.wording.fitting import json_bytes, shorten_escaped
from router.destinations.wording.headlines import headline
from router.destinations.wording.languages import markdown
from router.destinations.wording.plain_text import note_of, text_of
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Delivery
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.notices import Notice
from router.domain.ports.destinations import Deduplication
from router.domain.rulebook import Lane

BODY_LIMIT = 27_000  # bytes; Teams takes 28 KB
HEADING_LIMIT = 200  # characters; ours
STORY_LIMIT = 4_000  # characters; ours
_ROOMS = (STORY_LIMIT, 2_000, 1_000, 300)
"""Characters of the story, step by step until the message is below its limit; a fact gets a fifth."""
FACT_LIMIT = 300  # characters; ours
_LINE_ENDS = re.compile(r"[\r\n]+")
_TURNED_OFF = re.compile(rb'"WorkflowTriggerIsNotEnabled"')

# As a card calls its colours; unknown is as loud as Critical.
COLOURS = {
    "Critical": "Attention",
    "High": "Attention",
    "Medium": "Warning",
    "Low": "Accent",
    "Informational": "Accent",
}


class TeamsConfig(OneByOneConfig):
    """`{kind: teams, url: {secret: NAME}, origin: https://...}`: the webhook's URL is a secret; `origin` is its host.

    `origin` is the URL up to the first single slash, such as https://default0.1.environment.api.powerplatform.com.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "teams",
                    "url": {"secret": "TEAMS_WEBHOOK_URL"},
                    "origin": "https://default0.1.environment.powerplatform.example",
                }
            ]
        }
    )

    kind: Literal["teams"]
    url: SecretName
    origin: Origin


class Teams(OneRequest):
    """Tells a channel or a chat."""

    name: ClassVar[str] = "teams"
    lane: ClassVar[Lane] = Lane.TICKET
    deduplicates: ClassVar[Deduplication] = Deduplication.NONE
    Config: ClassVar[type[TeamsConfig]] = TeamsConfig

    def __init__(self, config: TeamsConfig) -> None:
        super().__init__(config)
        self._url, self._origin = config.url, config.origin

    def address(self) -> str:
        """Where the workflow lives; which one it is, is the secret's."""
        return self._origin

    def request_for(self, attempt: Attempt) -> HttpRequest:
        """The message around the card of a notice."""
        notice = self.notice_in(attempt)
        url = secret_url(self._url, self._origin, attempt, self.name)
        body = _fitted_message(notice, self.briefing_in(attempt), attempt.delivery)
        return HttpRequest(method="POST", url=url, headers=JSON, body=body)

    def find_error(self, answer: HttpAnswer, attempt: Attempt) -> DeliveryError | None:
        """What an answer means: about the workflow, and so about every card, or about this one."""
        error = super().find_error(answer, attempt)
        if error is None and not _is_acceptance(answer):
            return Unavailable(f"{self.name}: answered {answer.status} without taking the card")
        if isinstance(error, Rejected) and (answer.status == 404 or _TURNED_OFF.search(answer.body)):
            return Unauthorized(f"{error}; check the workflow of the secret {self._url.secret}: is it there, and on?")
        return error


def _is_acceptance(answer: HttpAnswer) -> bool:
    """Whether a success is a workflow's: 202, or what a workflow with an answer of its own says, unless it is an error."""
    if answer.status == 202:
        return True
    try:
        body = orjson.loads(answer.body) if answer.body.strip() else None
    except orjson.JSONDecodeError:
        return not answer.body.lstrip().startswith(b"<")
    return not (isinstance(body, dict) and "error" in body)


def _fitted_message(notice: Notice, briefing: Briefing, delivery: Delivery) -> bytes:
    bodies = (json_bytes(_message(notice, briefing, delivery, room)) for room in _ROOMS)
    body = next(bodies)
    while _size_of(body) > BODY_LIMIT:
        body = next(bodies)
    return body


def _size_of(body: bytes) -> int:
    """The bytes of a message in UTF-8 or UTF-16, whichever is more: the vendor does not say which it counts."""
    return max(len(body), len(body.decode().encode("utf-16-le")))


def _message(notice: Notice, briefing: Briefing, delivery: Delivery, room: int) -> dict[str, Any]:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": _elements(notice, briefing, delivery, room),
    }
    if link := link_of(notice):
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open in the Azure portal", "url": link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _elements(notice: Notice, briefing: Briefing, delivery: Delivery, room: int) -> list[dict[str, Any]]:
    is_over = delivery.change is Change.RESOLVED
    heading = f"{delivery.change.capitalize()}: {headline(notice, STORY_LIMIT)}"
    colour = "Good" if is_over else COLOURS.get(notice.severity or "", "Attention")
    facts = [
        {"title": fact.name, "value": _escaped(", ".join(fact.values), min(room // 5, 2 * FACT_LIMIT))}
        for fact in (*briefing.what, *briefing.where, *briefing.when, *briefing.why)
    ]
    elements = [_block(_escaped(heading, HEADING_LIMIT), size="Medium", weight="Bolder", color=colour)]
    elements.append({"type": "FactSet", "facts": facts})
    # What is over is told in short: the channel has the rest already.
    text = note_of if is_over else text_of
    story = shorten_escaped(text(briefing, room), room, _paragraphs)
    if story.strip():
        elements.append(_block(story))
    reason = _escaped(notice.reason, room // 5)
    elements.append(_block(f"Sent because {reason}. {notice.key}, turn {notice.turn}", size="Small", isSubtle=True))
    return elements


def _block(text: str, **look: Any) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text, "wrap": True, **look}


def _paragraphs(text: str) -> str:
    """A text of which each line is a paragraph."""
    return _LINE_ENDS.sub("\n\n", markdown(text))


def _escaped(text: str, limit: int) -> str:
    return shorten_escaped(text, limit, markdown)
