"""What the items of the evidence name: the bare values, without the words that `router/parse/entity_facts.py` puts around them.

`/usr/bin/curl: curl -s http://x (0x5d1), by root, child of bash` names the command `curl -s http://x` and its image, and
`pool.example (198.51.100.23)` the domain `pool.example`. Where an item may be read in two ways, both are names, so
what is withheld is rather looked for too often.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

_PID = r" \((?:0[xX][0-9A-Fa-f]{1,16}|[0-9]{1,12})\)"
_BY = r"(?:, by [^,]{1,300}|, child of .*|, by [^,]{1,300}, child of .*)"
_PROCESS = re.compile(rf"(?P<itself>(?P<command>.*?)(?:{_PID})?){_BY}?", re.DOTALL)
_WITH_PID = re.compile(rf"(?P<itself>(?P<command>.*){_PID}){_BY}?", re.DOTALL)
_PARENT = re.compile(r", child of (?P<parent>.*)", re.DOTALL)
_PID_OF = re.compile(_PID)

_SLASH = re.compile(r"[/\\]")
_OF_A_PLACE = re.compile(r", | \(|\)")

_WORDS_OF_OURS = re.compile(r"( \(|\)|, by |, child of |, | on | -> |: )")
"""What stands between the parts of an item."""


def names_in(listed: str, item: str) -> tuple[str, ...]:
    """What an item of a list is called, the item itself first."""
    return _found(_NAMES, listed, item)


def values_in(listed: str, item: str) -> tuple[str, ...]:
    """What an item of a list is called, and what else of its list it mentions, as a process its parent."""
    return tuple(dict.fromkeys((*names_in(listed, item), *_found(_MENTIONED, listed, item))))


def _found(finders: Mapping[str, Callable[[str], Iterator[str]]], listed: str, item: str) -> tuple[str, ...]:
    find = finders.get(listed)
    found = (item, *(find(item) if find is not None else ()))
    return tuple(dict.fromkeys(name.strip() for name in found if name.strip()))


def with_parts(item: str, change: Callable[[str], str]) -> str:
    """An item in which each part, between the words that are ours, is what `change` makes of it."""
    parts = _WORDS_OF_OURS.split(item)
    return "".join(part if number % 2 else change(part) for number, part in enumerate(parts))


def _before_brackets(item: str) -> Iterator[str]:
    yield item.partition(" (")[0]


def _all_in_brackets(item: str) -> Iterator[str]:
    """The name before the brackets, and what else it is called in them."""
    name, _, more = item.partition(" (")
    yield name
    yield from more.removesuffix(")").split(", ")


def _behind_colon(item: str) -> Iterator[str]:
    yield item.partition(": ")[2]


def _processes(item: str) -> Iterator[str]:
    for form in (_PROCESS, _WITH_PID):
        if found := form.fullmatch(item):
            yield from (found["itself"], *_names_of_command(found["command"]))


def _names_of_command(command: str) -> Iterator[str]:
    """A command line, and the image that stands before it where the line does not name it."""
    yield command
    image, colon, line = command.partition(": ")
    if colon and _SLASH.search(image):
        yield from (line, image, *_files(image))
    elif " " not in command:
        yield from _files(command)


def _parents(item: str) -> Iterator[str]:
    if found := _PARENT.search(item):
        yield from (found["parent"], _PID_OF.sub("", found["parent"]))


def _accounts(item: str) -> Iterator[str]:
    yield item.rpartition("\\")[2]
    yield item.partition("@")[0]


def _hosts(item: str) -> Iterator[str]:
    label = item.partition(".")[0]
    if not label.isdecimal():
        yield label


def _files(item: str) -> Iterator[str]:
    yield _SLASH.split(item)[-1]


def _locations(item: str) -> Iterator[str]:
    where = item.partition(": ")[2] or item
    yield from (where, *_OF_A_PLACE.split(where))


def _threats(item: str) -> Iterator[str]:
    said = item.partition(": ")[2]
    what, *more = said.split(". ")
    yield from (what, what.partition(" (")[0], *more)


def _hashes(item: str) -> Iterator[str]:
    yield item.partition(":")[2]


def _registry_keys(item: str) -> Iterator[str]:
    yield item.partition("\\")[2]


def _registry_values(item: str) -> Iterator[str]:
    name, _, data = item.partition(" = ")
    yield from (name, data, name.rpartition("\\")[2])


def _connections(item: str) -> Iterator[str]:
    source, _, destination = item.partition(" -> ")
    yield from (source, destination, destination.partition(" ")[0])


def _emails(item: str) -> Iterator[str]:
    way, _, subject = item.partition(": ")
    yield from (*way.split(" -> "), subject, *_before_brackets(subject), *_before_brackets(item))


_NAMES: Mapping[str, Callable[[str], Iterator[str]]] = {
    "processes": _processes,
    "commands": _processes,
    "accounts": _accounts,
    "attackers": _before_brackets,
    "ips": _before_brackets,
    "hosts": _hosts,
    "files": _files,
    "blobs": _files,
    "domains": _before_brackets,
    "malware": _before_brackets,
    "hashes": _hashes,
    "registry_keys": _registry_keys,
    "sessions": _before_brackets,
    "applications": _all_in_brackets,
    "devices": _all_in_brackets,
    "mailboxes": _all_in_brackets,
    "resources": _before_brackets,
    "others": _behind_colon,
}
"""What finds the names in the items of a list; items of the other lists have no words of ours."""

_MENTIONED: Mapping[str, Callable[[str], Iterator[str]]] = {
    "processes": _parents,
    "commands": _parents,
    "locations": _locations,
    "threats": _threats,
    "registry_values": _registry_values,
    "connections": _connections,
    "emails": _emails,
}
"""What finds what else the items of a list say, which other items may say as well."""
