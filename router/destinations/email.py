"""Mail: one for each notice, from one sender to fixed recipients, by a server that passes mail on (SMTP submission).

What is for one person alone, such as the owner of a rule that ends, goes to that person instead, by the same server.

Deduplicates nothing: a mail that is tried again is sent again. It has the same `Message-ID`, by which many mailboxes show it
once, and none must. Updates and resolutions name the opening's `Message-ID`, which is known also where its receipt is not,
so that they stand under it.

Retried: no answer, also after the whole message, no STARTTLS, a certificate that is not trusted, and every 4xx. A mail that
the server would take for some recipients and later for another one waits for all of them for ten minutes, since
others would get it again; after that it goes to those that are taken. Who is refused for good does not keep it from the others.
The receipt names the refused ones. A refusal of our credentials, or of the sender, pauses the destination.
Truncated: the subject at 200 characters, the text at 20,000, the page at 90,000 bytes.

https://www.rfc-editor.org/rfc/rfc6409 (submission), https://www.rfc-editor.org/rfc/rfc5322#section-3.6.4 (threads)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from email.utils import format_datetime
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from router.destinations.base import OneByOne, handle_of, is_handle
from router.destinations.config import BasicAuth, Host, OneByOneConfig, SecretName
from router.destinations.email_page import mail_of, page_of, text_of
from router.destinations.requests import Exchange, excerpt_of, secret_named
from router.destinations.wording.headlines import headline
from router.destinations.wording.notice_text import Briefing
from router.domain.conversation import Deduplication, MailAnswer, MailReply, MailStep, SendMail
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Delivery, Receipt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.keys import delivery_key
from router.domain.notices import Notice
from router.domain.rulebook import Lane
from router.domain.urls import is_loopback, is_mail_address

CREDENTIALS = frozenset({530, 534, 535, 538})
"""Replies that want other credentials, or any: https://www.rfc-editor.org/rfc/rfc4954#section-6"""

CROWDED = frozenset({421, 432, 450, 452})
"""Replies of a server that is asked too much, or may be."""

NOT_OURS = frozenset({"5.2.252", "5.7.60"})
"""Exchange's codes, given after the whole message, for a user who may not send as this sender."""

_TOO_LARGE = 552
_POLICY = "5.7."
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s|\Z)")
_QUEUED = re.compile(r"\bqueued(?: mail for delivery)? as:? (\S+)", re.IGNORECASE)


def error_for(answer: MailAnswer, mail: SendMail, name: str, attempt: Attempt) -> DeliveryError | None:
    """The error that an answer means, its text starting with the kind's name; None where the server has the mail."""
    step, code = answer.step, answer.reply.code
    if step is MailStep.MESSAGE and 200 <= code < 300:
        return None
    words = excerpt_of(answer.reply.text, attempt)
    text = f"{name}: answered {code} to the {step}{f' ({words})' if words else ''}"
    enhanced = _enhanced_in(answer.reply)
    if code in CREDENTIALS or (step is MailStep.AUTH and code >= 500):
        return Unauthorized(f"{text}; check its credentials and what they may do")
    if code < 500 or step in (MailStep.CONNECTION, MailStep.HELLO, MailStep.TLS):
        return Unavailable(text, is_crowded=code in CROWDED)
    if enhanced in NOT_OURS or (step is MailStep.SENDER and code != _TOO_LARGE):
        return Unauthorized(f"{text}; check `from`, and whether its credentials may send as that")
    if step is MailStep.RECIPIENTS and enhanced.startswith(_POLICY):
        return Unauthorized(f"{text}; check whether its credentials may send to `to`")
    # A client that has come so far was let in.
    return Rejected(text, status=code, authenticated=mail.user is not None)


def queued_as(reply: MailReply, attempt: Attempt) -> str | None:
    """What the server calls the mail that it took, where it says so."""
    found = _QUEUED.search(excerpt_of(reply.text, attempt))
    return found[1] if found is not None and is_handle(found[1]) else None


def words_of(reply: MailReply) -> str:
    """A reply as its codes alone: `550 5.1.1`."""
    return f"{reply.code} {_enhanced_in(reply)}".rstrip()


def _enhanced_in(reply: MailReply) -> str:
    found = _ENHANCED.match(reply.text)
    return found[0] if found is not None else ""


SUBJECT_LIMIT = 200  # characters
TEXT_LIMIT = 20_000  # characters of the text
PAGE_LIMIT = 90_000  # bytes of the page; Gmail hides what is beyond 102 KB
PATIENCE = timedelta(minutes=10)
"""How long a mail waits for a recipient who is to be tried again later."""

IMPORTANT = frozenset({"Critical", "High", None})
"""The severities of what a mail client is asked to show as important; what is not known may be as grave."""

_MESSAGE_ID = re.compile(r"[\w-]{1,64}@[\w.-]{1,253}", re.ASCII)
_MARKS = {Change.OPENED: "", Change.UPDATED: "[Updated] ", Change.RESOLVED: "[Resolved] "}
"""Brackets, since those are no part of what a subject is about: https://www.rfc-editor.org/rfc/rfc5256#section-2.1"""


def _address(text: str) -> str:
    if not is_mail_address(text):
        raise ValueError("must be a mail address in ASCII, such as soc@soc.example, without a name")
    return text


Address = Annotated[str, AfterValidator(_address), Field(json_schema_extra={"format": "email"})]


