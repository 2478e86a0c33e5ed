"""Microsoft Teams, by a webhook of the Workflows app: one Adaptive Card for each notice.

Deduplicates nothing, at least once: a webhook can neither look up nor change what it has posted. Key and turn at the end of
each card tell which belong together and which are the same. An answer of 202 says that the workflow was started: whether it
posted the card only its run history shows.

Retried: no answer, 408, 425, 429, 5xx, and a success around an error or a page for people. 401, 403, 404 and a workflow
that is turned off pause the destination: they are about every card. Any other answer is about this one, and final.
Truncated: to one screen of a phone (`router.destinations.wording.chat_text`), which is far below the vendor's 28 KB.

https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook (28 KB)
https://learn.microsoft.com/connectors/teams/#microsoft-teams-webhook (form)
https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features (Markdown)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from router.destinations.base import OneRequest
from router.destinations.config import OneByOneConfig, Origin, SecretName
from router.destinations.requests import JSON, json_object, secret_url
from router.destinations.wording.chat_text import FirstScreen, Line, first_screen_of
from router.destinations.wording.escaping import markdown
from router.destinations.wording.fitting import MARK, json_bytes
from router.domain.conversation import Deduplication, HttpAnswer, HttpRequest
from router.domain.decisions import Change
from router.domain.deliveries import Attempt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.notices import Notice
from router.domain.rulebook import Lane

BODY_LIMIT = 27_000  # bytes, which no screen fills; Teams takes 28 KB
_TURNED_OFF = re.compile(rb'"WorkflowTriggerIsNotEnabled"')

_START = ": "
_MARK = re.compile(rf"{re.escape(markdown(MARK))}(?= |$)")

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
        # Which workflow there it is, is the secret's.
        self._url, self.address = config.url, config.origin

    def request_for(self, attempt: Attempt) -> HttpRequest:
        """The message around the card of a notice."""
        briefing = self.briefing_in(attempt)
        url = secret_url(self._url, self.address, attempt, self.name)
        body = json_bytes(_message(briefing.notice, first_screen_of(briefing), briefing.change))
        return HttpRequest(method="POST", url=url, headers=JSON, body=body)

    def preview(self, attempt: Attempt) -> str:
        """The same as plain text."""
        return first_screen_of(self.briefing_in(attempt)).text

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
    is_page = answer.body.lstrip().startswith(b"<")
    return answer.status == 202 or not (is_page or "error" in json_object(answer))


def _message(notice: Notice, screen: FirstScreen, change: Change) -> dict[str, Any]:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": list(_elements(notice, screen, change)),
    }
    if screen.links:
        card["actions"] = [{"type": "Action.OpenUrl", "title": link.text, "url": link.url} for link in screen.links]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _elements(notice: Notice, screen: FirstScreen, change: Change) -> Iterator[dict[str, Any]]:
    colour = "Good" if change is Change.RESOLVED else COLOURS.get(notice.severity or "", "Attention")
    yield _block(_escaped(screen.headline), size="Medium", weight="Bolder", color=colour)
    for lines in (screen.story, screen.facts):
        for number, line in enumerate(lines):
            yield _line(line, is_first=number == 0)
    if screen.rest is not None:
        yield _block(_escaped(screen.rest), isSubtle=True, spacing="None")
    if screen.step is not None:
        yield _line(screen.step, is_first=False)
    yield _block(f"{notice.key}, turn {notice.turn}", size="Small", isSubtle=True, spacing="Small")


def _line(line: Line, *, is_first: bool) -> dict[str, Any]:
    text = _escaped(f"{line.text}{line.more}")
    if line.name:
        # Behind a name no text opens a block, so nothing that would at the start of a line needs an escape.
        text = f"**{markdown(line.name)}:** {_escaped(f'{_START}{line.text}{line.more}').removeprefix(_START)}"
    look = {"fontType": "Monospace"} if line.is_code else {}
    return _block(text, spacing="Small" if is_first else "None", **look)


def _block(text: str, **look: Any) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text, "wrap": True, **look}


def _escaped(text: str) -> str:
    """A text as words; the mark needs no escape where a blank or nothing follows it, since it makes no link there."""
    return _MARK.sub(MARK, markdown(text))
