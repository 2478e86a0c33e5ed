"""Mails as whoever gets them reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from email import message_from_bytes, policy
from html.parser import HTMLParser
from typing import NamedTuple

from router.domain.conversation import SendMail


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
