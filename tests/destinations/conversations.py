"""The other side of a destination: what the shell does, without a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

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
from tests.destinations.mails import read

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
