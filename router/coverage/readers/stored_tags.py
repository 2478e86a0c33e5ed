"""Tags that keep a sensor off a resource, as they were read of Azure once and stand in the state.

They name no workload, and prove of none that it has no other tags: a resource that is gone since has them there, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from router.coverage import own_objects
from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, Source, source_of
from router.coverage.fields import find, find_text


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTagsFact:
    """The tags of a resource, as they were read once.

    Attributes:
        subject: the resource in lower case.
        tags: the tags.
        source: where they stand.
    """

    subject: str
    tags: Mapping[str, str]
    source: Source


def reads(item: Item) -> bool:
    """Whether they are tags of the state."""
    return find_text(item.body, own_objects.KEY) == own_objects.TAGS


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The tags; nothing where it does not say of which resource."""
    resource, tags = find_text(item.body, "resource"), find(item.body, "tags")
    if resource and isinstance(tags, Mapping):
        texts = {str(name): str(value) for name, value in tags.items()}
        yield StoredTagsFact(subject=resource.lower(), tags=texts, source=source_of(item))
