"""Resources that Defender watches from its own side, so that nothing in their documents says more than that they exist."""

from __future__ import annotations

from collections.abc import Iterator

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact
from router.coverage.workloads import RESOURCE_KINDS, resource_fact


def reads(item: Item) -> bool:
    """Whether it is one of them."""
    return item.type in RESOURCE_KINDS


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The resource."""
    if (fact := resource_fact(item, RESOURCE_KINDS[item.type])) is not None:
        yield fact
