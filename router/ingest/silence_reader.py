"""What silences there are, as every worker knows them: read from the store again before that is 30 seconds old."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from router.domain.documents import DocumentKind
from router.domain.silence_documents import read_silences
from router.domain.silence_spans import BREAK
from router.domain.silences import NO_SILENCES, Silences
from router.store.documents import list_documents
from router.store.store import Store

FRESH = timedelta(seconds=15)
"""How long what was read counts: a silence is obeyed within half a minute, and a batch costs no request of its own."""

LATELY = timedelta(days=2)
"""How long after their end silences are still read at least: whoever releases what one held says whose it was."""


class SilenceReader:
    """Reads the silences of each stream; raises StoreError. One that cannot be read holds nothing.

    `longest` is how long silences may hold the same without a break, for which those that went before are known.
    `ticks` counts seconds, whatever the clock says: a time to decide at may stand still.
    """

    def __init__(
        self, store: Store, longest: timedelta = timedelta(), ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._ticks = ticks
        self._lately = max(LATELY, longest + BREAK)
        self._read_at = datetime.min.replace(tzinfo=UTC)
        self._ticked = 0.0
        self._silences: Mapping[str, Silences] = {}

    async def silences(self, stream: str, now: datetime) -> Silences:
        """The silences of a stream."""
        is_fresh = abs(now - self._read_at) < FRESH and self._ticks() - self._ticked < FRESH.total_seconds()
        if not is_fresh:
            await self.read_again(now)
        return self._silences.get(stream, NO_SILENCES)

    async def read_again(self, now: datetime) -> None:
        """Reads what the store has by now, however fresh what was read is."""
        ticked = self._ticks()
        async with self._store.session() as tx:
            documents = await list_documents(tx, DocumentKind.SILENCE, now - self._lately)
        found = read_silences(documents).silences
        streams = {silence.stream for silence in found}
        self._silences = {stream: Silences.of([one for one in found if one.stream == stream]) for stream in streams}
        self._read_at, self._ticked = now, ticked
