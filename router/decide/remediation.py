"""What to do, as lines of plain text: out of prose, HTML, links as JSON, and what says nothing.

Defender writes a link into its portal as `{"kind": "openBlade", "displayValue": "Enforce rule", "extension": ...}`, which
has no address: its words are all that is told. Other kinds have one, several of them in one object
(`{"Kind": "MultiLink", "DisplayValueToUrlDictionary": {"Report": "https://..."}}`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from router.decide.markup import plain_text
from router.domain.signals import Link

MOST_LINES = 200
"""Lines that stand by themselves; what follows stands in the last of them."""

_URLS = ("value", "url", "href", "link", "uri")
_NOTHING = frozenset({"", "n/a", "na", "none", "null", "not applicable", "not available", "-", "--"})
_WEB = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_MARKDOWN_LINK = re.compile(r"\[([^\[\]\n]{1,300})\]\((https?://[^\s()]{1,2000})\)")
_BOLD = re.compile(r"\*\*([^*\n]{1,300})\*\*")
_HEADING = re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+", re.MULTILINE)
_NUMBER = re.compile(r"(?<=\s)(\d{1,2})\.\s(?=\S)|\A(\d{1,2})\.\s(?=\S)")


def lines_of(steps: Iterable[str]) -> tuple[str, ...]:
    """The lines of some steps, of which none is blank and none says that there is nothing to say."""
    lines = [line for step in steps for line in _lines_in(step) if not _says_nothing(line)]
    return (*lines[: MOST_LINES - 1], "\n".join(lines[MOST_LINES - 1 :])) if len(lines) > MOST_LINES else tuple(lines)


def links_in(text: str) -> list[Link]:
    """The links of a text that is links as JSON; none of any other text."""
    document = _find_document(text)
    return [link for link in _links_of(document) if link.url] if isinstance(document, dict) else []


def _lines_in(step: str) -> Iterator[str]:
    document = _find_document(step)
    if document is None:
        yield from _lines_of_prose(step)
        return
    items = document if isinstance(document, list) else [document]
    parts = [_lines_for(item) for item in items]
    if None in parts:  # JSON that is no link says what it says
        yield _one_line(step)
    else:
        yield from (line for lines in parts if lines is not None for line in lines)


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
