"""What each place makes of a text, and how an alert's words are kept from being more than words there.

An attacker who owns a host chooses much of what an alert says: names, command lines, paths. A notice is put into the
language of its destination as a whole, where the kind takes it up (`OneByOne.notice_in`), so that no field is forgotten:

| language | spoken by | what is done |
|---|---|---|
| `plain` | Jira, PagerDuty, webhooks: texts stand in nodes, or in JSON | what acts is shown as its number |
| `html` | JSM Operations | the same; a blank behind a `<` or `&` that would open a tag or `&#x202e;` |
| `journal` | ServiceNow | the same; a parenthesis for the bracket of `[code]` and `@[...]` |
| `mrkdwn` | Slack | the three signs that Slack asks to be escaped |
| `markdown` | Teams | a backslash before what means something in CommonMark |

The last two make a text longer sign by sign, so kinds use them where they cut it. Rows (`file`, `log_analytics`, `splunk_hec`)
carry data and not words: a file's name is searched for as it is. `json_bytes` lets none of it act on a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import replace
from functools import cache
from importlib.resources import files
from itertools import compress
from typing import Any
from unicodedata import normalize

from msgspec.structs import astuple

from router.destinations.wording.turns import made_once
from router.domain.notices import Notice
from router.domain.readable import legible, one_line, remembered
from router.domain.signals import sound_link as sound_link
from router.domain.values import Value


@cache
def read_table(path: str) -> dict[str, Any]:
    """A table of data in TOML beside the code. It is a part of the program, and read when it is first asked for."""
    import tomllib  # for which no start waits

    return tomllib.loads(files("router.destinations").joinpath(path).read_text(encoding="utf-8"))


OURS = frozenset({"key", "owner", "recipient"})
"""The fields of a notice that say nothing of an alert's, and that vendors and settings know word for word."""


type Make = Callable[[str], str]
"""Makes another text of one."""


def with_texts(value: Any, change: Make, by_field: Mapping[str, Callable[[Any], Any]] = {}) -> Any:
    """A value in which each text is what `change` makes of it, but for those that are ours; itself where nothing changes.

    `by_field` says what makes the value's own fields of a name instead.
    """
    # A notice has a hundred lists, most of them empty, and goes through here for each language.
    kind: Any = type(value)
    if kind is str:
        return change(value)
    if not value or kind is bool or kind is int:
        return value
    if isinstance(value, Value):
        changed, held = {}, astuple(value)
        for name, before in compress(zip(value.__struct_fields__, held, strict=True), held):
            if name in OURS:
                continue
            make = by_field.get(name) or (change if type(before) is str else None)
            after = make(before) if make is not None else with_texts(before, change)
            if after is not before:
                changed[name] = after
        return replace(value, **changed) if changed else value
    if kind is tuple:
        made: Any = tuple([change(item) if type(item) is str else with_texts(item, change) for item in value])
    elif isinstance(value, Mapping):
        made = {change(name): with_texts(item, change) for name, item in value.items()}
    else:
        return value
    return value if made == value else made


_TAG_OPENS = re.compile(r"<(?=[A-Za-z/!?]|\Z)")
# Behind the name or number of a character a reader is shown the character: one that turns the direction of reading, too.
_REFERENCE_OPENS = re.compile(r"&(?=#|[A-Za-z][A-Za-z0-9]*(?:;|\Z)|\Z)")
_BRACKET = re.compile(r"[\[\uff3b\ufe47]")
_CODE = re.compile(r"\s*/?\s*code")
_FAR_ENOUGH = 32  # characters behind a bracket in which a tag shows that it is one
_CALLS = ("@", "\uff20", "\ufe6b")

_MRKDWN = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}
_MARKDOWN = {ord(sign): f"\\{sign}" for sign in "\\`*_[]<>~"}
_INDENT = re.compile(r"^ +", re.MULTILINE)
_OPENS_A_BLOCK = re.compile(r"^(?:(\d+)(?=[.)])|(?=[-+#=]))", re.MULTILINE)


def plain(text: str) -> str:
    """Words alone."""
    return legible(text)


def html(text: str) -> str:
    """Words in which no `<` opens a tag and no `&` names a character, wherever the text ends up standing."""
    return _REFERENCE_OPENS.sub("& ", _TAG_OPENS.sub("< ", legible(text)))


def journal(text: str) -> str:
    """Words for any column of ServiceNow."""
    return without_code(html(text))


def without_code(text: str) -> str:
    """A text in which no bracket opens `[code]`, behind which a journal shows HTML, nor a mention `@[...]`.

    Also for texts that were put together of several: what was no tag in any of them can be one in the whole.
    """
    return _BRACKET.sub(_unless_it_opens, text)


def _unless_it_opens(bracket: re.Match[str]) -> str:
    text, start, end = bracket.string, bracket.start(), bracket.end()
    words = normalize("NFKC", text[end : end + _FAR_ENOUGH]).casefold()
    return "(" if _CODE.match(words) or text.endswith(_CALLS, 0, start) else bracket[0]


def mrkdwn(text: str) -> str:
    """A text in which Slack finds no mention and no link."""
    return text.translate(_MRKDWN)


def markdown(text: str) -> str:
    """A text in which CommonMark finds nothing but paragraphs of it."""
    words = _REFERENCE_OPENS.sub(r"\\&", _INDENT.sub("", text).translate(_MARKDOWN))
    return _OPENS_A_BLOCK.sub(r"\1\\", words)


@made_once
def in_language(notice: Notice, language: Make) -> Notice:
    """A notice whose every text is words in a language, all on one line but for prose; its links are sound ones, or none."""

    on_one_line = _one_line_in(language)
    # Prose, and the values of properties, may have several lines.
    apart = {
        "description": language,
        "remediation": lambda steps: tuple(map(language, steps)),
        "runbooks": lambda addresses: addresses,
        "link": sound_link,
        "links": lambda links: tuple(replace(one, text=on_one_line(one.text)) for one in links if sound_link(one.url)),
        "extended": lambda extended: {on_one_line(name): language(value) for name, value in extended.items()},
    }
    told: Notice = with_texts(notice, on_one_line, apart)
    return told


@cache
def _one_line_in(language: Make) -> Make:
    return remembered(lambda text: language(one_line(text)))


def web_link(link: str | None) -> str | None:
    """A link as data: whatever it is, as long as it leads to a web page; else None."""
    return link if link is not None and link.casefold().startswith(("https://", "http://")) else None
