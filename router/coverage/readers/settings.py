"""`Microsoft.Security/settings`: which other products of Microsoft a subscription is joined with, as Defender for Endpoint.

Unlike those of pricings, the booleans are booleans. A setting that is absent is not known: versions of the API list others.
https://learn.microsoft.com/rest/api/defenderforcloud/settings
"""

from __future__ import annotations

from collections.abc import Iterator

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, SettingFact, source_of, subscription_subject
from router.coverage.fields import find_truth
from router.domain.resources import parse_resource_id


def reads(item: Item) -> bool:
    """Whether it is a setting of a subscription."""
    return item.type == "microsoft.security/settings"


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The setting."""
    parts = parse_resource_id(item.id)
    if parts.subscription and parts.name:
        yield SettingFact(
            subject=subscription_subject(parts.subscription),
            name=parts.name.upper(),
            is_enabled=find_truth(item.find("enabled")),
            source=source_of(item),
        )
