"""What rules can match of a signal: kept of each signal, so that rules can be asked again when its message is long gone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from router.domain.decisions import Outcome
from router.domain.entities import Entities
from router.domain.locations import location_of
from router.domain.posture import Cves, Package, Risk
from router.domain.recommendations import find_missing_rung
from router.domain.resources import NOWHERE, CloudLocation
from router.domain.severity import Severity
from router.domain.signals import Alert, Finding, Kind, Signal, Stream
from router.domain.suppression import texts_of
from router.domain.values import Value

# The complete list of Defender's fields, as its built-in policy gives it: Azure/azure-policy,
# built-in-policies/policyDefinitions/Security Center/ASC_SuppressionRulesForAlerts_Deploy.json
ENTITY_FIELDS: Mapping[str, frozenset[str]] = {
    "account": frozenset({"name", "aaduserid", "upnsuffix"}),
    "azureresource": frozenset({"resourceid"}),
    "file": frozenset({"name", "directory"}),
    "filehash": frozenset({"value"}),
    "host": frozenset({"hostname", "azureid", "dnsdomain", "omsagentid"}),
    "ip": frozenset({"address"}),
    "malware": frozenset({"name", "category"}),
    "process": frozenset({"commandline"}),
}
"""By entity type, normalised, the properties that an element of a suppression rule may look at, in lower case."""


type Texts = Mapping[str, tuple[str, ...]]
"""The texts of each property that offers any."""


class RuleFields(Value, kw_only=True):
    """What suppression rules and routes can match of a signal, and by what people know it. Texts are as they arrived."""

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
    extended: Mapping[str, tuple[str, ...]] = {}
    entities: Mapping[str, tuple[Texts, ...]] = {}
    category: str | None = None
    package: str | None = None
    cves: Cves | None = None
    risk: Risk | None = None
    location: CloudLocation | None = None


_SHARED = (
    "kind", "id", "type", "title", "severity", "severity_written", "status", "resolved", "resource", "intents", "techniques",
)  # fmt: skip
_OF_ALERTS = ("plan", "sample", "compromised_entity")
_OF_FINDINGS = ("categories", "deleted", "category", "cves", "risk")
"""What the fields of signals are called here and in `Signal`, `Alert` and `Finding`."""


def rule_fields_of(signal: Signal) -> RuleFields:
    """Return what rules can match of a signal."""
    location = location_of(signal)
    package = signal.package if isinstance(signal, Finding) else None
    own = _OF_FINDINGS if isinstance(signal, Finding) else _OF_ALERTS
    same: dict[str, Any] = {name: getattr(signal, name) for name in _SHARED + own}
    return RuleFields(
        **same,
        extended=_texts_in(signal.extended),
        entities=_entities_in(signal.entities),
        package=package.name if package is not None else None,
        location=location if location != NOWHERE else None,
    )


def signal_of(fields: RuleFields) -> Alert | Finding:
    """Return a signal of which every rule and route says what it says of the first one; it has nothing else."""
    entities = Entities([{"type": type, **_values_in(one)} for type, some in fields.entities.items() for one in some])
    is_alert = fields.kind.stream is Stream.CWPP
    same: dict[str, Any] = {
        name: getattr(fields, name) for name in _SHARED + (_OF_ALERTS if is_alert else _OF_FINDINGS)
    }
    same |= {"entities": entities, "extended": _values_in(fields.extended), "location": fields.location or NOWHERE}
    if is_alert:
        return Alert(**same)
    package = Package(name=fields.package) if fields.package is not None else None
    rung = find_missing_rung(fields.kind, fields.type, fields.title)
    return Finding(**same, package=package, rung=rung)


def _texts_in(values: Mapping[str, object]) -> Texts:
    return {
        # Nearly all values are one text.
        name: (value,) if type(value) is str and value else tuple(texts)
        for name, value in values.items()
        if (type(value) is str and value) or (texts := texts_of(value))
    }


def _entities_in(entities: Entities) -> Mapping[str, tuple[Texts, ...]]:
    by_type: dict[str, dict[tuple[tuple[str, tuple[str, ...]], ...], Texts]] = {}
    for entity in entities.of_type(*ENTITY_FIELDS):
        if texts := _texts_in(entity.get_all(ENTITY_FIELDS[entity.type])):
            by_type.setdefault(entity.type, {}).setdefault(tuple(texts.items()), texts)
    return {type: tuple(kept.values()) for type, kept in by_type.items()}


def _values_in(values: Texts) -> dict[str, object]:
    return {name: texts[0] if len(texts) == 1 else list(texts) for name, texts in values.items()}


class StandingSignal(NamedTuple):
    """A signal that stands and that rules could match: it was routed, or a rule holds it.

    Attributes:
        fields: what rules can match of it; None where that is not kept, or is damaged.
    """

    key: str
    outcome: Outcome
    severity: Severity | None
    held_by: str | None
    fields: RuleFields | None

    def is_of_type(self, types: Collection[str] | None) -> bool:
        """Whether a rule for one of these types, case-folded, may be about it; it may where nothing says its type."""
        if types is None or self.fields is None:
            return True
        category = self.fields.category
        return self.fields.type.casefold() in types or (category is not None and category.casefold() in types)
