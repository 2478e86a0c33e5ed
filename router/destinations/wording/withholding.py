"""What a destination never gets: properties and lists of evidence by name, and what an AI was asked.

A property or a list that is withheld is also not told where the notice repeats it: where a list has it as a whole item, and
where a text quotes it, as a description does that Defender filled in. What is looked for are the bare values, without the words
that `router/parse/entity_facts.py` puts around them: `/usr/bin/curl: curl -s http://x (0x5d1), by root` names the command
`curl -s http://x` and its image. Where an item may be read in two ways, both are names.

Prompts, answers and what end users are called may stand in any text of an alert about AI. Defender does not say in which:
https://learn.microsoft.com/azure/defender-for-cloud/ai-onboarding#enable-user-prompt-evidence
So most kinds get only an outline of it: what Defender calls it, how grave it is, where, whose, and our links.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from copy import replace
from functools import cache
from html import escape
from typing import Any
from urllib.parse import quote

from msgspec.structs import asdict

from router.destinations.wording.escaping import read_table, with_texts
from router.destinations.wording.masking import masked_notice
from router.destinations.wording.turns import made_once
from router.domain.evidence import CUT, Evidence, items_in, property_key
from router.domain.notices import Group, Notice, is_about_ai
from router.domain.rulebook import BY_TAG
from router.domain.values import Value

_PID = r" \((?:0[xX][0-9A-Fa-f]{1,16}|[0-9]{1,12})\)"
_BY = r"(?:, by [^,]{1,300}|, child of .*|, by [^,]{1,300}, child of .*)"
_PROCESS = re.compile(rf"(?P<itself>(?P<command>.*?)(?:{_PID})?){_BY}?", re.DOTALL)
_WITH_PID = re.compile(rf"(?P<itself>(?P<command>.*){_PID}){_BY}?", re.DOTALL)
_SLASH = re.compile(r"[/\\]")

_WORDS_OF_OURS = re.compile(r"( \(|\)|, by |, child of |, | on | -> |: )")
"""What stands between the parts of an item."""


@cache
def _parting(names: str, listed: str) -> tuple[re.Pattern[str], ...]:
    """What parts the items of a list into names: those that `withholding.toml` has under `names` or `mentioned`."""
    patterns = read_table("wording/withholding.toml")[names].get(listed, ())
    return tuple(re.compile(pattern, re.DOTALL) for pattern in patterns)


@cache
def _fields(of: str) -> frozenset[str]:
    return frozenset(read_table("wording/withholding.toml")["fields"][of])


def names_in(listed: str, item: str) -> tuple[str, ...]:
    """What an item of a list is called, the item itself first."""
    processes = _processes(item) if listed in ("processes", "commands") else ()
    return _each_once(item, *processes, *_parts(_parting("names", listed), item))


def values_in(listed: str, item: str) -> tuple[str, ...]:
    """What an item of a list is called, and what else of its list it mentions, as a process its parent."""
    return _each_once(*names_in(listed, item), *_parts(_parting("mentioned", listed), item))


def _parts(patterns: Iterable[re.Pattern[str]], item: str) -> Iterator[str]:
    return (part for pattern in patterns for part in pattern.split(item))


def _each_once(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def _processes(item: str) -> Iterator[str]:
    """A process as it was told, its command line, and the image that stands before it where the line does not name it."""
    for form in (_PROCESS, _WITH_PID):
        if found := form.fullmatch(item):
            yield found["itself"]
            yield (command := found["command"])
            image, colon, line = command.partition(": ")
            if colon and _SLASH.search(image):
                yield from (line, image, _SLASH.split(image)[-1])
            elif " " not in command:
                yield _SLASH.split(command)[-1]


WITHHELD = "[withheld]"  # what stands where a text quotes what is withheld

_SHORTEST = 4  # characters of what is looked for within texts: less stands in too many words
_LONGEST_QUOTED = (
    200  # characters that a text quotes for certain of a value that it quotes at all: placeholders cut longer ones
)
_PARTS = re.compile(r"[,;\n]")


def withheld_from(notice: Notice, names: Collection[str]) -> Notice:
    """A notice without the properties and lists of these names, by letters and digits, and without what they say."""
    if not names:
        return notice
    lists = [name for name in notice.evidence.__struct_fields__ if property_key(name) in names]
    properties = {name: value for name, value in notice.extended.items() if property_key(name) in names}
    values = [
        *(name for listed in lists for item in getattr(notice.evidence, listed) for name in values_in(listed, item)),
        *(name for value in properties.values() for name in _names_in_property(value)),
    ]
    kept = {name: value for name, value in notice.extended.items() if name not in properties}
    left = replace(notice, evidence=replace(notice.evidence, **dict.fromkeys(lists, ())), extended=kept)
    return _without_values(left, _Values.of(values))


class _Values(Value):
    """What is looked for in a notice.

    `whole` are the values that no item, property or part of an item may be, as items are compared; `quotes` find a value within
    a text, the longest first, each with a word in lower case that stands in the value.
    """

    whole: frozenset[str]
    quotes: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, values: Iterable[str]) -> _Values:
        found = list(dict.fromkeys(value.strip() for value in values if value.strip()))
        whole = {name_of_item(part) for value in found for part in (value, *_PARTS.split(value)) if part.strip()}
        quotes = {quoted for value in found for form in _forms_of(value) for quoted in _quotes_of(form)}
        return cls(frozenset(whole), tuple(sorted(quotes, key=lambda quoted: (-len(quoted[1]), quoted))))

    def is_whole(self, text: str) -> bool:
        """Whether a text is nothing but a value."""
        return name_of_item(text) in self.whole

    def unquoted(self, text: str) -> str:
        """A text with a mark in place of every value that it quotes."""
        lowered = text.lower()
        # Most values stand in few texts, so few patterns are ever made.
        found = [pattern for word, pattern in self.quotes if word in lowered]
        return re.sub("|".join(found), WITHHELD, text, flags=re.IGNORECASE) if found else text


def _names_in_property(value: str) -> Iterator[str]:
    """A property's value, and each name where it is a list of names."""
    yield value
    items = items_in(value)
    if len(items) > 1:
        yield from items
    parts = [part.strip() for part in _PARTS.split(value)]
    if len(parts) > 1 and not any(re.search(r"\s", part) for part in parts):
        yield from parts


