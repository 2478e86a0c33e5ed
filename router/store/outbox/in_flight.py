"""What the workers of this process have claimed: a settlement needs no look at a row that nobody else has touched."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from router.domain.delivery_lifecycle import OutboxEntry

_LONG_OVER = timedelta(days=1)
"""How long after its lease a claim that nobody settles is remembered: for so long storage may take no settlements."""


class InFlight[E: OutboxEntry]:
    """The entries as they were claimed, by the ids of the claims; it forgets what nobody ever settles."""

    def __init__(self) -> None:
        self._claimed: dict[str, E] = {}

    def remember(self, entries: Iterable[E], now: datetime) -> None:
        """Remembers claims."""
        for one in entries:
            self._claimed[one.claim] = one
        while self._claimed:
            oldest = next(iter(self._claimed.values()))
            if oldest.lease is None or oldest.lease >= now - _LONG_OVER:
                break
            del self._claimed[oldest.claim]

    def find(self, claim: str) -> E | None:
        """The entry as it was by that claim, unless the claim was settled or is none of this process."""
        return self._claimed.get(claim)

    def forget(self, claims: Iterable[str]) -> None:
        """Forgets claims that were settled."""
        for claim in claims:
            self._claimed.pop(claim, None)
