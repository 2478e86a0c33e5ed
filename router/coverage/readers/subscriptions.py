"""Subscriptions: which there are, their types of resources, what they export, and what Defender's own rules dismiss.

https://learn.microsoft.com/rest/api/resources/subscriptions, https://learn.microsoft.com/rest/api/defenderforcloud/automations,
https://learn.microsoft.com/rest/api/defenderforcloud/alerts-suppression-rules
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import replace
from datetime import datetime
from typing import NamedTuple

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, Source, item_source, subscription_subject
from router.coverage.fields import find, find_list, find_text, find_time, find_truth, whole_objects_at
from router.coverage.workloads import subscription_fact
from router.domain.resources import parse_resource_id

_ID = re.compile(r"/subscriptions/([^/\s]+)/?", re.IGNORECASE)
_STOPPED = ("disabled", "deleted")
"""States in which nothing runs. https://learn.microsoft.com/azure/cost-management-billing/manage/subscription-states"""

SUPPRESSION_RULES = "microsoft.security/alertssuppressionrules"
_NEVER = 9999
"""The year of the last day that .NET can write, which no rule lives to see."""


class ResourceTypesFact(CoverageFact, kw_only=True):
    """All types of resources that a subscription has, in lower case; at least one."""

    types: frozenset[str]


class ExportRule(NamedTuple):
    """One condition on what is exported: `type` and `operator` are in lower case, and empty where they are not said."""

    property: str
    type: str
    operator: str
    value: str


class ExportSource(NamedTuple):
    """What an automation is about: an event such as `alerts`, and alternative sets of rules; none where everything is sent."""

    event: str
    rule_sets: tuple[tuple[ExportRule, ...], ...]


class AutomationFact(CoverageFact, kw_only=True):
    """What one answer says of an automation of a subscription; None for what it does not say.

    Attributes:
        scopes: the ids of what it is for, in lower case.
        hubs: where its actions of type EventHub lead; empty text for one that does not say it.
    """

    subject: str
    id: str
    name: str
    is_enabled: bool | None
    scopes: tuple[str, ...] | None
    action_types: tuple[str, ...] | None
    hubs: tuple[str, ...]
    sources: tuple[ExportSource, ...] | None


class EmptyListFact(CoverageFact, kw_only=True):
    """That a subscription has nothing of an ARM type, as an empty list says that says what it is a list of."""

    type: str


class SuppressionRuleFact(CoverageFact, kw_only=True):
    """What one answer says of a rule of Defender's own.

    Attributes:
        id: its ARM id in lower case.
        alert_type: the type of alert that it dismisses; `*` for every one, empty where the answer does not say it.
        state: `enabled`, `disabled` or `expired`; empty where the answer does not say it.
        ends: when it ends; None where it never does, and where what is written is no time. `ends_written` is as it is written.
        has_scope: whether any condition narrows it; None where that cannot be read.
    """

    id: str
    name: str
    alert_type: str
    state: str
    ends: datetime | None
    ends_written: str
    has_scope: bool | None
    comment: str
    modified: str


def read_subscription(item: Item) -> Iterator[CoverageFact]:
    """A subscription, as a list of them names it, and its types of resources where a query asked for them.

    One that may not be read is missing from every answer about plans; only such a list says that it is there at all.
    """
    types = frozenset(str(one).lower() for one in find_list(item.body, "resourceTypes") or ())
    if types and (subscription := find_text(item.body, "subscriptionId")):
        # Without any type, resources may not be read, or there are none: that proves nothing.
        yield ResourceTypesFact(subject=subscription_subject(subscription), types=types, source=item_source(item))
    if (id := _subscription_id(item)) is not None:
        name = find_text(item.body, "displayName") or find_text(item.body, "name") or id
        state = item.word("state")
        yield replace(subscription_fact(id, item_source(item), name), is_stopped=state in _STOPPED if state else None)


