"""Finds what a responder looks for first in a signal's entities and extended properties."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from router.domain.catalogue import Catalogue
from router.domain.entities import Entity
from router.domain.evidence import Evidence
from router.domain.properties import BOILERPLATE, PropertyTable, bounded, items_in, says_something
from router.domain.signals import Kind, Signal
from router.parse.entity_facts import EvidenceItem, facts_of

MOST = 50
"""The most elements of each list; where there are more, the last one says how many."""

_LISTS_OF_NAMES = frozenset({"hosts", "attackers", "ips", "domains"})
"""The lists whose elements hold no comma, so that a comma stands between two."""

_ADDRESSES = frozenset({"attackers", "ips"})
_LABEL = "ip address:"
"""What stands before an address in some alerts of the network layer."""

_ALSO_IN: Mapping[str, str] = {"commands": "processes"}
"""The list of entities that says what a list of properties says, too."""


def evidence_of(signal: Signal, catalogue: Catalogue) -> Evidence:
    """The evidence in a signal: what its entities say, in the order in which they are met, then what its properties add."""
    lists: dict[str, dict[str, None]] = {}
    said: dict[str, set[str]] = {}
    for entity in signal.entities:
        for fact in facts_of(entity):
            words = lists.setdefault(fact.listed, {})
            if fact.words not in words:
                words[fact.words] = None
                said.setdefault(fact.listed, set()).update(_names_in(fact))
    for fact in _facts_of_properties(signal.extended, catalogue.properties):
        name = fact.words.casefold()
        known = said.setdefault(fact.listed, set())
        if name not in known and name not in said.get(_ALSO_IN.get(fact.listed, ""), ()):
            known.add(name)
            is_bare_number = fact.listed == "processes" and _is_number(name)
            lists.setdefault(fact.listed, {})[f"({fact.words})" if is_bare_number else fact.words] = None
    return Evidence(**{name: _bounded(words) for name, words in lists.items()})


def _names_in(fact: EvidenceItem) -> list[str]:
    """How a property may say what a fact says. What nobody would read there is not said: it is evidence of its own."""
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
    ids = alert.get("SystemAlertIds") or alert.get("SystemAlertId")
    return [id for id in (ids if isinstance(ids, list) else [ids]) if isinstance(id, str) and id]


def _facts_of_properties(extended: Mapping[str, object], table: PropertyTable) -> Iterator[EvidenceItem]:
    for name, held in extended.items():
        value = str(held)
        listed = table.find_list(name, value)
        if listed is None or listed == BOILERPLATE:
            continue
        for item in items_in(value):
            for text in _names_between_commas(listed, item) if listed in _LISTS_OF_NAMES else (item,):
                yield EvidenceItem(listed, text)


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
