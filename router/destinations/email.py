"""Mail: one for each notice, from one sender to fixed recipients, by a server that passes mail on (SMTP submission).

What is for one person alone, such as the owner of a rule that ends, goes to that person instead, by the same server.
Deduplicates nothing, but a mail that is tried again has the same `Message-ID`, by which many mailboxes show it once. Updates
and resolutions name the opening's `Message-ID`, so that they stand under it.

Retried: no answer, also after the whole message, no STARTTLS, a certificate that is not trusted, and every 4xx. A mail that
the server would take for some recipients and later for another one waits for all of them for ten minutes, then goes to those
that are taken. Who is refused for good does not keep it from the others; the receipt names them. A refusal of our credentials,
or of the sender, pauses the destination.
Truncated: the subject at 200 characters, the text at 20,000, the page at 90,000 bytes.

https://www.rfc-editor.org/rfc/rfc6409 (submission), https://www.rfc-editor.org/rfc/rfc5322#section-3.6.4 (threads)
"""

from __future__ import annotations

import re
from binascii import b2a_qp
from collections.abc import Iterable, Iterator, Mapping
from copy import replace
from datetime import timedelta
from email.header import Header
from email.utils import format_datetime
from html import escape
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from router.destinations.base import OneByOne, handle_of, is_handle
from router.destinations.config import BasicAuth, Host, OneByOneConfig
from router.destinations.requests import Exchange, excerpt_of, secret_named, user_named
from router.destinations.wording.facts import Fact
from router.destinations.wording.fitting import shorten
from router.destinations.wording.headlines import headline
from router.destinations.wording.notice_text import LINK_LIMIT, Briefing
from router.destinations.wording.plain_text import fitting, text_of
from router.domain.conversation import Deduplication, MailAnswer, MailReply, MailStep, SendMail
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Delivery, Receipt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.keys import delivery_key
from router.domain.notices import Link, Notice
from router.domain.rulebook import Lane
from router.domain.urls import is_loopback, is_mail_address

CREDENTIALS = frozenset({530, 534, 535, 538})
"""Replies that want other credentials, or any: https://www.rfc-editor.org/rfc/rfc4954#section-6"""

CROWDED = frozenset({421, 432, 450, 452})  # replies of a server that is asked too much, or may be

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


def words_of(reply: MailReply) -> str:
    """A reply as its codes alone: `550 5.1.1`."""
    return f"{reply.code} {_enhanced_in(reply)}".rstrip()


def _enhanced_in(reply: MailReply) -> str:
    found = _ENHANCED.match(reply.text)
    return found[0] if found is not None else ""


SUBJECT_LIMIT = 200  # characters
TEXT_LIMIT = 20_000  # characters of the text
PAGE_LIMIT = 90_000  # bytes of the page; Gmail hides what is beyond 102 KB
PATIENCE = timedelta(minutes=10)  # how long a mail waits for a recipient who is to be tried again later

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
        config, auth, delivery = self._config, self._config.auth, attempt.delivery
        briefing, foot = self.briefing_in(attempt), _foot_of(attempt.delivery)
        recipients = self._recipients_of(briefing.notice)
        mail = SendMail(
            host=config.host,
            port=config.port,
            user=user_named(auth, attempt, self.name) if auth is not None else None,
            password=secret_named(auth.password.secret, attempt, self.name) if auth is not None else None,
            sender=config.sender,
            recipients=recipients,
            message=mail_of(
                self._headers_for(briefing.notice, recipients, attempt),
                _text(briefing, foot),
                _page(briefing, foot),
                delivery.id,
            ),
            is_cleartext=config.tls == "none",
            is_for_all=attempt.now - (attempt.since or attempt.now) < PATIENCE,
        )
        answer: MailAnswer = yield mail
        if (error := error_for(answer, mail, self.name, attempt)) is not None:
            raise error
        handles = {"message_id": self._id_of(delivery.turn, delivery)}
        if answer.refused:
            handles["refused"] = ", ".join(f"{who}: {words_of(reply)}" for who, reply in answer.refused.items())
        queued = _QUEUED.search(excerpt_of(answer.reply.text, attempt))
        return Receipt(reference=queued[1] if queued is not None and is_handle(queued[1]) else None, handles=handles)

    def preview(self, attempt: Attempt) -> str:
        """The subject and the text; the page says the same."""
        briefing = self.briefing_in(attempt)
        return (
            f"Subject: {_subject_of(briefing.notice, briefing.change)}\n\n{_text(briefing, _foot_of(attempt.delivery))}"
        )

    def _recipients_of(self, notice: Notice) -> tuple[str, ...]:
        """The addresses that the policy names, unless the notice is for one person, such as a rule's owner."""
        if notice.recipient is None:
            return self._to
        if not is_mail_address(notice.recipient):
            raise Rejected(f"{self.name}: the notice is for a person without a mail address")
        return (notice.recipient,)

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


