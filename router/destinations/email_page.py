"""What a mail says, as a text and as a page of HTML that fits a phone: no picture, no script, nothing from elsewhere.

Mail clients keep inline styles, and few others: https://www.caniemail.com/features/html-style/
"""

from __future__ import annotations

import re
from binascii import b2a_qp
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from email.header import Header
from html import escape

from router.destinations.wording import plain_text
from router.destinations.wording.facts import Fact
from router.destinations.wording.fitting import shorten
from router.destinations.wording.notice_text import LINK_LIMIT, Briefing
from router.domain.decisions import Change
from router.domain.notices import Link

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


def text_of(briefing: Briefing, foot: str, limit: int) -> str:
    """A briefing as plain text, its headline first."""
    headline = shorten(briefing.headline, limit)
    return f"{headline}\n\n{plain_text.text_of(_in_short(briefing), limit)}\n\n-- \n{foot}\n"


def page_of(briefing: Briefing, severity: str | None, foot: str, limit: int) -> str:
    """A briefing as a page of at most `limit` bytes, in which every text is escaped; of one that is too long the text."""
    short = _in_short(briefing)
    return plain_text.fitting(
        _page(short, _sections(short), severity, foot),
        lambda room: plain_text.text_of(short, room),
        lambda cut: _page(short, [*_buttons(short.links[:_LINKS]), *_paragraphs([cut])], severity, foot),
        lambda page: len(page.encode("utf-8", "replace")),
        limit,
    )


def _in_short(briefing: Briefing) -> Briefing:
    """What is over is told in short, where the thread has the rest already."""
    if briefing.is_first or briefing.change is not Change.RESOLVED:
        return briefing
    return replace(briefing, description="", members=None, evidence=(), others=(), to_do=())


def _page(briefing: Briefing, sections: Iterable[str], severity: str | None, foot: str) -> str:
    colour = _OVER if briefing.change is Change.RESOLVED else _COLOURS.get(severity or "", _UNKNOWN)
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
