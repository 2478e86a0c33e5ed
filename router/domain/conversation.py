"""What a destination may ask of the shell. Destinations do no I/O: they yield one of these and are sent the answer.

| yielded | sent back | raised into the destination instead |
|---|---|---|
| HttpRequest | HttpAnswer, whatever its status | Unavailable when no answer came |
| LogRows | None | Unavailable, Unauthorized or Rejected |
| AppendLines | None | Unavailable |
| AccessToken | the token, a text | Unavailable or Unauthorized |
| SendMail | MailAnswer, whatever it says | Unavailable when no answer came over TLS, Unauthorized where no sign-in works |"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import DeliveryError
from router.domain.rulebook import Lane
from router.domain.values import Value, repr_without


class HttpRequest(Value, kw_only=True):
    """An HTTP request. All but the method is left out of the repr, because it may hold a secret."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""

    __repr__ = repr_without("url", "headers", "body")


class HttpAnswer(Value, kw_only=True):
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""

    __repr__ = repr_without("body")


type Asking[T] = Generator[HttpRequest, HttpAnswer, T]
"""What asks over HTTP alone: it yields requests, is sent the answer to each or has Unavailable raised into it, and returns what
came of them."""


class LogRows(Value, kw_only=True):
    """Rows for one call of the Logs Ingestion API.

    Attributes:
        rule: the immutable id of the data collection rule.
        rows: one object for each row, small enough together for one call.
    """

    endpoint: str
    rule: str
    stream: str
    rows: Sequence[Mapping[str, object]]

    __repr__ = repr_without("rows")


class AppendLines(Value, kw_only=True):
    """Lines to append to a file."""

    path: str
    lines: bytes

    __repr__ = repr_without("lines")


class AccessToken(Value, kw_only=True):
    """An access token by OAuth 2.0 client credentials, which the shell caches until it expires.

    https://www.rfc-editor.org/rfc/rfc6749#section-4.4

    Attributes:
        scope: the scope to ask for, where the endpoint wants one.
        refused: a token that the destination refused, so that the shell must fetch another one.
    """

    url: str
    client_id: str
    client_secret: str
    scope: str | None = None
    refused: str | None = None

    __repr__ = repr_without("client_secret", "refused")


class MailStep(StrEnum):
    """What a mail server answers to, in the order in which a mail is submitted: https://www.rfc-editor.org/rfc/rfc5321"""

    CONNECTION = "connection"
    HELLO = "hello"
    TLS = "STARTTLS"
    AUTH = "credentials"
    SENDER = "sender"
    RECIPIENTS = "recipients"
    MESSAGE = "message"


class SendMail(Value, kw_only=True):
    """A mail to submit over STARTTLS. What it says and the credentials are left out of the repr.

    Attributes:
        user, password: who we are; both None where the server asks for nothing.
        message: headers and body, in lines of ASCII.
        is_cleartext: whether it goes without TLS, which is for loopback only.
        is_for_all: whether it is withheld from all recipients when the server asks us to try one of them again later.
    """

    host: str
    port: int
    user: str | None = None
    password: str | None = None
    sender: str
    recipients: Sequence[str]
    message: bytes
    is_cleartext: bool = False
    is_for_all: bool = False

    __repr__ = repr_without("user", "password", "message")


class MailReply(Value, kw_only=True):
    """One reply of a mail server."""

    code: int
    text: str


class MailAnswer(Value, kw_only=True):
    """What a mail server said last. Only a 2xx to the message means that it has the mail.

    Attributes:
        refused: what it said of each recipient that it did not take, where it took others.
    """

    step: MailStep
    reply: MailReply
    refused: Mapping[str, MailReply] = {}


CROWDED = frozenset({429, 503})
"""The statuses of a server that is asked too much just now: https://www.rfc-editor.org/rfc/rfc6585#section-4"""

_SECONDS = re.compile(r"\s*(\d{1,9}(?:\.\d+)?)\s*")


def retry_after_in(answer: HttpAnswer, now: datetime) -> float | None:
    """The seconds that `Retry-After` asks for, given as seconds or as an HTTP date; None where it asks for nothing.

    Form: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    written = answer.headers.get("retry-after", "")
    seconds = _SECONDS.fullmatch(written)
    if seconds:
        return float(seconds[1])
    date = _find_date(written)
    return max((date - now).total_seconds(), 0.0) if date is not None else None


def _find_date(written: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(written)
        return date.astimezone(UTC) if date.tzinfo is not None else date.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


type Ask = HttpRequest | LogRows | AppendLines | AccessToken | SendMail
type Result = Receipt | DeliveryError
type Conversation = Generator[Ask, Any, Sequence[Result]]
"""A generator that yields what a destination asks, is sent the answers, and returns one result for each attempt, in order."""


class Deduplication(StrEnum):
    """How a destination tells that it has a delivery already."""

    SERVER = "server"
    LOOKUP = "lookup"
    NONE = "none"


class DestinationKind(Protocol):
    """A kind of destination: one file in `destinations/`, pure.

    `Config` is the pydantic model of its entry in policy.yaml. `batch` is how many deliveries one conversation may have.
    `address` names what it writes to, without a secret: equal addresses are the same place, which two streams cannot share.
    """

    name: ClassVar[str]
    lane: ClassVar[Lane]
    deduplicates: ClassVar[Deduplication]
    batch: ClassVar[int]
    Config: ClassVar[type[Any]]
    address: str

    def __init__(self, config: Any) -> None: ...

    def conversation_for(self, attempts: Sequence[Attempt]) -> Conversation:
        """The conversation that delivers attempts: it yields asks, and returns one result for each attempt, in their order."""
        ...


class ReadableKind(DestinationKind, Protocol):
    """A kind that can also say what people read of it."""

    def preview(self, attempt: Attempt) -> str:
        """What people read there of what an attempt delivers, as text of several lines."""
        ...
