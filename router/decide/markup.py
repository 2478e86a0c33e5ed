"""Texts of Defender's without markup, and what to do as lines: out of prose, HTML, links as JSON, and what says nothing.

HTML becomes line ends for blocks, numbers for lists, and links as `words (https://...)`. Only the tags that Defender's texts
have are read as tags; any other angle bracket stays, since a description may quote a command line. One pattern finds the tags
one by one, so a text of a megabyte takes as long as its length says, however it nests.

Defender writes a link into its portal as `{"kind": "openBlade", "displayValue": "Enforce rule", "extension": ...}`, which
has no address: its words are all that is told. Other kinds have one, several of them in one object
(`{"Kind": "MultiLink", "DisplayValueToUrlDictionary": {"Report": "https://..."}}`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from html import unescape
from html.entities import html5

from router.domain.readable import remembered
from router.domain.signals import Link

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
            if not is_end and (url := _find_href(attributes)) is not None:
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


def _find_href(attributes: str) -> str | None:
    found = _HREF.search(attributes)
    return _find_url(_characters(next(filter(None, found.groups()), ""))) if found else None


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


MOST_LINES = 200
"""Lines that stand by themselves; what follows stands in the last of them."""

_URLS = ("value", "url", "href", "link", "uri")
_NOTHING = frozenset({"", "n/a", "na", "none", "null", "not applicable", "not available", "-", "--"})
_MARKDOWN_LINK = re.compile(r"\[([^\[\]\n]{1,300})\]\((https?://[^\s()]{1,2000})\)")
_BOLD = re.compile(r"\*\*([^*\n]{1,300})\*\*")
_HEADING = re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+", re.MULTILINE)
_NUMBER = re.compile(r"(?<=\s)(\d{1,2})\.\s(?=\S)|\A(\d{1,2})\.\s(?=\S)")


def lines_of(steps: Iterable[str]) -> tuple[str, ...]:
    """The lines of some steps, of which none is blank and none says that there is nothing to say."""
    lines = [line for step in steps for line in _lines_in(step)]
    return (*lines[: MOST_LINES - 1], "\n".join(lines[MOST_LINES - 1 :])) if len(lines) > MOST_LINES else tuple(lines)


def links_in(text: str) -> list[Link]:
    """The links of a text that is links as JSON; none of any other text."""
    document = _find_document(text)
    return [link for link in _links_of(document) if link.url] if isinstance(document, dict) else []


@remembered  # Alerts of one type advise the same.
def _lines_in(step: str) -> tuple[str, ...]:
    document = _find_document(step)
    lines = _lines_of_prose(step) if document is None else _lines_of_items(document, step)
    return tuple(line for line in lines if not _says_nothing(line))


def _lines_of_items(document: object, step: str) -> Iterable[str]:
    parts = [_lines_for(item) for item in (document if isinstance(document, list) else [document])]
    if None in parts:  # JSON that is no link says what it says
        return [_one_line(step)]
    return (line for lines in parts if lines is not None for line in lines)


def _lines_for(item: object) -> list[str] | None:
    """The lines that one item of JSON tells; None where it is nothing that is known."""
    if isinstance(item, str):
        return list(_lines_of_prose(_sound(item)))
    if not isinstance(item, dict):
        return None if item else []
    links = _links_of(item)
    lines = [f"{link.text} ({link.url})" if link.url and link.url != link.text else link.text for link in links]
    return lines if lines or not item or _is_of_the_portal(item) else None


def _lines_of_prose(text: str) -> Iterator[str]:
    words = _BOLD.sub(r"\1", _MARKDOWN_LINK.sub(r"\1 (\2)", _HEADING.sub("", plain_text(text))))
    for line in words.splitlines():
        yield from _steps_in(line.strip())


def _steps_in(line: str) -> Iterator[str]:
    """The steps of a line that numbers them `1. ... 2. ...`, each for itself."""
    starts: list[int] = []
    for number in _NUMBER.finditer(line):
        if int(number[1] or number[2]) == len(starts) + 1:
            starts.append(number.start())
    if len(starts) < 2:
        starts = []
    for start, end in zip([0, *starts], [*starts, len(line)], strict=True):
        if step := line[start:end].strip():
            yield step


def _find_document(text: str) -> object:
    """The JSON list or object that a text is; None where it is none, or nests too deeply to be read."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _one_line(text: str) -> str:
    return " ".join(_sound(text).split())


def _sound(text: str) -> str:
    """A text without the halves of characters that JSON can write and UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _links_of(item: dict[str, object]) -> list[Link]:
    """The links of an object; one that has words and no address has only these."""
    fields = {name.lower(): value for name, value in item.items()}
    several = fields.get("displayvaluetourldictionary")
    if isinstance(several, dict):
        return [
            Link(text=_one_line(words) or url, url=url)
            for words, held in several.items()
            if isinstance(held, str) and (url := _find_url(held))
        ]
    words = next((one for name in ("displayvalue", "label") if isinstance(one := fields.get(name), str)), "")
    held = (one for name in _URLS if isinstance(one := fields.get(name), str))
    url = next(filter(None, map(_find_url, held)), "")
    words = _one_line(words) or url
    return [Link(text=words, url=url)] if words else []


def _find_url(text: str) -> str | None:
    found = _WEB.fullmatch(text.strip())
    return found[0] if found else None


def _is_of_the_portal(item: dict[str, object]) -> bool:
    kind = next((value for name, value in item.items() if name.lower() == "kind"), None)
    return isinstance(kind, str) and kind.lower() == "openblade"


def _says_nothing(line: str) -> bool:
    return line.strip(" .").lower() in _NOTHING
