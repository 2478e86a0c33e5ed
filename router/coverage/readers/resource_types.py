"""Which types of resources a subscription has, as one query of Resource Graph answers it for each.

Unlike a list of resources the row says of a type that there is none. Where it has no type at all, whoever asked may not read
resources, or there are none: that proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, Source, source_of, subscription_subject
from router.coverage.fields import find_list, find_text


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceTypesFact:
    """Which types of resources a subscription has.

    Attributes:
        subject: the subscription, as `/subscriptions/ID` in lower case.
        types: all of them, in lower case; at least one.
        source: where that stands.
    """

    subject: str
    types: frozenset[str]
    source: Source


def reads(item: Item) -> bool:
    """Whether it is a row of that query."""
    return not item.kind and find_list(item.body, "resourceTypes") is not None


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """What it says; nothing where it has no type, or does not say of which subscription."""
    types = frozenset(str(one).lower() for one in find_list(item.body, "resourceTypes") or ())
    if (subscription := find_text(item.body, "subscriptionId")) and types:
        yield ResourceTypesFact(subject=subscription_subject(subscription), types=types, source=source_of(item))
