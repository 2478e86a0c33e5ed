"""Finds what a responder looks for first in a signal's entities and extended properties."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from router.domain.catalogue import Catalogue
from router.domain.entities import Entity
from router.domain.evidence import BOILERPLATE, Evidence, PropertyTable, bounded, items_in, property_key, says_something
from router.domain.signals import Kind, Signal
from router.parse.entity_facts import EvidenceItem, facts_of, path_of

_LONGEST_CHAIN = 20
"""Parents that are followed up from a process; a chain may refer to itself."""

_NAMING = frozenset({
    "commandline", "processid", "processname", "processpath", "suspiciouscommand", "suspiciouscommandline",
    "suspiciousprocess", "suspiciousprocessid", "suspiciousprocessname", "suspiciousprocesspath",
})  # fmt: skip
"""The properties in which alerts name the process that they are about."""


def sort_processes(processes: Sequence[Entity], extended: Mapping[str, object]) -> list[Entity]:
    """Processes in the order in which people need them; those that are known by their number alone come last.

    First is what the properties name most often, then what started nothing else before its parents, and among these what has
    a command line before what has none.
    """
    if len(processes) < 2:
        return list(processes)
    values = (str(value) for name, value in extended.items() if property_key(name) in _NAMING)
    named = frozenset(text.strip().casefold() for text in values if says_something(text))
    heights = _heights_of(processes)

    def rank(process: Entity) -> tuple[bool, int, int, bool, bool]:
        image, command = process.find("imagefile"), process.text("commandline")
        path = path_of(image) if image else None
        names = (command, process.text("processid"), path, image.text("name") if image else None)
        told = {name.strip().casefold() for name in names if name}
        is_whole = process.find("account") is not None or process.find("parentprocess") is not None
        return not (command or path), -len(told & named), heights.get(process, 0), not command, not is_whole

    return sorted(processes, key=rank)


def _heights_of(processes: Iterable[Entity]) -> Mapping[Entity, int]:
    """For each process that is a parent, over how many generations it is one."""
    heights: dict[Entity, int] = {}
    for process in processes:
        parent = process.find("parentprocess")
        for height in range(1, _LONGEST_CHAIN + 1):
            if parent is None or parent == process:
                break
            heights[parent] = max(height, heights.get(parent, 0))
            parent = parent.find("parentprocess")
    return heights


MOST = 50
"""The most elements of each list; where there are more, the last one says how many."""

_LISTS_OF_NAMES = frozenset({"hosts", "attackers", "ips", "domains"})
"""The lists whose elements hold no comma, so that a comma stands between two."""

_NUMBER = re.compile(r"process (?:0x[0-9a-f]+|\d+)(?:,|$)", re.IGNORECASE)
"""How a process begins of which only the number is known."""

_SID = re.compile(r"S-1-\d+(?:-\d+)*", re.IGNORECASE)
"""What Windows calls an account by that has no name."""

_REPORT, _THREAT_REPORT = "Report: ", "Threat report: "
"""How Defender calls its reports on threats, and how they are told among other things that are known of threats."""

_OBJECTS = "kubernetes_objects"
_ADDRESSES = frozenset({"attackers", "ips"})
_LABEL = "ip address:"
"""What stands before an address in some alerts of the network layer."""

_ALSO_IN: Mapping[str, str] = {"commands": "processes"}
"""The list of entities that says what a list of properties says, too."""


def evidence_of(signal: Signal, catalogue: Catalogue) -> Evidence:
    """The evidence in a signal: what its entities say, in the order in which they are met, then what its properties add."""
    facts = _facts_of_entities(signal)
    lists = {listed: dict.fromkeys([fact.words for fact in some]) for listed, some in facts.items()}
    said: dict[str, set[str]] = {}
    for listed, text in _facts_of_properties(signal.extended, catalogue.properties):
        name, also = text.casefold(), _ALSO_IN.get(listed, listed)
        for one in (listed, also):
            if one not in said:
                said[one] = {name for fact in facts.get(one, ()) for name in _names_in(fact)}
        if name not in said[listed] and name not in said[also]:
            said[listed].add(name)
            is_bare_number = listed == "processes" and _is_number(name)
            lists.setdefault(listed, {})[f"process {text}" if is_bare_number else text] = None
    if accounts := lists.get("accounts"):
        lists["accounts"] = dict.fromkeys(_accounts_once(accounts, signal))
    if (processes := lists.get("processes")) and len(processes) > 1:
        lists["processes"] = dict.fromkeys(sorted(processes, key=lambda words: _NUMBER.match(words) is not None))
    return Evidence(**{name: _bounded(words) for name, words in lists.items()})


def _facts_of_entities(signal: Signal) -> dict[str, list[EvidenceItem]]:
    """What entities say, by the list that it belongs to; processes stand in an order of their own in their places."""
    entities = list(signal.entities)
    processes = [entity for entity in entities if entity.type == "process"]
    in_order = iter(sort_processes(processes, signal.extended))
    facts: dict[str, list[EvidenceItem]] = {}
    known: set[str] = set()
    for entity in entities:
        for fact in facts_of(next(in_order) if entity.type == "process" else entity):
            if fact.listed == "processes" and len(processes) > 1:
                # The same process may stand there twice, once without who ran it, or by its number alone.
                if fact.words.casefold().removeprefix("process ") in known:
                    continue
                known.update(_names_in(fact))
            facts.setdefault(fact.listed, []).append(fact)
    return facts


def _accounts_once(accounts: Iterable[str], signal: Signal) -> list[str]:
    """Accounts, each SID in brackets behind the name that it stands for, where there is one."""
    told = dict.fromkeys(accounts)
    sids = [words for words in told if _SID.fullmatch(words)]
    owners = _owners_of_sids(signal) if sids else {}
    behind: dict[str, str] = {}
    for sid in sids:
        owner = owners.get(sid.casefold())
        if owner in told:
            behind.setdefault(owner, sid)
    hidden = set(behind.values())
    return [f"{words} ({behind[words]})" if words in behind else words for words in told if words not in hidden]


def _owners_of_sids(signal: Signal) -> Mapping[str, str]:
    """The names of accounts by their SIDs: of entities that have both, else of the properties that name a user."""
    properties = {property_key(name): str(value).strip() for name, value in signal.extended.items()}
    owners = {properties.get("usersid", "").casefold(): properties.get("username", "")}
    for account in signal.entities.of_type("account"):
        if (sid := account.text("sid")) and (facts := facts_of(account)) and not _SID.fullmatch(facts[0].words):
            owners[sid.strip().casefold()] = facts[0].words
    return owners


def _names_in(fact: EvidenceItem) -> list[str]:
    """Return how a property may name the same fact. A name that the fact does not show is evidence of its own."""
    words = fact.words.casefold()
    names = [name.casefold() for name in fact.names]
    # The file of a process stands in a list of its own.
    return [words, *(names if fact.listed == "processes" else [name for name in names if name in words])]


def alerts_named_in(signal: Signal) -> tuple[str, ...]:
    """The ids of the alerts that an incident names; none for any other signal, which speaks for itself only."""
    if signal.kind is not Kind.INCIDENT:
        return ()
    ids = (id for entity in signal.entities if entity.type in _ALERTS for id in _alert_ids(entity))
    return tuple(dict.fromkeys(ids))


_ALERTS = frozenset({"alert", "securityalert"})
"""The types under which an incident names its alerts, with their ids in a list as msticpy's Alert entity has them:
https://msticpy.readthedocs.io/en/latest/api/msticpy.datamodel.entities.alert.html"""


