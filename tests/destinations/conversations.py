"""The other side of a destination: what the shell does, without a network, and mails as whoever gets them reads them."""

import re
from collections.abc import Callable, Mapping, Sequence
from email import message_from_bytes, policy
from html.parser import HTMLParser
from typing import Any, NamedTuple

import orjson

from router.domain.conversation import (
    AccessToken,
    AppendLines,
    Ask,
    DestinationKind,
    HttpAnswer,
    HttpRequest,
    LogRows,
    MailAnswer,
    MailReply,
    MailStep,
    Result,
    SendMail,
)
from router.domain.deliveries import Attempt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable


class ReadMail(NamedTuple):
    """A mail that was read: its headers without line ends, its text and its page."""

    headers: Mapping[str, str]
    text: str
    page: str


def read(mail: SendMail) -> ReadMail:
    """What a mail says; fails where the message is not well formed."""
    message = message_from_bytes(mail.message, policy=policy.default)
    assert not any(part.defects for part in message.walk())
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]
    text, page = (part.get_content().replace("\r\n", "\n") for part in list(message.walk())[1:])
    headers = {name: str(value) for name, value in message.items()}
    assert len(headers) == len(message.items())
    return ReadMail(headers, text, page)


KNOWN = {
    "html": {"lang"}, "head": set(), "meta": {"charset", "name", "content"}, "body": {"style"}, "div": {"style"},
    "h1": {"style"}, "h2": {"style"}, "p": {"style"}, "table": {"style"}, "tr": set(), "th": {"style"}, "td": {"style"},
    "ul": {"style"}, "li": {"style"}, "code": {"style"}, "a": {"style", "href"}, "span": set(), "br": set(),
}  # fmt: skip
"""The tags of our own, and their attributes. None of them fetches anything, or does anything."""

_OWN = re.compile(r"https://portal\.azure\.com/[!-~]*|https://contoso\.(pagerduty|wiki)\.example/[!-~]*")


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, bool]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        written = dict(attrs)
        is_ours = tag in KNOWN and written.keys() <= KNOWN[tag] and len(written) == len(attrs)
        is_still = (
            "url(" not in (written.get("style") or "") and _OWN.fullmatch(written.get("href") or _NOWHERE) is not None
        )
        self.found.append((f"{self.get_starttag_text()}", is_ours and is_still))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.found.append((data, False))

    def handle_pi(self, data: str) -> None:
        self.found.append((data, False))

    def unknown_decl(self, data: str) -> None:
        self.found.append((data, False))


_NOWHERE = "https://portal.azure.com/"


def tags_in(page: str) -> Sequence[tuple[str, bool]]:
    """Every tag that a page opens, and whether it is one of ours that does nothing and leads nowhere else."""
    return _parsed(page).found


def shown_in(page: str) -> str:
    """What a page shows."""
    return "".join(_parsed(page).text)


def _parsed(page: str) -> _Tags:
    tags = _Tags()
    tags.feed(page)
    tags.close()
    return tags


type Answer = HttpAnswer | MailAnswer | DeliveryError | str | None
type Respond = Callable[[Ask], Answer]

_LONGEST = 2_000  # asks of one send


def converse(kind: DestinationKind, attempts: Sequence[Attempt], respond: Respond) -> tuple[list[Ask], list[Result]]:
    """What a destination asks, and its results; an error raised for the whole send is the result of each attempt."""
    conversation = kind.conversation_for(attempts)
    asks: list[Ask] = []
    try:
        ask = next(conversation)
        while True:
            asks.append(ask)
            assert len(asks) < _LONGEST, "it never stops asking"
            answer = respond(ask)
            ask = conversation.throw(answer) if isinstance(answer, DeliveryError) else conversation.send(answer)
    except StopIteration as done:
        return asks, list(done.value)
    except DeliveryError as failed:
        return asks, [failed] * len(attempts)


def in_turn(*answers: Answer) -> Respond:
    """Gives these answers one after the other."""
    waiting = list(answers)
    return lambda ask: waiting.pop(0)


def at_step(step: int, refuse: Respond, content: Respond) -> Respond:
    """Refuses the ask of that number, from 0; every other is answered by `content`."""
    seen: list[Ask] = []

    def respond(ask: Ask) -> Answer:
        seen.append(ask)
        return refuse(ask) if len(seen) == step + 1 else content(ask)

    return respond


def replied(status: int, body: Any = None, **headers: str) -> HttpAnswer:
    """An answer with a JSON body."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(status=status, headers=names, body=orjson.dumps(body) if body is not None else b"")


MAIL_REFUSED = 554
"""The reply of a mail server that will never take a mail."""

_MAIL_REPLIES = {401: (MailStep.AUTH, 535), 403: (MailStep.SENDER, 530)}


def mail_answered(step: MailStep, code: int, text: str = "", **refused: MailReply) -> MailAnswer:
    """An answer of a mail server."""
    return MailAnswer(step=step, reply=MailReply(code=code, text=text), refused=refused)


def refusal_of(ask: Ask, status: int, body: Any = None, **headers: str) -> Answer:
    """The refusal with that status, as this ask would meet it: for rows and files the shell raises it."""
    text = f"log_analytics: answered {status}"
    match ask:
        case HttpRequest():
            return replied(status, body, **headers)
        case AppendLines():
            return Unavailable("the file cannot be written")
        case SendMail():
            is_later = status in (408, 425, 429) or status >= 500
            other = (MailStep.MESSAGE, 451 if is_later else MAIL_REFUSED)
            return mail_answered(*_MAIL_REPLIES.get(status, other), text=f"4.0.0 {body}")
        case LogRows() | AccessToken() if status in (401, 403):
            return Unauthorized(text)
        case LogRows() | AccessToken() if status in (408, 425, 429) or status >= 500:
            wait = headers.get("retry_after")
            return Unavailable(text, retry_after=float(wait) if wait else None)
        case LogRows() | AccessToken():
            return Rejected(text, status=status)


def payload_of(ask: Ask) -> bytes:
    """The bytes that an ask sends; of a mail, what whoever gets it reads."""
    match ask:
        case HttpRequest():
            return ask.body
        case LogRows():
            return orjson.dumps(ask.rows)
        case AppendLines():
            return ask.lines
        case AccessToken():
            return b""
        case SendMail():
            mail = read(ask)
            lines = [*(f"{name}: {value}" for name, value in mail.headers.items()), mail.text, mail.page]
            return "\n".join(lines).encode()