def _subscription_id(item: Item) -> str | None:
    """The subscription that an object is; None where it is none."""
    if (found := _ID.fullmatch(item.id or "")) is not None:
        return found[1]
    # `az account list` has the bare id. A tenant without subscriptions is listed as one, under the tenant's id.
    tenant, id = find_text(item.body, "tenantId"), find_text(item.body, "id")
    is_account = any(find(item.body, name) is not None for name in ("isDefault", "environmentName", "cloudName"))
    return id if tenant and is_account and id and "/" not in id and id != tenant else None


def read_listed(item: Item) -> Iterator[CoverageFact]:
    """An automation or a suppression rule, or that there is none, and the subscription that it is of."""
    id = (item.id or "").rstrip("/")
    if (subscription := parse_resource_id(id).subscription) is None:
        return
    subject, source = subscription_subject(subscription), item_source(item, item.text("lastModifiedUtc"))
    yield subscription_fact(subscription, source)
    if id.lower().endswith(f"/providers/{item.type}"):
        yield EmptyListFact(subject=subject, type=item.type, source=source)
    elif item.type == SUPPRESSION_RULES:
        yield _suppression_rule(item, id, subject, source)
    else:
        yield _automation(item, id, subject, source)


def _automation(item: Item, id: str, subject: str, source: Source) -> AutomationFact:
    """Sets of rules are alternatives, and the rules of a set hold together. A connection string is never in an answer."""
    actions, scopes = whole_objects_at(item.find("actions")), whole_objects_at(item.find("scopes"))
    sources = whole_objects_at(item.find("sources"))
    leading = [one for one in actions or () if (find_text(one, "actionType") or "").lower() == "eventhub"]
    paths = [find_text(one, "scopePath") for one in scopes or ()]
    return AutomationFact(
        subject=subject,
        id=id,
        name=find_text(item.body, "name") or id.rpartition("/")[2],
        is_enabled=item.truth("isEnabled"),
        scopes=None if scopes is None else tuple(path.lower().rstrip("/") for path in paths if path),
        action_types=None if actions is None else tuple(find_text(one, "actionType") or "" for one in actions),
        hubs=tuple(find_text(one, "eventHubResourceId") or "" for one in leading),
        sources=None if sources is None else tuple(map(_export_source, sources)),
        source=source,
    )


def _export_source(source: Mapping[str, object]) -> ExportSource:
    """What is no set of rules, and what is no rule, stays as one that nothing fulfils."""
    sets = tuple(tuple(map(_rule, _members(find(one, "rules")))) for one in _members(find(source, "ruleSets")))
    return ExportSource((find_text(source, "eventSource") or "").lower(), sets)


def _members(value: object) -> list[object]:
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


def _suppression_rule(item: Item, id: str, subject: str, source: Source) -> SuppressionRuleFact:
    """The API writes `expirationDateUTC` where its specification says `expirationDateUtc`."""
    ends = find_time(item.find("expirationDateUtc"))
    is_endless = ends is not None and ends.year >= _NEVER
    return SuppressionRuleFact(
        subject=subject,
        id=id.lower(),
        name=find_text(item.body, "name") or id.rpartition("/")[2],
        alert_type=item.text("alertType") or "",
        state=item.word("state") or "",
        ends=None if is_endless else ends,
        ends_written="" if is_endless else item.text("expirationDateUtc") or "",
        has_scope=_has_scope(item.find("suppressionAlertsScope")),
        comment=item.text("comment") or "",
        modified=item.text("lastModifiedUtc") or "",
        source=source,
    )


def _has_scope(scope: object) -> bool | None:
    """Whether any condition narrows it; None where that cannot be read."""
    if scope is None or (isinstance(scope, Mapping) and find(scope, "allOf") is None):
        return False
    conditions = whole_objects_at(scope, "allOf")
    answers = {None} if conditions is None else {_narrows(one) for one in conditions}
    return True if True in answers else None if None in answers else False


def _narrows(condition: object) -> bool | None:
    """Whether a condition leaves anything out: every text contains the empty one. None where it cannot be read."""
    if not find_text(condition, "field"):
        return False
    if find(condition, "in") is not None:
        return find_list(condition, "in") is not None or None
    return find(condition, "contains") is None or find_text(condition, "contains") is not None
