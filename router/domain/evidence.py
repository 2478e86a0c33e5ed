"""Evidence: what a signal says for a responder, and what values of extended properties say in words.

Defender names one thing in several ways (`Container image`, `containerImage`, `Container_Image`), so names of properties are
compared by their letters and digits alone, whatever the case. Values are texts; some hold JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from router.domain.readable import remembered
from router.domain.values import Value


class Evidence(Value, kw_only=True):
    """What a responder looks for first, out of a signal's entities and extended properties.

    The lists stand in the order in which a responder asks for them. Each is without repeats, what entities say before what
    properties say; what is known beside a name stands behind it in brackets.

    Attributes:
        secrets: names of what a vault holds; never a secret itself.
        processes: what the signal is about first: `path: command line (number), by account, child of image`.
        connections: source -> destination:port protocol, as far as it is known.
        others: what entities of other types name, behind their type.
    """

    hosts: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    workloads: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    kubernetes_objects: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
    storage_containers: tuple[str, ...] = ()
    blobs: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    attackers: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    threats: tuple[str, ...] = ()
    malware: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()
    registry_keys: tuple[str, ...] = ()
    registry_values: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    user_agents: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    mailboxes: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


_AROUND_A_COMMAND = re.compile(r"(?: \((?:0x[0-9a-f]+|\d+)\))?(?:, by [^,]+)?(?:, child of [^,]+)?\Z", re.IGNORECASE)
_NAMELESS = re.compile(r"process (?:0x[0-9a-f]+|\d+)", re.IGNORECASE)
_SID_BEHIND = re.compile(r" \(S-1-[0-9-]+\)\Z", re.IGNORECASE)


def command_line_of(process: str, files: Iterable[str]) -> str:
    """The command line, else the path, in the words for a process, as logs of other products have it; none of a bare number."""
    found = _AROUND_A_COMMAND.search(process)
    command = process[: found.start()] if found else process
    image = next((path for path in files if command.startswith(f"{path}: ")), None)
    return "" if _NAMELESS.fullmatch(command) else command.removeprefix(f"{image}: ") if image else command or process


def account_name_of(account: str) -> str:
    """The name in the words for an account, without a SID in brackets."""
    return _SID_BEHIND.sub("", account)


BOILERPLATE = "-"
"""What stands in place of a list for a name that says nothing to a responder, or what the notice says already."""

LONGEST = 4_000
"""Characters of one piece of evidence: a property may be as long as a message."""

CUT = "… [cut]"
"""What stands where a text was cut."""

_NOTHING = frozenset(
    {"", "-", "--", "n/a", "na", "none", "null", "undefined", "[]", "{}", "00000000-0000-0000-0000-000000000000"}
)
_NAME_OF_A_CLASS = re.compile(r"system\.(?:object|[a-z0-9.]+\[\]|collections\.[a-z0-9.]+`\d+\[.*\])")
"""What .NET writes for a value that has no text: the name of its class."""

_NOT_APPLICABLE = "n/a ("
"""How a value begins that says why it says nothing."""

_BEGINNINGS = frozenset(letter for text in (*_NOTHING, "system") if text for letter in (text[0], text[0].upper()))
"""The first characters of values that say nothing."""

_NUMBERED = frozenset({"processes"})
"""The lists in which a number names something; in any other it counts something, and belongs behind its own name."""

_DEPTH = 8
"""The most levels of a value that are put in words."""

_BOOKKEEPING = "$"
"""How the names of a serialiser's own begin."""

_LABEL, _TARGET, _LINKS = "displayvalue", "value", "displayvaluetourldictionary"
"""How Defender writes a link, and several, in lower case."""

_REFERENCE = {"title", "link"}
"""How scanners write a page that says more, in lower case."""


class PropertyTable(Value):
    """Which list of the evidence the values of a property belong to, by the property's name.

    Attributes:
        lists: the name of the list, or BOILERPLATE, by the key of a name (`property_key`); and by a name as it is written,
            where another name with the same key means something else.
    """

    lists: Mapping[str, str] = {}

    def find_list(self, name: str, value: str) -> str | None:
        """The list that a property belongs to, or BOILERPLATE; None where it belongs behind its own name."""
        if name.startswith(_BOOKKEEPING):
            return BOILERPLATE
        listed = self.lists.get(name) or self.lists.get(property_key(name))
        if listed is None or listed == BOILERPLATE:
            return listed
        is_count = value.strip().isdecimal() and listed not in _NUMBERED
        # Alerts of machines call the Windows domain of an account a domain name, too.
        is_bare = listed == "domains" and "." not in value
        return None if is_count or is_bare else listed


