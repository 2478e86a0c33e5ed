"""`Microsoft.Security/alertsSuppressionRules`: what Defender dismisses before it is exported.

The API writes `expirationDateUTC` where its specification says `expirationDateUtc`, and times of up to seven fractional digits.
https://learn.microsoft.com/rest/api/defenderforcloud/alerts-suppression-rules
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, Source, source_of, subscription_subject
from router.coverage.fields import find, find_list, find_text, find_time, whole_objects_at
from router.coverage.workloads import subscription_fact
from router.domain.resources import parse_resource_id

_TYPE = "microsoft.security/alertssuppressionrules"
_NEVER = 9999
"""The year of the last day that .NET can write, which no rule lives to see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionRuleFact:
    """What one answer says of a rule of Defender's own.

    Attributes:
        subject: its subscription, as `/subscriptions/ID` in lower case.
        id: its ARM id in lower case.
        name: its name.
        alert_type: the type of alert that it dismisses; `*` for every one, empty where the answer does not say it.
        state: `enabled`, `disabled` or `expired` in lower case; empty where the answer does not say it.
        ends: when it ends; None where it never does, and where what is written is no time.
        ends_written: its end as it is written; empty where none is.
        has_scope: whether any condition narrows it; None where that cannot be read.
        comment: what somebody wrote about it.
        modified: when it was last changed, as it is written.
        source: where it stands.
    """

    subject: str
    id: str
    name: str
    alert_type: str
    state: str
    ends: datetime | None
    ends_written: str
    has_scope: bool | None
    comment: str
    modified: str
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class NoSuppressionRulesFact:
    """That a subscription has no such rule, as an empty list says that says what it is a list of.

    Attributes:
        subject: the subscription, as `/subscriptions/ID` in lower case.
        source: where the list stands.
    """

    subject: str
    source: Source


def reads(item: Item) -> bool:
    """Whether it is such a rule, or says that there is none."""
    return item.type == _TYPE


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The rule, or that there is none, and the subscription that it is of."""
    id = (item.id or "").rstrip("/")
    subscription = parse_resource_id(id).subscription
    if subscription is None:
        return
    subject, modified = subscription_subject(subscription), find_text(item.find("lastModifiedUtc"))
    source = source_of(item, modified)
    yield subscription_fact(subscription, source)
    if id.lower().endswith(f"/providers/{_TYPE}"):
        yield NoSuppressionRulesFact(subject=subject, source=source)
        return
    ends = find_time(item.find("expirationDateUtc"))
    is_endless = ends is not None and ends.year >= _NEVER
    written = find_text(item.find("expirationDateUtc")) or ""
    yield SuppressionRuleFact(
        subject=subject,
        id=id.lower(),
        name=find_text(item.body, "name") or id.rpartition("/")[2],
        alert_type=find_text(item.find("alertType")) or "",
        state=(find_text(item.find("state")) or "").lower(),
        ends=None if is_endless else ends,
        ends_written="" if is_endless else written,
        has_scope=_has_scope(item.find("suppressionAlertsScope")),
        comment=find_text(item.find("comment")) or "",
        modified=modified or "",
        source=source,
    )


def _has_scope(scope: object) -> bool | None:
    if scope is None or (isinstance(scope, Mapping) and find(scope, "allOf") is None):
        return False
    conditions = whole_objects_at(scope, "allOf")
    said = {None} if conditions is None else {_narrows(one) for one in conditions}
    return True if True in said else None if None in said else False


def _narrows(condition: object) -> bool | None:
    """Whether a condition leaves anything out: every text contains the empty one. None where it cannot be read."""
    if not find_text(condition, "field"):
        return False
    if find_list(condition, "in") is not None:
        return True
    if find(condition, "in") is not None:
        return None
    return find(condition, "contains") is None or find_text(condition, "contains") is not None
