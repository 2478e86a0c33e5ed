"""Objects of documents -> facts. Every file here is a reader, with `reads(item)` and `facts_in(item)`: its existence is enough.

It reads what it knows and passes over the rest: other tools and versions write other fields, and none of them may make it fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, cast

from router.coverage.documents import CoverageDocument, Item
from router.coverage.facts import CoverageFact
from router.coverage.readers import kubernetes
from router.coverage.readers.kubernetes import empty_lists_in, unanswered_in


class Reader(Protocol):
    """A module that makes facts of some objects."""

    def reads(self, item: Item) -> bool:
        """Whether an object is of the sort that it reads."""
        ...

    def facts_in(self, item: Item) -> Iterator[CoverageFact]:
        """What the object says; nothing where it says nothing that can be used."""
        ...


@cache
def readers() -> tuple[Reader, ...]:
    """Every reader."""
    names = sorted(module.name for module in iter_modules(__path__) if not module.ispkg)
    return tuple(cast("Reader", import_module(f"{__name__}.{name}")) for name in names)


def facts_of(document: CoverageDocument) -> Iterator[CoverageFact]:
    """What every reader finds in the objects of a document, and its empty lists.

    Whoever may write into a cluster makes objects of kinds of their own: so none says anything but of its cluster.
    """
    for item in document.items:
        for reader in (kubernetes,) if item.kind else readers():
            if reader.reads(item):
                yield from reader.facts_in(item)
    yield from empty_lists_in(document)
    yield from unanswered_in(document)
