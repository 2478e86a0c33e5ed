"""Subscriptions, as `az account list`, `az account subscription list`, ARM and the table `resourcecontainers` name them.

One that may not be read is missing from every answer about plans; only such a list says that it is there at all.
https://learn.microsoft.com/rest/api/resources/subscriptions, https://learn.microsoft.com/cli/azure/account
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, source_of
from router.coverage.fields import find, find_text
from router.coverage.workloads import subscription_fact

_ID = re.compile(r"/subscriptions/([^/\s]+)/?", re.IGNORECASE)
_TYPE = "microsoft.resources/subscriptions"
_STOPPED = ("disabled", "deleted")
"""States in which nothing runs. https://learn.microsoft.com/azure/cost-management-billing/manage/subscription-states"""


def reads(item: Item) -> bool:
    """Whether it is a subscription."""
    return not item.kind and _find_id(item) is not None


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The subscription."""
    if (id := _find_id(item)) is not None:
        name = find_text(item.body, "displayName") or find_text(item.body, "name") or id
        state = (find_text(item.find("state")) or "").lower()
        yield replace(subscription_fact(id, source_of(item), name), is_stopped=state in _STOPPED if state else None)


def _find_id(item: Item) -> str | None:
    """The subscription's id; None where the object is no subscription."""
    if item.type == _TYPE and (id := find_text(item.body, "subscriptionId")):
        return id
    if (found := _ID.fullmatch(item.id or "")) is not None:
        return found[1]
    # `az account list` has the bare id. A tenant in which somebody has no subscription is listed as one, under the tenant's id.
    is_account = find_text(item.body, "tenantId") and any(
        find(item.body, name) is not None for name in ("isDefault", "environmentName", "cloudName")
    )
    id = find_text(item.body, "id")
    return id if is_account and id and "/" not in id and id != find_text(item.body, "tenantId") else None
