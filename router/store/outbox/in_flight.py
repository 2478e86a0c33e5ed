"""What the workers of this process have claimed: a settlement needs no look at a row that nobody else has touched."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from router.domain.delivery_lifecycle import OutboxEntry

_LONG_OVER = timedelta(hours=1)
"""How long after its lease a claim that nobody settles is remembered."""


class InFlight[E: OutboxEntry]:
    """The entries as they were claimed, by the deliveries' ids; it forgets what nobody ever settles."""

    def __init__(self) -> None:
        self._claimed: dict[str, E] = {}

    def remember(self, entries: Iterable[E], now: datetime) -> None:
        """Remembers claims."""
        for one in entries:
            self._claimed.pop(one.id, None)
            self._claimed[one.id] = one
        while self._claimed:
            oldest = next(iter(self._claimed.values()))
            if oldest.lease is None or oldest.lease >= now - _LONG_OVER:
                break
            del self._claimed[oldest.id]

    def find(self, id: str) -> E | None:
        """The entry as it was claimed here last, unless it was settled since."""
        return self._claimed.get(id)

    def forget(self, ids: Iterable[str]) -> None:
        """Forgets claims that were settled."""
        for id in ids:
            self._claimed.pop(id, None)
