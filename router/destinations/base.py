"""What most kinds of destination share: deliveries sent one by one, each as one HTTP request or a few."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from copy import replace
from typing import Any, ClassVar

from msgspec.structs import asdict

from router.destinations.config import AiAlerts, OneByOneConfig
from router.destinations.requests import Exchange, error_for
from router.destinations.wording.escaping import in_language, plain, web_link
from router.destinations.wording.facts import posture_of
from router.destinations.wording.headlines import group_of
from router.destinations.wording.notice_text import Briefing, briefing_of
from router.destinations.wording.plain_text import note_of, text_of
from router.destinations.wording.turns import made_once
from router.destinations.wording.withholding import disclosed
from router.domain.conversation import Conversation, HttpAnswer, HttpRequest, Result
from router.domain.deliveries import Attempt, Background, Receipt
from router.domain.errors import DeliveryError, Rejected
from router.domain.evidence import property_key
from router.domain.notices import DECISION_KEYS, Notice

_changed = made_once(replace)

_HANDLE = re.compile(r"[\w.-]{1,128}", re.ASCII)

PREVIEW_LIMIT = 15_000  # characters; ours, for kinds that name none


class OneByOne(ABC):
    """A kind that sends deliveries one after the other; the failure of one is its own.

    `ai` is how much it is told of alerts about AI, unless its config says otherwise; `words` makes a text nothing but words
    where it is shown (`router.destinations.wording.escaping`).
    """

    name: ClassVar[str]
    batch: ClassVar[int] = 1
    ai: ClassVar[AiAlerts] = AiAlerts.OUTLINE
    words = staticmethod(plain)
    address: str

    def __init__(self, config: OneByOneConfig) -> None:
        withhold = config.withhold
        self._withheld = frozenset(map(property_key, withhold.properties))
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

    def notice_in(self, attempt: Attempt) -> Notice:
        """The notice to deliver, as it may be told; raises Rejected for an entry of the record, which is for rows."""
        content = attempt.delivery.content
        if isinstance(content, Notice):
            return self._worded(content)
        raise Rejected(f"{self.name}: takes notices, not the record; let `record` be a destination for rows")

    def briefing_in(self, attempt: Attempt) -> Briefing:
        """The notice to deliver in words, with what the state knows beside it; raises Rejected as `notice_in` does."""
        notice, change = self.notice_in(attempt), attempt.delivery.change
        routes = notice.routes_to.get(attempt.delivery.destination, ()) if notice.routes_to else notice.routes
        if routes != notice.routes:
            notice = _changed(notice, routes=routes)
        untold_since = attempt.since if attempt.is_untold else None
        background = self._in_words(attempt.background)
        return briefing_of(notice, change, background, attempt.now, untold_since, attempt.page)

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
        if (error := self.find_error(answer, attempt)) is not None:
            raise error
        return Receipt()

    @abstractmethod
    def request_for(self, attempt: Attempt) -> HttpRequest:
        """The request that delivers a notice."""

    def find_error(self, answer: HttpAnswer, attempt: Attempt) -> DeliveryError | None:
        """What an answer that is no success means; None for a success."""
        return error_for(answer, self.name, attempt)


def taken_without_owners[T](
    send: Callable[[dict[str, Any]], Exchange[T]],
    fields: dict[str, Any],
    owned: Collection[str],
    is_about: Callable[[str, Sequence[str]], bool],
    described: Callable[[str], Any],
) -> Exchange[T]:
    """What `send` brings of the fields of a ticket; where they are refused for what owners.yaml says, of those without it.

    So a notice is not lost for what a team says wrong of itself. `is_about` tells whether a refusal is about the fields of
    these names, and `described` makes a description that begins with words. Raises the first refusal where both are refused.
    """
    try:
        return (yield from send(fields))
    except Rejected as refused:
        left_out = [name for name in fields if name in owned]
        if not left_out or not is_about(str(refused), left_out):
            raise
        less = {name: value for name, value in fields.items() if name not in owned}
        words = f"refused this with {', '.join(left_out)}; check owners.yaml."
        try:
            return (yield from send(less | {"description": described(words)}))
        except Rejected:
            raise refused from None


def is_handle(text: object) -> bool:
    """Whether a vendor's text is a name of a thing and can stand in a receipt, which people see and stores keep."""
    return isinstance(text, str) and _HANDLE.fullmatch(text) is not None


def handle_of(receipt: Receipt | None, name: str) -> str | None:
    """A handle that a receipt brought back, or None."""
    return receipt.handles.get(name) if receipt is not None else None


_FIELDS = (
    "stream", "kind", "id", "type", "title", "description", "severity", "severity_written", "status", "plan", "sample",
    "resource", "resource_type", "resource_group", "subscription", "compromised_entity", "techniques",
    "attack_version", "routes", "reason", "rulebook", "link", "remediation", "product", "started", "ended", "changed",
    "categories", "measure", "cause", "cloud", "snapshot", "respond_by", "closing", "correlation", "alerts", "extended",
)  # fmt: skip

_ENTRY_KEYS = ("key", "at", *DECISION_KEYS)


def document_of(attempt: Attempt, notice: Notice) -> dict[str, Any]:
    """The object of one notice, by the names of `router.domain.notices.Notice`.

    Every key is always there, `console` where a setting says where that is; what is not known is null, [] or {}.
    `change` is opened, updated or resolved.
    """
    delivery, owner = attempt.delivery, notice.owner
    return {
        "change": delivery.change,
        "key": notice.key,
        "turn": notice.turn,
        "destination": delivery.destination,
        **{name: getattr(notice, name) for name in _FIELDS},
        "link": web_link(notice.link),
        "tactics": [{"id": tactic.id, "name": tactic.name} for tactic in notice.tactics],
        "evidence": asdict(notice.evidence),
        "group": group_of(notice),
        **posture_of(notice),
        "owner": {"group": owner.group, "service": owner.service} if owner else None,
        **_link_to_console(attempt),
    }


def object_of(attempt: Attempt) -> dict[str, Any]:
    """The object of what is delivered: of a notice, or of an entry of the record, with the keys that others read."""
    content = attempt.delivery.content
    if isinstance(content, Notice):
        return document_of(attempt, content)
    return {name: getattr(content, name) for name in _ENTRY_KEYS} | _link_to_console(attempt)


def _link_to_console(attempt: Attempt) -> dict[str, str]:
    return {"console": attempt.page} if attempt.page is not None else {}