@remembered
def property_key(name: str) -> str:
    """A name as names are compared: its letters and digits, whatever their case."""
    return "".join(filter(str.isalnum, name.casefold()))


def text_of(extended: Mapping[str, object], key: str) -> str:
    """The text of the property with a name, given in lower case; empty where there is none."""
    value = next((value for name, value in extended.items() if name.lower() == key), None)
    return value.strip() if isinstance(value, str) else ""


def says_something(value: str) -> bool:
    """Whether a value says anything: it is not empty, `N/A`, `None`, a GUID of zeros, or the name of a class of .NET."""
    text = value.strip()
    if text and text[0] not in _BEGINNINGS:  # this is asked of every value of every entity, and most say something
        return True
    text = text.casefold()
    if text in _NOTHING or text.startswith(_NOT_APPLICABLE):
        return False
    return _NAME_OF_A_CLASS.fullmatch(text) is None


def items_in(value: str) -> tuple[str, ...]:
    """What a property's value says, in words: one text, or one for each element of a JSON list and each value in an object."""
    text = value.strip()
    document = _find_json(text) if text[:1] in ("{", "[") else None
    if document is None:
        return (text,) if says_something(text) else ()
    if isinstance(document, list):
        texts: Iterable[str] = (_words(item, _DEPTH) for item in document)
    else:
        texts = _facts_in(document, _DEPTH)
    return tuple(_writable(text) for text in texts if says_something(text))


def bounded(text: str) -> str:
    """A text of at most LONGEST characters, visibly cut where it was longer."""
    return text if len(text) <= LONGEST else text[: LONGEST - len(CUT)] + CUT


def _find_json(value: object) -> list[object] | dict[str, object] | None:
    """The list or object that a text holds; None where it holds none, or nests too deeply to be read."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return None
    try:
        document = json.loads(value, strict=False)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, list | dict) else None


def _words(value: object, depth: int) -> str:
    if depth and (document := _find_json(value)) is not None:
        value, depth = document, depth - 1
    match value:
        case str():
            return value.strip()
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case dict() if depth:
            return "; ".join(_facts_in(value, depth - 1))
        case list() if depth:
            return ", ".join(filter(says_something, (_words(item, depth - 1) for item in value)))
        case dict() | list() if value:
            return CUT
        case _:
            return ""


def _facts_in(value: Mapping[str, object], depth: int, path: str = "") -> Iterator[str]:
    """Each value in an object that says something, behind the names that lead to it: `properties.status.code: Unhealthy`."""
    lowered = {name.lower(): held for name, held in value.items()}
    if isinstance(links := lowered.get(_LINKS), dict):
        value = links
    elif (link := _find_link_words(lowered)) is not None:
        yield f"{path}: {link}" if path else link
        return
    for name, written in value.items():
        if name.startswith(_BOOKKEEPING):
            continue
        held, where = _find_json(written) or written, f"{path}.{name}" if path else name
        if isinstance(held, dict) and depth:
            yield from _facts_in(held, depth - 1, where)
        else:
            items = held if isinstance(held, list) and depth and any(isinstance(one, dict) for one in held) else [held]
            yield from (f"{where}: {words}" for one in items if says_something(words := _words(one, depth)))


def _find_link_words(lowered: Mapping[str, object]) -> str | None:
    """What an object says that is one link, as Defender or a scanner writes it."""
    if isinstance(label := lowered.get(_LABEL), str):
        target = lowered.get(_TARGET)
        return f"{label}: {target}" if isinstance(target, str) and "://" in target else label
    if lowered.keys() != _REFERENCE:
        return None
    texts = (held.strip() for name in ("title", "link") if isinstance(held := lowered.get(name), str))
    return ": ".join(filter(says_something, texts)) or None


def _writable(text: str) -> str:
    """The same with lone surrogates, which escapes inside JSON may hold, as U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