_LINKS = 4  # that a page without tables keeps

_COLOURS = {"Critical": "#b3261e", "High": "#b3261e", "Medium": "#b25e00", "Low": "#1a5fb4", "Informational": "#1a5fb4"}
_UNKNOWN, _OVER = "#b3261e", "#1e7d32"
"""What is not known is as loud as Critical."""

_BODY = "margin:0;padding:12px;font:15px/1.45 -apple-system,'Segoe UI',Roboto,Arial,sans-serif"
_COLUMN = "max-width:640px;margin:0 auto"
_HEADING = "margin:0 0 10px;padding:2px 0 2px 10px;font-size:18px;overflow-wrap:anywhere;border-left:5px solid {colour}"
_TITLE = "margin:18px 0 4px;font-size:13px;text-transform:uppercase;color:#6b6b6b"
_TEXT = "margin:0 0 8px;white-space:pre-wrap;overflow-wrap:anywhere"
_TABLE = "width:100%;border-collapse:collapse;white-space:pre-wrap;overflow-wrap:anywhere"
_NAME = "width:32%;padding:3px 8px 3px 0;text-align:left;vertical-align:top;font-weight:normal;color:#6b6b6b"
_VALUE = "padding:3px 0;vertical-align:top"
_CODE = "font:13px/1.4 ui-monospace,Menlo,Consolas,monospace"
_LIST = "margin:0 0 8px;padding-left:20px"
_ITEM = "white-space:pre-wrap;overflow-wrap:anywhere"
_BUTTON = "display:inline-block;margin:0 8px 8px 0;padding:9px 14px;border:1px solid #1a5fb4;border-radius:4px"
_FOOT = "margin:18px 0 0;font-size:12px;color:#6b6b6b"


def _text(briefing: Briefing, foot: str) -> str:
    """A briefing as plain text, its headline first."""
    headline = shorten(briefing.headline, TEXT_LIMIT)
    return f"{headline}\n\n{text_of(_in_short(briefing), TEXT_LIMIT)}\n\n-- \n{foot}\n"


def _page(briefing: Briefing, foot: str) -> str:
    """A briefing as a page of HTML, in which every text is escaped; of one that is too long the text."""
    short = _in_short(briefing)
    return fitting(
        _page_around(_sections(short), briefing, foot),
        lambda room: text_of(short, room),
        lambda cut: _page_around([*_buttons(short.links[:_LINKS]), *_paragraphs([cut])], briefing, foot),
        lambda page: len(page.encode("utf-8", "replace")),
        PAGE_LIMIT,
    )


def _in_short(briefing: Briefing) -> Briefing:
    """What is over is told in short, where the thread has the rest already."""
    if briefing.is_first or briefing.change is not Change.RESOLVED:
        return briefing
    return replace(briefing, description="", members=None, evidence=(), others=(), to_do=())


def _page_around(sections: Iterable[str], briefing: Briefing, foot: str) -> str:
    colour = _OVER if briefing.change is Change.RESOLVED else _COLOURS.get(briefing.notice.severity or "", _UNKNOWN)
    return "".join([
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1"></head>\n',
        f'<body style="{_BODY}">\n<div style="{_COLUMN}">\n',
        f'<h1 style="{_HEADING.format(colour=colour)}">{escape(briefing.headline)}</h1>\n',
        *sections,
        f'<p style="{_FOOT}">{escape(foot)}</p>\n</div>\n</body>\n</html>\n',
    ])  # fmt: skip


