"""What rules can match of a signal: kept of each signal, so that rules can be asked again when its message is long gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from router.domain.entities import Entities
from router.domain.signals import Alert, Finding, Kind, Severity, Signal, Stream
from router.domain.suppression import texts_of

# The complete list of Defender's fields, as its built-in policy gives it: Azure/azure-policy,
# built-in-policies/policyDefinitions/Security Center/ASC_SuppressionRulesForAlerts_Deploy.json
ENTITY_FIELDS: Mapping[str, tuple[str, ...]] = {
    "account": ("name", "aaduserid", "upnsuffix"),
    "azureresource": ("resourceid",),
    "file": ("name", "directory"),
    "filehash": ("value",),
    "host": ("hostname", "azureid", "dnsdomain", "omsagentid"),
    "ip": ("address",),
    "malware": ("name", "category"),
    "process": ("commandline",),
}
"""By entity type, normalised, the properties that an element of a suppression rule may look at, in lower case."""


@dataclass(frozen=True, slots=True)
class EntityFields:
    """What rules can match of one entity.

    Attributes:
        type: its normalised type.
        values: the texts of each property that offers any.
    """

    type: str
    values: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFields:
    """What suppression rules and routes can match of a signal, and by what people know it. Texts are as they arrived.

    Attributes:
        kind, id, type, title, severity, severity_written, status, resolved, resource, intents, techniques: as in `Signal`.
        plan, sample, compromised_entity: as in `Alert`.
        categories, deleted: as in `Finding`.
        extended: the texts of each extended property that offers any.
        entities: the entities that rules can match, each once.
    """

    kind: Kind
    id: str
    type: str
    title: str
    severity: Severity | None
    severity_written: str | None = None
    status: str | None = None
    resolved: bool = False
    resource: str | None = None
    intents: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    plan: str | None = None
    sample: bool = False
    compromised_entity: str | None = None
    categories: tuple[str, ...] = ()
    deleted: bool = False
    extended: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    entities: tuple[EntityFields, ...] = ()


def rule_fields_of(signal: Signal) -> RuleFields:
    """What rules can match of a signal."""
    alert = signal if isinstance(signal, Alert) else None
    finding = signal if isinstance(signal, Finding) else None
    return RuleFields(
        kind=signal.kind,
        id=signal.id,
        type=signal.type,
        title=signal.title,
        severity=signal.severity,
        severity_written=signal.severity_written,
        status=signal.status,
        resolved=signal.resolved,
        resource=signal.resource,
        intents=signal.intents,
        techniques=signal.techniques,
        plan=alert.plan if alert else None,
        sample=alert.sample if alert else False,
        compromised_entity=alert.compromised_entity if alert else None,
        categories=finding.categories if finding else (),
        deleted=finding.deleted if finding else False,
        extended={name: tuple(texts) for name, value in signal.extended.items() if (texts := texts_of(value))},
        entities=tuple(_entities_of(signal.entities)),
    )


def signal_of(fields: RuleFields) -> Alert | Finding:
    """A signal of which every rule and route says what it says of the first one; it has nothing that they do not ask for."""
    entities = Entities([{"type": one.type, **_values_in(one.values)} for one in fields.entities])
    extended = _values_in(fields.extended)
    if fields.kind.stream is Stream.CWPP:
        return Alert(
            kind=fields.kind,
            id=fields.id,
            type=fields.type,
            title=fields.title,
            severity=fields.severity,
            severity_written=fields.severity_written,
            status=fields.status,
            resolved=fields.resolved,
            resource=fields.resource,
            entities=entities,
            intents=fields.intents,
            techniques=fields.techniques,
            extended=extended,
            plan=fields.plan,
            sample=fields.sample,
            compromised_entity=fields.compromised_entity,
        )
    return Finding(
        kind=fields.kind,
        id=fields.id,
        type=fields.type,
        title=fields.title,
        severity=fields.severity,
        severity_written=fields.severity_written,
        status=fields.status,
        resolved=fields.resolved,
        resource=fields.resource,
        entities=entities,
        intents=fields.intents,
        techniques=fields.techniques,
        extended=extended,
        categories=fields.categories,
        deleted=fields.deleted,
    )


def _entities_of(entities: Entities) -> Iterator[EntityFields]:
    met: set[tuple[str, tuple[tuple[str, ...], ...]]] = set()
    for entity in entities:
        names = ENTITY_FIELDS.get(entity.type)
        if names is None:
            continue
        texts = tuple([tuple(texts_of(entity.get(name))) for name in names])
        if any(texts) and (entity.type, texts) not in met:
            met.add((entity.type, texts))
            yield EntityFields(entity.type, {name: some for name, some in zip(names, texts, strict=True) if some})


def _values_in(values: Mapping[str, tuple[str, ...]]) -> dict[str, object]:
    return {name: texts[0] if len(texts) == 1 else list(texts) for name, texts in values.items()}
