"""What most kinds of destination share: deliveries sent one by one, each as one HTTP request or a few."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from router.destinations.answers import error_for
from router.destinations.config import AiAlerts, OneByOneConfig
from router.destinations.wording.briefing import Briefing, briefing_of
from router.destinations.wording.disclosure import disclosed
from router.destinations.wording.languages import in_language, plain
from router.destinations.wording.plain_text import note_of, text_of
from router.destinations.wording.texts import name_of
from router.domain.background import Background
from router.domain.conversation import AccessToken, Conversation, HttpAnswer, HttpRequest, Result, SendMail
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import DeliveryError, Rejected, Unauthorized
from router.domain.notices import Notice

_HANDLE = re.compile(r"[\w.-]{1,128}", re.ASCII)

PREVIEW_LIMIT = 15_000  # characters; ours, for kinds that name none

JSON = {"content-type": "application/json"}

type Exchange[T] = Generator[HttpRequest | AccessToken | SendMail, Any, T]
"""One or more requests, each sent its answer, that end in a T; DeliveryError is raised out of it."""


class OneByOne(ABC):
    """A kind that sends deliveries one after the other; the failure of one is its own.

    `ai` is how much it is told of alerts about AI, unless its config says otherwise.
    """

    name: ClassVar[str]
    batch: ClassVar[int] = 1
    ai: ClassVar[AiAlerts] = AiAlerts.OUTLINE

    def __init__(self, config: OneByOneConfig) -> None:
        withhold = config.withhold
        self._withheld = frozenset(map(name_of, withhold.properties))
        self._has_ai_whole = (withhold.ai or self.ai) is AiAlerts.WHOLE

    def conversation_for(self, attempts: Sequence[Attempt]) -> Conversation:
        """The conversation that delivers attempts: it yields asks, and returns one result for each attempt, in their order."""
        results: list[Result] = []
        for attempt in attempts:
            try:
                results.append((yield from self.deliver(attempt)))
            except DeliveryError as failed:
                results.append(failed)
        return results

    @abstractmethod
    def deliver(self, attempt: Attempt) -> Exchange[Receipt]:
        """The exchange that delivers one notice."""

    def preview(self, attempt: Attempt) -> str:
        """What people read there of what an attempt delivers, as text of several lines."""
        briefing = self.briefing_in(attempt)
        text = text_of if briefing.is_first else note_of
        return f"{briefing.headline}\n\n{text(briefing, PREVIEW_LIMIT)}"

    def words(self, text: str) -> str:
        """A text as nothing but words where it is shown; see `router.destinations.wording.languages`."""
        return plain(text)

    def notice_in(self, attempt: Attempt) -> Notice:
        """The notice to deliver, as it may be told; raises Rejected for an entry of the record, which is for rows."""
        content = attempt.delivery.content
        if isinstance(content, Notice):
            return self._worded(content)
        raise Rejected(f"{self.name}: takes notices, not the record; let `record` be a destination for rows")

    def briefing_in(self, attempt: Attempt) -> Briefing:
        """The notice to deliver in words, with what the state knows beside it; raises Rejected as `notice_in` does."""
        notice, change = self.notice_in(attempt), attempt.delivery.change
        if notice.routes_to:
            notice = replace(notice, routes=notice.routes_to.get(attempt.delivery.destination, ()))
        untold_since = attempt.since if attempt.is_untold else None
        return briefing_of(notice, change, self._in_words(attempt.background), attempt.now, untold_since)

    def _in_words(self, background: Background) -> Background:
        """A background as it may be told: what other vendors called what they made is theirs, and no word of ours."""
        last = self._worded(background.last) if background.last is not None else None
        elsewhere = [
            replace(one, reference=self.words(one.reference) if one.reference else None) for one in background.elsewhere
        ]
        return replace(background, last=last, elsewhere=tuple(elsewhere))

    def _worded(self, notice: Notice) -> Notice:
        """A notice as people may be told it here: without what is withheld, then masked, and in the kind's language."""
        return in_language(disclosed(notice, self._withheld, has_ai_whole=self._has_ai_whole), self.words)


class OneRequest(OneByOne):
    """The common case: a notice is one request, and its answer is the receipt."""

    def deliver(self, attempt: Attempt) -> Exchange[Receipt]:
        """The exchange that delivers one notice."""
        answer = yield self.request_for(attempt)
        error = self.find_error(answer, attempt)
        if error is not None:
            raise error
        return self.receipt_from(answer, attempt)

    @abstractmethod
    def request_for(self, attempt: Attempt) -> HttpRequest:
        """The request that delivers a notice."""

    def find_error(self, answer: HttpAnswer, attempt: Attempt) -> DeliveryError | None:
        """What an answer that is no success means; None for a success."""
        return error_for(answer, self.name, attempt)

    def receipt_from(self, answer: HttpAnswer, attempt: Attempt) -> Receipt:
        """What a successful answer brings back."""
        return Receipt()


def taken_without[B, T](
    send: Callable[[B], Exchange[T]], whole: B, less_of: Callable[[B, Rejected], B | None]
) -> Exchange[T]:
    """What `send` brings of the whole, or of less where the whole is refused; raises the first refusal where both are.

    So what a team says wrong of itself costs nobody the notice. `less_of` gives what a refusal leaves, None for nothing.
    """
    try:
        return (yield from send(whole))
    except Rejected as refused:
        if (less := less_of(whole, refused)) is None:
            raise
        try:
            return (yield from send(less))
        except Rejected:
            raise refused from None


def secret_named(name: str, attempt: Attempt, kind: str) -> str:
    """The value of the secret of that name; raises Unauthorized where it has none."""
    value = attempt.secrets.get(name)
    if value:
        return value
    raise Unauthorized(f"{kind}: the secret {name} has no value; set the app setting of that name")


def header_secret(name: str, attempt: Attempt, kind: str) -> str:
    """The value of a secret that stands in a header; raises Unauthorized where it has none, or one that no header takes."""
    value = secret_named(name, attempt, kind)
    if fits_header(value):
        return value
    raise Unauthorized(f"{kind}: the secret {name} cannot stand in a header; set it anew, in printable ASCII")


def fits_header(value: str) -> bool:
    """Whether a text can stand in a header."""
    return value.isascii() and value.isprintable()


def is_handle(text: object) -> bool:
    """Whether a vendor's text is a name of a thing and can stand in a receipt, which people see and stores keep."""
    return isinstance(text, str) and _HANDLE.fullmatch(text) is not None


def handle_of(receipt: Receipt | None, name: str) -> str | None:
    """A handle that a receipt brought back, or None."""
    return receipt.handles.get(name) if receipt is not None else None