class EmailConfig(OneByOneConfig):
    """`{kind: email, host: smtp.example, auth: {user: NAME, password: {secret: NAME}}, from: ADDRESS, to: [ADDRESS, ...]}`.

    `auth` is left out for a server that lets this machine send without. `tls: none` is for a server on loopback.
    """

    model_config = ConfigDict(validate_by_name=True)

    kind: Literal["email"]
    host: Host
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    tls: Literal["starttls", "none"] = "starttls"
    auth: BasicAuth | None = None
    sender: Annotated[Address, Field(alias="from")]
    to: Annotated[tuple[Address, ...], Field(min_length=1, max_length=50)]

    @model_validator(mode="after")
    def _is_encrypted_elsewhere(self) -> EmailConfig:
        if self.tls == "none" and not is_loopback(self.host):
            raise ValueError("tls: none is for a server on loopback only; leave it out")
        return self


class Email(OneByOne):
    """Mails to some mailboxes."""

    name: ClassVar[str] = "email"
    lane: ClassVar[Lane] = Lane.TICKET
    deduplicates: ClassVar[Deduplication] = Deduplication.NONE
    Config: ClassVar[type[EmailConfig]] = EmailConfig

    def __init__(self, config: EmailConfig) -> None:
        super().__init__(config)
        self._config = config
        self._to = tuple({address.casefold(): address for address in config.to}.values())
        self.address = " ".join([f"smtp://{config.host}:{config.port}", *sorted(map(str.casefold, self._to))])
        self._domain = config.sender.rpartition("@")[2].lower()

    def deliver(self, attempt: Attempt) -> Exchange[Receipt]:
        """The exchange that delivers one notice."""
        mail = self._mail_for(attempt)
        answer: MailAnswer = yield mail
        if (error := error_for(answer, mail, self.name, attempt)) is not None:
            raise error
        handles = {"message_id": self._id_of(attempt.delivery.turn, attempt.delivery)}
        if answer.refused:
            handles["refused"] = ", ".join(f"{who}: {words_of(reply)}" for who, reply in answer.refused.items())
        return Receipt(reference=queued_as(answer.reply, attempt), handles=handles)

    def preview(self, attempt: Attempt) -> str:
        """The subject and the text; the page says the same."""
        briefing = self.briefing_in(attempt)
        subject = _subject_of(briefing.notice, briefing.change)
        return f"Subject: {subject}\n\n{text_of(briefing, _foot_of(attempt.delivery), TEXT_LIMIT)}"

    def _mail_for(self, attempt: Attempt) -> SendMail:
        config, auth, briefing = self._config, self._config.auth, self.briefing_in(attempt)
        recipients = self._recipients_of(briefing.notice)
        since = attempt.since if attempt.since is not None else attempt.now
        return SendMail(
            host=config.host,
            port=config.port,
            user=self._user_of(auth, attempt) if auth is not None else None,
            password=secret_named(auth.password.secret, attempt, self.name) if auth is not None else None,
            sender=config.sender,
            recipients=recipients,
            message=self._message_for(briefing, recipients, attempt),
            is_cleartext=config.tls == "none",
            is_for_all=attempt.now - since < PATIENCE,
        )

    def _recipients_of(self, notice: Notice) -> tuple[str, ...]:
        """The addresses that the policy names, unless the notice is for one person, such as a rule's owner."""
        if notice.recipient is None:
            return self._to
        if not is_mail_address(notice.recipient):
            raise Rejected(f"{self.name}: the notice is for a person without a mail address")
        return (notice.recipient,)

    def _user_of(self, auth: BasicAuth, attempt: Attempt) -> str:
        return secret_named(auth.user.secret, attempt, self.name) if isinstance(auth.user, SecretName) else auth.user

    def _message_for(self, briefing: Briefing, recipients: tuple[str, ...], attempt: Attempt) -> bytes:
        notice, delivery = briefing.notice, attempt.delivery
        return mail_of(
            self._headers_for(notice, recipients, attempt),
            text_of(briefing, _foot_of(delivery), TEXT_LIMIT),
            page_of(briefing, notice.severity, _foot_of(delivery), PAGE_LIMIT),
            delivery.id,
        )

    def _headers_for(self, notice: Notice, recipients: tuple[str, ...], attempt: Attempt) -> Mapping[str, str]:
        delivery = attempt.delivery
        root, has_root = self._opening_of(attempt), not (attempt.is_untold or delivery.change is Change.OPENED)
        is_important = notice.severity in IMPORTANT and delivery.change is not Change.RESOLVED
        headers = {
            "Date": format_datetime(attempt.now),
            "From": self._config.sender,
            "To": ", ".join(recipients),
            "Subject": _subject_of(notice, delivery.change),
            "Message-ID": f"<{self._id_of(delivery.turn, delivery)}>",
            "In-Reply-To": f"<{root}>" if has_root else "",
            "References": f"<{root}>" if has_root else "",
            "List-Id": f"<{delivery.destination}.{delivery.stream}.{self._domain}>",
            # A note of absence is no answer to this, in the standard's words and in Exchange's.
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
            "Importance": "high" if is_important else "",
        }
        return {name: value for name, value in headers.items() if value}

    def _opening_of(self, attempt: Attempt) -> str:
        """The id of the mail that opened it here: the one that was sent, also where the sender has changed since."""
        sent = handle_of(attempt.opening, "message_id")
        if sent is not None and _MESSAGE_ID.fullmatch(sent):
            return sent
        return self._id_of(attempt.delivery.opened, attempt.delivery)

    def _id_of(self, turn: int, delivery: Delivery) -> str:
        """The same over all attempts: the delivery key, at the sender's domain."""
        return f"{delivery_key(delivery.key, turn, delivery.destination)}@{self._domain}"


def _subject_of(notice: Notice, change: Change) -> str:
    mark = _MARKS[change]
    return f"{mark}{headline(notice, SUBJECT_LIMIT - len(mark))}"


def _foot_of(delivery: Delivery) -> str:
    return f"Sent by the alert router to {delivery.destination} ({delivery.stream})"
