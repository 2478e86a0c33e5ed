"""`Microsoft.Security/automations`: what Defender exports of a subscription, and where to.

Sets of rules are alternatives, and the rules of a set hold together; a source without sets sends everything. A connection
string is never in an answer. https://learn.microsoft.com/rest/api/defenderforcloud/automations
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, Source, source_of, subscription_subject
from router.coverage.fields import find, find_text, find_truth, whole_objects_at
from router.coverage.workloads import subscription_fact
from router.domain.resources import parse_resource_id

_TYPES = ("microsoft.security/automations", "microsoft.security/securityautomations")
_HUB = "eventhub"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRule:
    """One condition on what is exported.

    Attributes:
        property: the property that it asks about, as it is written.
        type: `string`, `integer`, `number` or `boolean`, in lower case; empty where it is not said.
        operator: such as `equals`, in lower case.
        value: what the property is compared with.
    """

    property: str
    type: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSource:
    """What an automation is about.

    Attributes:
        event: such as `alerts` or `assessmentssnapshot`, in lower case.
        rule_sets: the alternatives; none where everything is sent.
    """

    event: str
    rule_sets: tuple[tuple[ExportRule, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomationFact:
    """What one answer says of an automation.

    Attributes:
        subject: its subscription, as `/subscriptions/ID` in lower case.
        id: its ARM id, as it is written.
        name: its name.
        is_enabled: whether it is on; None where the answer does not say it.
        scopes: the ids of what it is for, in lower case; None where the answer does not say it.
        action_types: of which types its actions are, as they are written; None where the answer does not say it.
        hubs: where its actions of type EventHub lead, as it is written; empty for one that does not say it.
        sources: what it is about; None where the answer does not say it.
        source: where it stands.
    """

    subject: str
    id: str
    name: str
    is_enabled: bool | None
    scopes: tuple[str, ...] | None
    action_types: tuple[str, ...] | None
    hubs: tuple[str, ...]
    sources: tuple[ExportSource, ...] | None
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAutomationsFact:
    """That a subscription has no automation, as an empty list says that says what it is a list of.

    Attributes:
        subject: the subscription, as `/subscriptions/ID` in lower case.
        source: where the list stands.
    """

    subject: str
    source: Source


def reads(item: Item) -> bool:
    """Whether it is an automation, or says that there is none."""
    return item.type in _TYPES


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The automation, or that there is none, and the subscription that it is of."""
    id = (item.id or "").rstrip("/")
    subscription = parse_resource_id(id).subscription
    if subscription is None:
        return
    subject, source = subscription_subject(subscription), source_of(item)
    yield subscription_fact(subscription, source)
    if id.lower().endswith(f"/providers/{item.type}"):
        yield NoAutomationsFact(subject=subject, source=source)
        return
    actions = _objects(item, "actions")
    types = None if actions is None else tuple(find_text(one, "actionType") or "" for one in actions)
    yield AutomationFact(
        subject=subject,
        id=id,
        name=find_text(item.body, "name") or id.rpartition("/")[2],
        is_enabled=find_truth(item.find("isEnabled")),
        scopes=_scopes(item),
        action_types=types,
        hubs=tuple(
            find_text(one, "eventHubResourceId") or ""
            for one in actions or ()
            if (find_text(one, "actionType") or "").lower() == _HUB
        ),
        sources=_sources(item),
        source=source,
    )


def _objects(item: Item, name: str) -> Sequence[Mapping[str, object]] | None:
    """The objects in a list of an automation; None where it has no such list, or one that was cut."""
    return whole_objects_at(item.find(name))


def _scopes(item: Item) -> tuple[str, ...] | None:
    scopes = _objects(item, "scopes")
    if scopes is None:
        return None
    paths = (find_text(one, "scopePath") for one in scopes)
    return tuple(path.lower().rstrip("/") for path in paths if path)


def _sources(item: Item) -> tuple[ExportSource, ...] | None:
    sources = _objects(item, "sources")
    if sources is None:
        return None
    return tuple(
        ExportSource(event=(find_text(one, "eventSource") or "").lower(), rule_sets=_rule_sets(one)) for one in sources
    )


def _rule_sets(source: Mapping[str, object]) -> tuple[tuple[ExportRule, ...], ...]:
    """The alternatives; what is no set, and what is no rule, stays as one that nothing fulfils."""
    sets = _listed(find(source, "ruleSets"))
    return tuple(tuple(map(_rule, _listed(find(one, "rules")))) for one in sets)


def _listed(value: object) -> list[object]:
    """The members of a list; what is none, and is there, is its only member."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _rule(rule: object) -> ExportRule:
    expected = find_truth(rule, "expectedValue")
    return ExportRule(
        property=find_text(rule, "propertyJPath") or "",
        type=(find_text(rule, "propertyType") or "").lower(),
        operator=(find_text(rule, "operator") or "").lower(),
        value=find_text(rule, "expectedValue") or ("" if expected is None else str(expected).lower()),
    )
