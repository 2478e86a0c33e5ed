"""Slack, incoming webhook: one message for each notice, into the one channel that the webhook was made for.

Deduplicates nothing: a message that is tried again stands there again, at least once. An incoming webhook can neither
look up, nor change, nor thread what it has posted, so an update and a resolution are further messages; `key` and turn
at the end of each tell which belong together and which are the same.

Retried: no answer, 408, 425, 429, 5xx, and a 200 that does not say `ok`. An answer about the webhook, its channel or its
workspace (401, 403, 404, or one of the words in `_ABOUT_ALL`) pauses the destination, since no other message gets
through either, and none is lost when somebody mends it. Any other is about this message, and final.
Truncated: header at 150 characters, a text at 3,000, a fact at 300.

Text of an alert is plain text, in which nothing is bold, linked or called; it is escaped all the same. Only the link to the
portal is `mrkdwn`.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (answers)
https://docs.slack.dev/reference/block-kit/blocks (limits)
https://docs.slack.dev/messaging/formatting-message-text (escaping)
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import batched
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict

from router.destinations.answers import words_in
from router.destinations.base import JSON, OneRequest
from router.destinations.config import OneByOneConfig, Origin, SecretName
from router.destinations.credentials import secret_url
from router.destinations.wording.briefing import Briefing, link_of
from router.destinations.wording.fitting import json_bytes, shorten, shorten_escaped
from router.destinations.wording.headlines import headline
from router.destinations.wording.languages import mrkdwn
from router.destinations.wording.plain_text import note_of, text_of
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Delivery
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.notices import Notice
from router.domain.ports.destinations import Deduplication
from router.domain.rulebook import Lane

HEADER_LIMIT = 150  # characters
TEXT_LIMIT = 3_000  # characters of a section or an element of a context
FACT_LIMIT = 300  # characters of a fact; ours
_FIELDS = 10  # in one section

_WEBHOOKS = "/services/"

_ABOUT_ALL = frozenset(
    {
        "action_prohibited",
        "channel_is_archived",
        "channel_not_found",
        "invalid_token",
        "no_active_hooks",
        "no_service",
        "no_service_id",
        "no_team",
        "posting_to_general_channel_denied",
        "team_disabled",
    }
)


class SlackConfig(OneByOneConfig):
    """`{kind: slack, url: {secret: NAME}}`: the webhook's URL is a secret; `origin` says where it leads."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "slack", "url": {"secret": "SLACK_WEBHOOK_URL"}}]}
    )

    kind: Literal["slack"]
    url: SecretName
    origin: Origin = "https://hooks.slack.com"


class Slack(OneRequest):
    """Tells a channel."""

    name: ClassVar[str] = "slack"
    lane: ClassVar[Lane] = Lane.TICKET
    deduplicates: ClassVar[Deduplication] = Deduplication.NONE
    Config: ClassVar[type[SlackConfig]] = SlackConfig

    def __init__(self, config: SlackConfig) -> None:
        super().__init__(config)
        self._url, self._origin = config.url, config.origin

    def address(self) -> str:
        """Where webhooks live; which of them it is, is the secret's."""
        return self._origin

    def request_for(self, attempt: Attempt) -> HttpRequest:
        """The message of a notice."""
        body = json_bytes(_message(self.notice_in(attempt), self.briefing_in(attempt), attempt.delivery))
        url = secret_url(self._url, self._origin, attempt, self.name)
        if not urlsplit(url).path.startswith(_WEBHOOKS):
            # A workflow's trigger lives there, too, and would run at each attempt.
            raise Unauthorized(f"{self.name}: the secret {self._url.secret} is no incoming webhook; set it anew")
        return HttpRequest(method="POST", url=url, headers=JSON, body=body)

    def find_error(self, answer: HttpAnswer, attempt: Attempt) -> DeliveryError | None:
        """What an answer means: about the webhook, and so about every message, or about this one."""
        error = super().find_error(answer, attempt)
        if error is None and list(words_in(answer)) != ["ok"]:
            # Whatever stands between us and Slack may answer 200 with a page for people.
            return Unavailable(f"{self.name}: answered {answer.status} without saying ok")
        if isinstance(error, Rejected) and (answer.status == 404 or not _ABOUT_ALL.isdisjoint(words_in(answer))):
            return Unauthorized(f"{error}; check the webhook of the secret {self._url.secret}, and its channel")
        return error


def _message(notice: Notice, briefing: Briefing, delivery: Delivery) -> dict[str, Any]:
    title = _escaped(f"{delivery.change.capitalize()}: {headline(notice, TEXT_LIMIT)}", HEADER_LIMIT)
    return {
        # What a notification shows, which has no blocks.
        "text": title,
        "mrkdwn": False,
        "blocks": list(_blocks(title, notice, briefing, delivery)),
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _blocks(title: str, notice: Notice, briefing: Briefing, delivery: Delivery) -> Iterator[dict[str, Any]]:
    yield {"type": "header", "text": _text(title)}
    # Escaped, a fact takes five times its characters at most, which is below the 2,000 of a field.
    facts = [
        _text(f"{fact.name}\n{mrkdwn(shorten(', '.join(fact.values), FACT_LIMIT))}")
        for fact in (*briefing.what, *briefing.where, *briefing.when, *briefing.why)
    ]
    for fields in batched(facts, _FIELDS, strict=False):
        yield {"type": "section", "fields": fields}
    # What is over is told in short: the channel has the rest already.
    text = note_of if delivery.change is Change.RESOLVED else text_of
    story = _escaped(text(briefing, TEXT_LIMIT), TEXT_LIMIT)
    if story.strip():
        yield {"type": "section", "text": _text(story)}
    yield {"type": "context", "elements": list(_margin(notice))}


def _margin(notice: Notice) -> Iterator[dict[str, Any]]:
    if link := link_of(notice):
        # No button: Slack marks one with a warning where its app answers no clicks, and a webhook's app does not.
        yield {"type": "mrkdwn", "text": f"<{mrkdwn(link)}|Open in the Azure portal>", "verbatim": True}
    yield _text(_escaped(f"Sent because {notice.reason}", TEXT_LIMIT))
    yield _text(_escaped(f"{notice.key}, turn {notice.turn}", TEXT_LIMIT))


def _text(words: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": words, "emoji": False}


def _escaped(text: str, limit: int) -> str:
    return shorten_escaped(text, limit, mrkdwn)
