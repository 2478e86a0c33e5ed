"""Slack, incoming webhook: one message for each notice, into the one channel that the webhook was made for.

Deduplicates nothing, at least once: a webhook can neither look up, nor change, nor thread what it has posted. Key and turn at
the end of each message tell which belong together and which are the same.

Retried: no answer, 408, 425, 429, 5xx, and a 200 that does not say `ok`. An answer about the webhook, its channel or its
workspace (401, 403, 404, or one of the words in `_ABOUT_ALL`) pauses the destination. Any other is about this message alone.
Truncated: header at 150 characters, the rest to one screen of a phone (`router.destinations.wording.chat_text`).

Text of an alert stands in the header, which is plain text and escaped, and in the texts of `rich_text`, where Slack looks for
nothing: what is bold, linked or called is an element of its own there, and escapes would be shown.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (answers)
https://docs.slack.dev/reference/block-kit/blocks (limits)
https://docs.slack.dev/messaging/formatting-message-text (escaping)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from router.destinations.base import OneRequest
from router.destinations.config import OneByOneConfig, Origin, SecretName
from router.destinations.requests import JSON, secret_url, words_in
from router.destinations.wording.chat_text import FirstScreen, Line, first_screen_of
from router.destinations.wording.escaping import mrkdwn
from router.destinations.wording.fitting import json_bytes, shorten_escaped
from router.domain.conversation import Deduplication, HttpAnswer, HttpRequest
from router.domain.deliveries import Attempt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.notices import Link, Notice
from router.domain.rulebook import Lane

HEADER_LIMIT = 150  # characters

_WEBHOOKS = "/services/"

_ABOUT_ALL = frozenset(
    {
        "action_prohibited", "channel_is_archived", "channel_not_found", "invalid_token", "no_active_hooks", "no_service",
        "no_service_id", "no_team", "posting_to_general_channel_denied", "team_disabled",
    }
)  # fmt: skip


class SlackConfig(OneByOneConfig):
    """`{kind: slack, url: {secret: NAME}}`: the webhook's URL is a secret; `origin` says where it leads."""

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
        # Which webhook there it is, is the secret's.
        self._url, self.address = config.url, config.origin

    def request_for(self, attempt: Attempt) -> HttpRequest:
        """The message of a notice."""
        briefing = self.briefing_in(attempt)
        body = json_bytes(_message(briefing.notice, first_screen_of(briefing)))
        url = secret_url(self._url, self.address, attempt, self.name)
        if not urlsplit(url).path.startswith(_WEBHOOKS):
            # A workflow's trigger lives there, too, and would run at each attempt.
            raise Unauthorized(f"{self.name}: the secret {self._url.secret} is no incoming webhook; set it anew")
        return HttpRequest(method="POST", url=url, headers=JSON, body=body)

    def preview(self, attempt: Attempt) -> str:
        """The same as plain text."""
        return first_screen_of(self.briefing_in(attempt)).text

    def find_error(self, answer: HttpAnswer, attempt: Attempt) -> DeliveryError | None:
        """What an answer means: about the webhook, and so about every message, or about this one."""
        error = super().find_error(answer, attempt)
        if error is None and list(words_in(answer)) != ["ok"]:
            # Whatever stands between us and Slack may answer 200 with a page for people.
            return Unavailable(f"{self.name}: answered {answer.status} without saying ok")
        if isinstance(error, Rejected) and (answer.status == 404 or not _ABOUT_ALL.isdisjoint(words_in(answer))):
            return Unauthorized(f"{error}; check the webhook of the secret {self._url.secret}, and its channel")
        return error


def _message(notice: Notice, screen: FirstScreen) -> dict[str, Any]:
    title = shorten_escaped(screen.headline, HEADER_LIMIT, mrkdwn)
    return {
        # What a notification shows, which has no blocks.
        "text": title,
        "mrkdwn": False,
        "blocks": list(_blocks(title, notice, screen)),
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _blocks(title: str, notice: Notice, screen: FirstScreen) -> Iterator[dict[str, Any]]:
    yield {"type": "header", "text": _plain(title)}
    rest = [] if screen.rest is None else [[_words(screen.rest, italic=True)]]
    for lines in (
        [list(_line(line)) for line in screen.story],
        [*(list(_line(line)) for line in screen.facts), *rest, *([list(_line(screen.step))] if screen.step else [])],
        [list(_links(screen.links))] if screen.links else [],
    ):
        if lines:
            yield {"type": "rich_text", "elements": [_section(lines)]}
    yield {"type": "context", "elements": [_plain(mrkdwn(f"{notice.key}, turn {notice.turn}"))]}


def _section(lines: Iterable[list[dict[str, Any]]]) -> dict[str, Any]:
    """Lines, one below the other."""
    elements: list[dict[str, Any]] = []
    for line in lines:
        elements += [*([_words("\n")] if elements else []), *line]
    return {"type": "rich_text_section", "elements": elements}


def _line(line: Line) -> Iterator[dict[str, Any]]:
    if line.name:
        yield _words(f"{line.name}: ", bold=True)
    yield _words(line.text, code=True) if line.is_code else _words(line.text)
    if line.more:
        yield _words(line.more)


def _links(links: Iterable[Link]) -> Iterator[dict[str, Any]]:
    # No buttons: Slack marks one with a warning where its app answers no clicks, and a webhook's app does not
    # (https://github.com/slackapi/node-slack-sdk/issues/869).
    for number, link in enumerate(links):
        if number:
            yield _words(" · ")
        yield {"type": "link", "url": link.url, "text": link.text}


def _words(text: str, **style: bool) -> dict[str, Any]:
    """Words as they are: mentions, links and the rest are elements of other types, which no text can make."""
    return {"type": "text", "text": text, **({"style": style} if style else {})}


def _plain(words: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": words, "emoji": False}