def _alert_ids(alert: Entity) -> Iterable[str]:
    ids = alert.get("systemalertids") or alert.get("systemalertid")
    return [id for id in (ids if isinstance(ids, list) else [ids]) if isinstance(id, str) and id]


def _facts_of_properties(extended: Mapping[str, object], table: PropertyTable) -> Iterator[tuple[str, str]]:
    found: list[tuple[str, str, str]] = []
    for name, held in extended.items():
        value = str(held)
        if (listed := table.find_list(name, value)) is not None and listed != BOILERPLATE:
            found.append((name, value, listed))
    for _, value, listed in _with_objects_joined(found):
        for item in items_in(value):
            if listed == "threats" and item.startswith(_REPORT):
                item = f"{_THREAT_REPORT}{item.removeprefix(_REPORT)}"
            for text in _names_between_commas(listed, item) if listed in _LISTS_OF_NAMES else (item,):
                yield listed, text


def _with_objects_joined(found: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Return properties with the type and the name of one Kubernetes object as one value, in the place of the first."""
    objects = {property_key(name): place for place, (name, _, listed) in enumerate(found) if listed == _OBJECTS}
    type, name = objects.get("resourcetype"), objects.get("resourcename")
    if type is None or name is None or not (says_something(found[type][1]) and says_something(found[name][1])):
        return found
    joined = (found[type][0], f"{found[type][1].strip()}: {found[name][1].strip()}", _OBJECTS)
    return [joined if place == type else one for place, one in enumerate(found) if place != name]


def _names_between_commas(listed: str, item: str) -> Iterator[str]:
    for part in item.split(","):
        text = part.strip()
        if listed in _ADDRESSES and text.casefold().startswith(_LABEL):
            text = text[len(_LABEL) :].strip()
        if says_something(text):
            yield text


def _is_number(text: str) -> bool:
    """Whether a text is the number of a process, as decimal or hexadecimal digits."""
    return text.isdecimal() or (text.startswith("0x") and text[2:].isalnum())


def _bounded(words: Iterable[str]) -> tuple[str, ...]:
    every = tuple(map(bounded, words))
    if len(every) <= MOST:
        return every
    return (*every[: MOST - 1], f"... and {len(every) - MOST + 1} more")
