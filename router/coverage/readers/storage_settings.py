"""`defenderForStorageSettings/current`: what one storage account says of the plan of its subscription.

An account that overrides its subscription and is not on is not protected, whatever the plan says.
https://learn.microsoft.com/rest/api/defenderforcloud/defender-for-storage
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, Source, source_of
from router.coverage.fields import find_truth
from router.coverage.workloads import find_scope, scope_fact

_CHILD = "/providers/microsoft.security/defenderforstoragesettings/"


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettingFact:
    """What a storage account says of Defender.

    Attributes:
        subject: the account in lower case.
        is_enabled: whether Defender is on there; None where the answer does not say it.
        is_override: whether the account differs from its subscription on purpose; None where the answer does not say it.
        scans_malware: whether uploads are scanned; None where the answer does not say it.
        finds_sensitive_data: whether sensitive data is looked for; None where the answer does not say it.
        source: where it stands.
    """

    subject: str
    is_enabled: bool | None
    is_override: bool | None
    scans_malware: bool | None
    finds_sensitive_data: bool | None
    source: Source


def reads(item: Item) -> bool:
    """Whether it is the setting of a storage account."""
    return find_scope(item.id, _CHILD) is not None


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The setting, and the account."""
    if (found := find_scope(item.id, _CHILD)) is None:
        return
    scope = found[0]
    yield StorageSettingFact(
        subject=scope.lower(),
        is_enabled=find_truth(item.find("isEnabled")),
        is_override=find_truth(item.find("overrideSubscriptionLevelSettings")),
        scans_malware=find_truth(item.find("malwareScanning", "onUpload", "isEnabled")),
        finds_sensitive_data=find_truth(item.find("sensitiveDataDiscovery", "isEnabled")),
        source=source_of(item),
    )
    if (fact := scope_fact(item, scope)) is not None:
        yield fact
