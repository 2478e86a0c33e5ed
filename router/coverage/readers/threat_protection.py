"""`Microsoft.Security/advancedThreatProtectionSettings/current`: the switch of an account of Cosmos DB, and of classic storage.

`az security atp storage show` prints the one of a storage account, which says nothing of the plan DefenderForStorageV2.
https://learn.microsoft.com/rest/api/defenderforcloud/advanced-threat-protection
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, Source, source_of
from router.coverage.fields import find_truth
from router.coverage.workloads import find_scope, scope_fact

_CHILD = "/providers/microsoft.security/advancedthreatprotectionsettings/"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreatProtectionFact:
    """What an account says of its own switch.

    Attributes:
        subject: the account in lower case.
        is_enabled: whether it is on; None where the answer does not say it.
        source: where it stands.
    """

    subject: str
    is_enabled: bool | None
    source: Source


def reads(item: Item) -> bool:
    """Whether it is the switch of an account."""
    return find_scope(item.id, _CHILD) is not None


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The setting, and the account."""
    if (found := find_scope(item.id, _CHILD)) is None:
        return
    scope = found[0]
    is_enabled = find_truth(item.find("isEnabled"))
    yield ThreatProtectionFact(subject=scope.lower(), is_enabled=is_enabled, source=source_of(item))
    if (fact := scope_fact(item, scope)) is not None:
        yield fact