def _forms_of(value: str) -> Iterator[str]:
    """The forms in which a text may quote a value: as it is, in JSON, in HTML, and in an address."""
    if len(value) >= _SHORTEST:
        yield from (value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], escape(value))
        yield from (escape(value, quote=False), quote(value, safe=""), quote(value))


def _quotes_of(form: str) -> Iterator[tuple[str, str]]:
    """A word of a form, with what finds the form in a text, whatever blanks stand between its words; or a quote cut short."""
    # Evidence is cut with one mark, and what waits in a group with another.
    is_cut = form.endswith((CUT, "…"))
    words = form.removesuffix(CUT).rstrip("…").split()
    one_line = " ".join(words)
    if words and not is_cut:
        yield _quote(words, "")
    if is_cut or len(one_line) > _LONGEST_QUOTED:
        yield _quote(one_line[:_LONGEST_QUOTED].split(), r"(?s:.*)" if form.endswith(CUT) else r"[^\n…]*…?")


def _quote(words: list[str], behind: str) -> tuple[str, str]:
    return max(words, key=len).lower(), r"\s+".join(map(re.escape, words)) + behind


def _without_values(notice: Notice, values: _Values) -> Notice:
    if not values.whole:
        return notice
    unquoted, is_whole = values.unquoted, values.is_whole

    def cleared(value: Any) -> Any:
        if isinstance(value, tuple):
            value = tuple(item for item in value if not (isinstance(item, str) and is_whole(item)))
        return with_texts(value, unquoted)

    extended = {unquoted(name): unquoted(value) for name, value in notice.extended.items() if not is_whole(value)}
    apart = {
        **dict.fromkeys(notice.__struct_fields__, cleared),
        **dict.fromkeys(_fields("identity"), lambda value: value),
        "evidence": lambda evidence: Evidence(
            **{
                name: tuple(_item_without(one, values) for one in held if not any(map(is_whole, names_in(name, one))))
                for name, held in asdict(evidence).items()
            }
        ),
        "group": lambda group: _group_without(group, values, cleared),
        "extended": lambda _: extended,
        "unlisted": lambda names: tuple(name for name in map(unquoted, names) if name in extended),
        "compromised_entity": lambda entity: None if is_whole(entity) else unquoted(entity),
        "link": lambda link: link if unquoted(link) == link else None,
        "links": lambda links: tuple(
            replace(one, text=unquoted(one.text)) for one in links if unquoted(one.url) == one.url
        ),
    }
    left: Notice = with_texts(notice, unquoted, apart)
    return left


def _item_without(item: str, values: _Values) -> str:
    """An item without the values that it quotes, and those that stand between the words that are ours."""
    parts = _WORDS_OF_OURS.split(values.unquoted(item))
    return "".join(WITHHELD if not at % 2 and values.is_whole(part) else part for at, part in enumerate(parts))


def _group_without(group: Group, values: _Values, cleared: Callable[[Any], Any]) -> Group:
    by = tuple((name, _item_without(value, values)) for name, value in group.by if not values.is_whole(value))
    named = tuple(
        replace(
            one, title=cleared(one.title), place=cleared(one.place) if not values.is_whole(one.place or "") else None
        )
        for one in group.named
    )
    return replace(group, by=by, named=named)


def name_of_item(text: str) -> str:
    """An item of a list as it is compared: on one line, in whatever case."""
    return " ".join(text.split()).casefold()


OUTLINE = "What else this alert says may quote prompts, answers and end users. It stands in Defender, and is not repeated here."
"""What stands for the description of an alert about AI where it is told in outline."""


def outline_of(notice: Notice) -> Notice:
    """A notice that says what an alert is, how grave, where, since when and whose, with our links, and no more."""
    group = notice.group
    if group is not None:
        group = replace(group, by=outline_of_alike(group.by))
    return Notice(description=OUTLINE, group=group, **{name: getattr(notice, name) for name in _fields("outline")})


def outline_of_alike(by: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """What the members of a group have in common, without what may be an entity."""
    return tuple((name, value) for name, value in by if name in _fields("alike") or name.startswith(BY_TAG))


@made_once
def disclosed(notice: Notice, withheld: frozenset[str], *, has_ai_whole: bool) -> Notice:
    """A notice as it may be told: of an alert about AI an outline, unless all is told; withheld first, then masked."""
    told = notice if has_ai_whole or not is_about_ai(notice) else outline_of(notice)
    return masked_notice(withheld_from(told, withheld))
