"""Mails as whoever gets them reads them."""

from __future__ import annotations

from collections.abc import Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import NamedTuple, cast

from router.domain.conversation import SendMail


class ReadMail(NamedTuple):
    """A mail that was read: its headers without line ends, its text and its page."""

    headers: Mapping[str, str]
    text: str
    page: str


def read(mail: SendMail) -> ReadMail:
    """What a mail says; fails where the message is not well formed."""
    message = cast(EmailMessage, message_from_bytes(mail.message, policy=policy.default))
    assert not any(part.defects for part in message.walk())
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]
    text, page = (part.get_content().replace("\r\n", "\n") for part in list(message.walk())[1:])
    headers = {name: str(value) for name, value in message.items()}
    assert len(headers) == len(message.items())
    return ReadMail(headers, text, page)