def _sections(briefing: Briefing) -> Iterator[str]:
    yield from _paragraphs(briefing.story)
    yield from _buttons(briefing.links)
    for title, facts in briefing.tables:
        yield from _table(title, facts)
    if briefing.members is not None:
        yield from _list(*briefing.members)
    yield from _table("Evidence", briefing.known)
    if briefing.to_do:
        yield from _list("What to do", briefing.to_do)
    yield from _table("Reference", briefing.reference)


def _paragraphs(texts: Iterable[str]) -> Iterator[str]:
    return (f'<p style="{_TEXT}">{escape(text)}</p>\n' for text in texts if text)


def _buttons(links: tuple[Link, ...]) -> Iterator[str]:
    """The links, near the top where a thumb finds them; what has no address is only named."""
    if not links:
        return
    yield "<p>"
    for link in links:
        words = escape(link.text)
        has_address = 0 < len(link.url) <= LINK_LIMIT
        yield f'<a style="{_BUTTON}" href="{escape(link.url)}">{words}</a>' if has_address else f"<span>{words}</span> "
    yield "</p>\n"


def _table(title: str, facts: tuple[Fact, ...]) -> Iterator[str]:
    if not facts:
        return
    yield f'<h2 style="{_TITLE}">{title}</h2>\n<table style="{_TABLE}">\n'
    for fact in facts:
        opened, closed = (f'<code style="{_CODE}">', "</code>") if fact.is_code else ("", "")
        values = "<br>".join(f"{opened}{escape(value)}{closed}" for value in fact.values)
        yield f'<tr><th style="{_NAME}">{escape(fact.name)}</th><td style="{_VALUE}">{values}</td></tr>\n'
    yield "</table>\n"


def _list(title: str, lines: tuple[str, ...]) -> Iterator[str]:
    yield f'<h2 style="{_TITLE}">{escape(title)}</h2>\n<ul style="{_LIST}">\n'
    yield from (f'<li style="{_ITEM}">{escape(line)}</li>\n' for line in lines)
    yield "</ul>\n"


_PLAIN = re.compile(r"[\x20-\x7e]*")
_LONGEST_LINE = 76  # characters; 78 are advised, and a name with its colon stands before the first


def mail_of(headers: Mapping[str, str], text: str, page: str, boundary: str) -> bytes:
    """A mail that says the same as a text and as a page of HTML, of which a reader is shown one.

    `headers` are ASCII on one line but for the subject. `boundary` is letters and digits; with the signs before it, it
    stands in no part: https://www.rfc-editor.org/rfc/rfc2045#section-6.7 (5).
    """
    edge = f"=_{boundary}"
    lines = [f"{name}: {_encoded(name, value)}" for name, value in headers.items()]
    lines += ["MIME-Version: 1.0", f'Content-Type: multipart/alternative; boundary="{edge}"', ""]
    for kind, content in (("plain", text), ("html", page)):
        lines += [f"--{edge}", f'Content-Type: text/{kind}; charset="utf-8"']
        lines += ["Content-Transfer-Encoding: quoted-printable", "", _quoted(content), ""]
    return "\r\n".join([*lines, f"--{edge}--", ""]).encode("ascii")


def _encoded(name: str, value: str) -> str:
    """A header's value: itself where it is short and plain, else in words of base64."""
    if _PLAIN.fullmatch(value) and len(name) + len(value) < _LONGEST_LINE and "=?" not in value:
        return value
    if name != "Subject":
        if not _PLAIN.fullmatch(value):
            raise ValueError(f"{name}: is no ASCII on one line")
        return value.replace(", ", ",\r\n ")
    return Header(value, "utf-8", maxlinelen=_LONGEST_LINE, header_name=name).encode(linesep="\r\n")


def _quoted(content: str) -> str:
    return b2a_qp(content.encode("utf-8", "replace"), istext=True).decode("ascii").replace("\n", "\r\n")
