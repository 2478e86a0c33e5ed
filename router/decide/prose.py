"""What a signal says, as a notice says it to people: without markup, with placeholders filled in, and with its links.

| written | becomes |
|---|---|
| `%{Name}` or `{Name}` that something is known for | that, on one line, of at most `LONGEST` characters |
| `%{Name}` that nothing is known for | `[Name]`, so that a reader sees that something is missing there |
| `{Name}` that nothing is known for, `${HOME}`, JSON, `%{http_code}` | stays: a command line that the text quotes may have it |

What is filled in is not looked at again, and no more is filled in than `MOST` times in one text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from router.decide.markup import lines_of, links_in, plain_text
from router.domain.evidence import Evidence, account_name_of, command_line_of, property_key
from router.domain.resources import parse_resource_id
from router.domain.signals import Alert, Link, Signal, sound_link

LONGEST = 300
"""Characters of what is filled in."""

MOST = 100
"""How often something is filled in in one text."""

type Find = Callable[[str], str | None]
"""Finds what is known for the key of a name."""

_PLACEHOLDER = re.compile(r"(?:%\{|(?<![$%{\\])\{)([A-Za-z][\w .\-/()]{0,99})\}(?!\})")
_IN_WORDS = re.compile(r"[A-Za-z0-9]+(?:[ -][A-Za-z0-9]+)*")


def key_of(name: str) -> str:
    """A name as placeholders and properties are compared: its letters and digits, whatever their case."""
    return "".join(filter(str.isalnum, name.casefold()))


def filled(text: str, find: Find) -> str:
    """A text with what its placeholders stand for."""
    if "{" not in text:
        return text
    left = MOST

    def words_for(placeholder: re.Match[str]) -> str:
        nonlocal left
        value = find(key_of(placeholder[1])) if left > 0 else None
        if value is not None and (words := " ".join(value.split())):
            left -= 1
            return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"
        is_ours = placeholder[0].startswith("%") and _IN_WORDS.fullmatch(placeholder[1])
        return f"[{placeholder[1]}]" if is_ours else placeholder[0]

    return _PLACEHOLDER.sub(words_for, text)


def unfilled(text: str) -> str:
    """A text with the names of its placeholders, and nothing that a message says for them."""
    return filled(text, lambda key: None)


MOST_LINKS = 20
"""Links that a notice has beside that of its page."""

LONGEST_LINK = 2_000
"""Characters of a link; a longer one is left out, since half a link leads nowhere."""

_REPORTS = "enrichment_"
"""How the names of properties begin in which Defender puts links to its reports, such as `enrichment_tas_threat__reports`."""

_INVESTIGATION = property_key("Investigation steps")
"""The property that says what to look at."""

_LONGEST_NAME = 200  # characters of what a link is called


class Prose(NamedTuple):
    """The texts of a notice.

    Attributes:
        title, description: as in `Notice`.
        remediation: what to do, line by line.
        links: the pages that the message names beside its page in the portal.
    """

    title: str
    description: str
    remediation: tuple[str, ...]
    links: tuple[Link, ...]


def prose_of(signal: Signal, evidence: Evidence) -> Prose:
    """The texts of a signal, of which the evidence is known.

    Markup goes first, so that nothing that is filled in is taken for markup.
    """
    words = _Words(signal, evidence)
    return Prose(
        title=filled(signal.title, words.find),
        description=filled(plain_text(signal.description), words.find),
        remediation=tuple(filled(line, words.find) for line in lines_of(_steps_of(signal))),
        links=tuple(_links_of(signal)),
    )


def _steps_of(signal: Signal) -> Iterator[str]:
    """What to look at, which some alerts say in a property, and then what to do."""
    for name, value in signal.extended.items():
        if property_key(name) == _INVESTIGATION and isinstance(value, str):
            yield value
    yield from signal.remediation


class _Words:
    """What placeholders stand for in one signal; looked up once one is met, for most texts have none."""

    def __init__(self, signal: Signal, evidence: Evidence) -> None:
        self._signal, self._evidence = signal, evidence
        self._known: dict[str, str] | None = None

    def find(self, key: str) -> str | None:
        """What a name stands for, by its key."""
        if self._known is None:
            self._known = dict(reversed([(key, value) for key, value in self._pairs() if key and value.strip()]))
        return self._known.get(key)

    def _pairs(self) -> Iterator[tuple[str, str]]:
        """Keys and values, what is said in so many words first: properties, the compromised entity, a single entity."""
        for name, value in self._signal.extended.items():
            if isinstance(value, str | int | float) and not isinstance(value, bool):
                yield key_of(name), str(value)
        compromised = self._signal.compromised_entity if isinstance(self._signal, Alert) else None
        if compromised:
            name = parse_resource_id(compromised).name or compromised
            yield from ((key, name) for key in _COMPROMISED)
        for field, keys in _ENTITIES.items():
            values: tuple[str, ...] = getattr(self._evidence, field)
            if len(values) == 1:  # of several it is not known which one is meant
                yield from ((key, self._name_in(field, values[0])) for key in keys)

    def _name_in(self, field: str, words: str) -> str:
        """What a text means by the only element of a list: an account or a process without what is known of it beside."""
        if field == "processes":
            return command_line_of(words, self._evidence.files)
        return account_name_of(words) if field == "accounts" else words


_COMPROMISED = ("compromisedentity", "compromisedhost")

_ENTITIES = {
    "hosts": ("compromisedhost", "host", "hostname", "machinename"),
    "accounts": ("account", "accountname", "user", "username"),
    "processes": ("commandline", "process", "processname", "processpath"),
    "files": ("file", "filename", "filepath"),
    "ips": ("ipaddress", "clientipaddress"),
    "pods": ("podname",),
    "namespaces": ("namespace",),
    "clusters": ("clustername",),
    "images": ("image", "containerimage"),
}
"""For each list of evidence the keys of what its only element may stand for."""


def _links_of(signal: Signal) -> list[Link]:
    """Its links that lead to a page, each address once: its extended links, then Defender's reports.

    No other property is looked at: an attacker can write many of them.
    """
    of_properties = (
        link
        for name, value in signal.extended.items()
        if name.lower().startswith(_REPORTS) and isinstance(value, str)
        for link in links_in(value)
    )
    found: dict[str, Link] = {}
    for link in (*signal.links, *of_properties):
        url = sound_link(link.url)
        if url is not None and len(url) <= LONGEST_LINK and url != signal.link:
            found.setdefault(url, Link(text=" ".join(link.text.split())[:_LONGEST_NAME] or url, url=url))
    return list(found.values())[:MOST_LINKS]
