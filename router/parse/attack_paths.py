"""Attack paths, in both shapes of their properties: Defender CSPM's own, and Exposure Management's.

https://learn.microsoft.com/azure/defender-for-cloud/attack-path-api describes the older shape only.
"""

from __future__ import annotations

from router.domain.catalogue import Catalogue
from router.domain.signals import Finding, Kind
from router.parse.arm import entities_for, posture_in, steps_for
from router.parse.fields import Fields, fields_in, find_severity, items_in, names_in, text_in, texts_in


def read_attack_path(fields: Fields, _: Catalogue) -> Finding:
    """The attack path; its resource is the target, else the entry point."""
    posture = posture_in(fields)
    properties = posture.properties
    title = text_in(properties, "displayname")
    type = text_in(properties, "attackpathtype") or title or posture.name
    severity = text_in(properties, "risklevel", "potentialimpact")
    resource = _find_resource(properties)
    intents, techniques = _mitre(properties.get("mitretacticsandtechniques"))
    return Finding(
        kind=Kind.ATTACK_PATH,
        id=posture.id,
        type=type,
        title=title or type,
        severity=find_severity(severity),
        severity_written=severity,
        status=text_in(properties, "status"),
        resolved=posture.deleted,
        resource=resource,
        description=text_in(properties, "description", "attackstory") or "",
        remediation=_remediation(properties.get("manualremediationsteps")),
        entities=entities_for(resource),
        intents=intents,
        techniques=techniques,
        categories=texts_in(properties.get("riskcategories")) or texts_in(properties.get("riskfactors")),
        deleted=posture.deleted,
        snapshot=posture.snapshot,
    )


def _find_resource(properties: Fields) -> str | None:
    known = _resources_by_entity(properties)
    for node, internal in (("target", "targetentityinternalid"), ("entrypoint", "entrypointentityinternalid")):
        id = text_in(properties, node, internal) or _find_id(fields_in(properties.get(node)))
        if id:
            return known.get(id, id)
    return None


def _resources_by_entity(properties: Fields) -> dict[str, str]:
    """The ARM ids behind the path's internal ids, which name no resource that people know."""
    graph = fields_in(properties.get("graphcomponent"))
    entities = [fields_in(item) for item in items_in(graph.get("entities"))]
    pairs = ((text_in(entity, "id"), _find_identifier(entity)) for entity in entities)
    return {id: resource for id, resource in pairs if id and resource}


def _find_id(node: Fields) -> str | None:
    return text_in(node, "azureresourceid", "resourceid") or _find_identifier(node) or text_in(node, "id")


def _find_identifier(node: Fields) -> str | None:
    return text_in(fields_in(node.get("entityidentifiers")), "azureresourceid")


def _remediation(value: object) -> tuple[str, ...]:
    return tuple(line for step in texts_in(value) for line in steps_for(step))


def _mitre(value: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tactics and the techniques of a path."""
    items = [fields_in(item) for item in items_in(value)]
    tactics = [name for item in items for name in names_in(item.get("tactic")) + names_in(item.get("tactics"))]
    techniques = [name for item in items for name in names_in(item.get("techniques"))]
    return tuple(dict.fromkeys(tactics)), tuple(dict.fromkeys(techniques))
