"""Attack paths, in both shapes of their properties: Defender CSPM's own, and Exposure Management's.

https://learn.microsoft.com/azure/defender-for-cloud/attack-path-api describes the older shape only. In the newer one the two
ends of a path, its risk factors and its tactics are objects or plain names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from router.domain.catalogue import Catalogue
from router.domain.resources import is_guid, parse_resource_id
from router.domain.signals import Finding, Kind
from router.parse.arm import entities_for, posture_in, steps_for
from router.parse.cves import find_severity
from router.parse.fields import Fields, fields_in, items_in, labels_in, name_in, names_in, text_in, texts_in

MOST_WORDS = 50
"""Risk factors, and names of either end, that an attack path keeps."""


def read_attack_path(fields: Fields, _: Catalogue) -> Finding:
    """The attack path; its resource is the target, else the entry point, else the name of either."""
    posture = posture_in(fields)
    properties = posture.properties
    title = text_in(properties, "displayname")
    type = name_in(properties, "attackpathtype", "displayname") or posture.name
    severity, written = find_severity(text_in(properties, name) for name in ("risklevel", "potentialimpact"))
    known, people = _graph_in(properties)
    target, entry = (_node(properties, known, *names) for names in (_TARGET, _ENTRY_POINT))
    resource = target.resource or entry.resource or target.name or entry.name
    risk_factors = labels_in(properties.get("riskfactors"), *_NAMES)
    intents, techniques = _mitre(properties.get("mitretacticsandtechniques"))
    return Finding(
        kind=Kind.ATTACK_PATH,
        id=posture.id,
        type=type,
        title=title or type,
        severity=severity,
        severity_written=written,
        status=text_in(properties, "status"),
        resolved=posture.deleted,
        resource=resource,
        description=text_in(properties, "description", "attackstory") or "",
        remediation=tuple(chain.from_iterable(map(steps_for, texts_in(properties.get("manualremediationsteps"))))),
        entities=entities_for(resource),
        intents=intents,
        techniques=techniques,
        categories=labels_in(properties.get("riskcategories"), *_NAMES) or risk_factors,
        deleted=posture.deleted,
        snapshot=posture.snapshot,
        extended={name: words for name, words in (("entryPoint", entry.words), ("target", target.words)) if words},
        entry_points=_names_of(properties, people, entry, *_ENTRY_POINT),
        targets=_names_of(properties, people, target, *_TARGET),
        risk_factors=risk_factors[:MOST_WORDS],
    )


class _Node(NamedTuple):
    """One end of a path: the id of its resource, else only a name."""

    resource: str | None
    name: str | None

    @property
    def words(self) -> str | None:
        return self.resource or self.name


def _node(properties: Fields, known: Mapping[str, str], named: str, internal: str) -> _Node:
    fields = fields_in(properties.get(named))
    id = _find_id(fields) or name_in(properties, internal) if fields else name_in(properties, named, internal)
    name = name_in(fields, *_NAMES)
    # A name that the path's graph knows leads to the resource as an id does.
    resource = known.get(id, id) if id else known.get(name) if name else None
    return _Node(resource, name)


def _graph_in(properties: Fields) -> tuple[dict[str, str], dict[str, str]]:
    """Return the ARM id behind each name and internal id of the path's graph, and the name behind each internal and ARM id."""
    graph = fields_in(properties.get("graphcomponent"))
    resources, by_id, names = dict[str, str](), dict[str, str](), dict[str, str]()
    for entity in map(fields_in, items_in(graph.get("entities"))):
        id, resource, name = name_in(entity, "id"), _find_identifier(entity), _find_name(entity)
        if resource and (written := name_in(entity, *_NAMES)):
            resources[written] = resource
        if resource and id:
            by_id[id] = resource
        for one in (id, resource):
            if name and one:
                names.setdefault(one, name)
    return resources | by_id, names


def _names_of(properties: Fields, people: Mapping[str, str], node: _Node, named: str, internal: str) -> tuple[str, ...]:
    """One end of a path as people call it, of which there may be several; an internal id alone is left out."""
    value = properties.get(named)
    several = [_find_end(item, people) for item in items_in(value)]
    if not several:
        inner = name_in(properties, internal)
        several = [_find_end(value, people) or (people.get(inner) if inner else None) or _last_name(node.resource)]
    return tuple(dict.fromkeys(filter(None, several)))[:MOST_WORDS]


def _find_end(value: object, people: Mapping[str, str]) -> str | None:
    fields = fields_in(value)
    if not fields:
        written = value.strip() if isinstance(value, str) else ""
        return people.get(written) or _last_name(written) or (written if written and not is_guid(written) else None)
    id = _find_id(fields)
    return _find_name(fields) or (people.get(id) if id else None) or _last_name(id)


def _find_name(fields: Fields) -> str | None:
    return next((name for key in _NAMES if (name := name_in(fields, key)) and not is_guid(name)), None)


def _last_name(id: str | None) -> str | None:
    """The name at the end of a resource's id; None of a name that is a GUID, and of an id that is no resource's."""
    name = parse_resource_id(id).name
    return name if name is not None and not is_guid(name) else None


def _find_id(node: Fields) -> str | None:
    return name_in(node, "azureresourceid", "resourceid") or _find_identifier(node) or name_in(node, "id")


def _find_identifier(node: Fields) -> str | None:
    return name_in(fields_in(node.get("entityidentifiers")), "azureresourceid")


def _mitre(value: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tactics and the techniques of a path, out of objects that keep them apart or a plain list of either.

    A technique is told by its id. A name by itself may be a tactic's or a technique's: it goes to the tactics, where a name
    that is none stands for nothing.
    """
    tactics: list[str] = []
    techniques: list[str] = []
    for written in _written_names(value):
        ids = _ID.findall(written)
        techniques += [id for id in ids if not _TACTIC_ID.fullmatch(id)]
        tactics += [id for id in ids if _TACTIC_ID.fullmatch(id)] if ids else [written]
    return names_in(tactics), names_in(techniques)


def _written_names(value: object) -> Iterator[str]:
    for item in items_in(value) or ([value] if fields_in(value) else names_in(value)):
        if fields := fields_in(item):
            yield from (written for key in _MITRE for written in names_in(fields.get(key)))
        elif isinstance(item, str):
            yield item


_TARGET = ("target", "targetentityinternalid")
_ENTRY_POINT = ("entrypoint", "entrypointentityinternalid")
_NAMES = ("name", "displayname", "entityname", "label")
_MITRE = ("tactic", "tactics", "technique", "techniques", "subtechniques", "name")
_ID = re.compile(r"\bTA?\d{4}(?:\.\d{3})?\b", re.ASCII)
_TACTIC_ID = re.compile(r"TA\d{4}", re.ASCII)
