"""`advancedThreatProtectionSettings` and `securityAlertPolicies` of database servers, which explain and never decide.

The plan is what protects a server; how it and these older settings go together is not documented.
https://learn.microsoft.com/rest/api/sql/server-advanced-threat-protection-settings,
https://learn.microsoft.com/rest/api/sql/server-security-alert-policies
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, Source, source_of
from router.coverage.fields import find_list, find_text
from router.coverage.workloads import find_scope, scope_fact
from router.domain.coverage import WorkloadKind

_CHILDREN = ("/advancedthreatprotectionsettings/", "/securityalertpolicies/")
_KINDS = (WorkloadKind.SQL_SERVER, WorkloadKind.OPEN_SOURCE_DATABASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlAlertPolicyFact:
    """What a server says of its own alerts.

    Attributes:
        subject: the server in lower case.
        setting: which of the settings says it.
        state: such as Enabled; None where the answer does not say it.
        disabled_alerts: the alerts that are switched off.
        source: where it stands.
    """

    subject: str
    setting: str
    state: str | None
    disabled_alerts: tuple[str, ...]
    source: Source


def reads(item: Item) -> bool:
    """Whether it is such a setting of a server; that of one database says nothing of the others."""
    return _find_server(item) is not None


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The setting, and the server."""
    if (found := _find_server(item)) is None:
        return
    scope, setting = found
    alerts = find_list(item.find("disabledAlerts")) or []
    yield SqlAlertPolicyFact(
        subject=scope.lower(),
        setting=setting,
        state=find_text(item.find("state")),
        # A list with one empty text is how the API writes that no alert is switched off.
        disabled_alerts=tuple(name for one in alerts if (name := find_text(one))),
        source=source_of(item),
    )
    if (fact := scope_fact(item, scope)) is not None:
        yield fact


def _find_server(item: Item) -> tuple[str, str] | None:
    if "/providers/microsoft.security/" in (item.id or "").lower():
        return None
    for child in _CHILDREN:
        if (found := find_scope(item.id, child)) is not None:
            fact = scope_fact(item, found[0])
            if fact is not None and fact.workload.kind in _KINDS:
                return found[0], (item.id or "").strip("/").split("/")[-2]
    return None
