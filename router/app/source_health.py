"""What the health page says of silent sources: how many there are, and which patterns of coverage.yaml fit nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from router.domain.documents import DocumentKind
from router.domain.source_silence import DOWN
from router.domain.source_turns import find_watch
from router.domain.timestamps import timestamp
from router.store.documents import find_document
from router.store.sources import count_silent
from router.store.store import Store


class SourceHealth(NamedTuple):
    """What is known of a stream's sources.

    Attributes:
        figures: how many are silent, what fits nothing, and up to when they were judged; None where nobody watches them.
        problem: that nobody was judged for long; None where somebody was.
    """

    figures: Mapping[str, Any] | None = None
    problem: str | None = None


async def health_of_sources(store: Store, stream: str, now: datetime) -> SourceHealth:
    """What is known of the sources of a stream; raises StoreError."""
    async with store.session() as tx:
        document = await find_document(tx, DocumentKind.SILENT_SOURCES, stream)
        silent = await count_silent(tx) if document is not None else 0
    watch = find_watch(document) if document is not None else None
    if watch is None:
        return SourceHealth()
    taken = timestamp(watch.taken)
    figures = {"silent": silent, "unmatched": list(watch.unmatched), "judged": taken}
    is_late = now - watch.taken > DOWN
    return SourceHealth(figures, f"{stream}: no source was judged silent or not since {taken}" if is_late else None)
