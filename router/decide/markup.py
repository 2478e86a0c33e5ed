"""Texts of Defender's without their HTML: line ends for blocks, numbers for lists, and links as `words (https://...)`.

Only the tags that Defender's texts have are read as tags; any other angle bracket stays, since a description may quote a
command line. One pattern finds the tags one by one, so a text of a megabyte takes as long as its length says, however it nests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from html.entities import html5

_BLOCKS = frozenset({"div", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "p", "pre", "table", "tbody", "thead", "tr"})
_LISTS = frozenset({"ol", "ul"})
_INLINE = frozenset({"a", "b", "code", "em", "i", "span", "strong", "u"})
_NAMES = "|".join(sorted(_BLOCKS | _LISTS | _INLINE | {"br", "li", "td", "th"}, key=len, reverse=True))
_TAG = re.compile(rf"<(/?)({_NAMES})(/|\s[^<>]*)?>", re.IGNORECASE)
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_WEB = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_CHARACTER = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_PLAIN_CHARACTERS = frozenset({"amp;", "apos;", "gt;", "lt;", "nbsp;", "quot;"})


def plain_text(text: str) -> str:
    """A text without HTML; one that has none stays as it is, but for the few characters that are often written by name."""
    if "<" in text:
        closed = {name.lower() for slash, name, _ in _TAG.findall(text) if slash}
        tags = [tag for tag in _TAG.finditer(text) if _is_meant(tag, closed)]
        if tags:
            return _tidied(_Page().read(text, tags))
    return _CHARACTER.sub(_plain_character, text) if "&" in text else text


def _is_meant(tag: re.Match[str], closed: set[str]) -> bool:
    """Whether a tag is one: what stands in angle brackets and is never closed may be a word of a command line."""
    name = tag[2].lower()
    return name not in _INLINE or name in closed


class _Page:
    """A text while its tags are read one after the other."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._lists: list[int | None] = []  # for each open list, how many items an ordered one has so far
        self._link: tuple[str, int] | None = None  # where the open link leads, and the part from which its words are

    def read(self, text: str, tags: list[re.Match[str]]) -> str:
        """The text without tags, not tidied up yet."""
        end = 0
        for tag in tags:
            self._parts.append(_characters(text[end : tag.start()]))
            self._take(tag[2].lower(), tag[3] or "", is_end=bool(tag[1]))
            end = tag.end()
        self._parts.append(_characters(text[end:]))
        self._end_link()
        return "".join(self._parts)

    def _take(self, name: str, attributes: str, *, is_end: bool) -> None:
        if name == "a":
            self._end_link()
            if not is_end and (url := _find_url(attributes)) is not None:
                self._link = (url, len(self._parts))
        elif name in ("td", "th"):
            self._parts.append(" ")
        elif name == "li":
            self._parts.append("\n" if is_end else f"\n{self._bullet()} ")
        elif name in _LISTS:
            self._parts.append("\n")
            if not is_end:
                self._lists.append(0 if name == "ol" else None)
            elif self._lists:
                self._lists.pop()
        elif name == "br" or name in _BLOCKS:
            self._parts.append("\n")

    def _bullet(self) -> str:
        if not self._lists or (count := self._lists[-1]) is None:
            return "-"
        self._lists[-1] = count + 1
        return f"{count + 1}."

    def _end_link(self) -> None:
        """Puts the address behind a link's words, unless they are the address."""
        if self._link is None:
            return
        url, start = self._link
        self._link = None
        words = "".join(self._parts[start:]).strip()
        self._parts.append(f" ({url})" if words and words != url else "" if words else url)


def _find_url(attributes: str) -> str | None:
    found = _HREF.search(attributes)
    url = _characters(next(filter(None, found.groups()), "")).strip() if found else ""
    return url if _WEB.fullmatch(url) else None


def _characters(text: str) -> str:
    return _CHARACTER.sub(_character, text) if "&" in text else text


def _character(named: re.Match[str]) -> str:
    return unescape(named[0]) if named[0][1] == "#" or named[0][1:] in html5 else named[0]


def _plain_character(named: re.Match[str]) -> str:
    return unescape(named[0]) if named[0][1] == "#" or named[0][1:] in _PLAIN_CHARACTERS else named[0]


def _tidied(text: str) -> str:
    return "\n".join(_without_gaps(text.splitlines()))


def _without_gaps(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if words := " ".join(line.split()):
            yield words
