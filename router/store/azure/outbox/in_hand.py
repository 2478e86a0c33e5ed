"""What the workers of this process have claimed: a settlement needs no look at a row that nobody else has touched."""

from __future__ import annotations

from datetime import datetime, timedelta

from router.store.azure.outbox.stages import Stage

_LONG_OVER = timedelta(hours=1)
"""How long after its lease a claim that nobody settles is remembered."""


class InHand:
    """The stages at which deliveries were claimed, by the deliveries' ids; it forgets what nobody ever settles."""

    def __init__(self) -> None:
        self._claimed: dict[str, Stage] = {}

    def take(self, stage: Stage, now: datetime) -> None:
        """Remembers a claim."""
        self._claimed.pop(stage.id, None)
        self._claimed[stage.id] = stage
        while (oldest := next(iter(self._claimed.values()))).lease is not None and oldest.lease < now - _LONG_OVER:
            del self._claimed[oldest.id]

    def find(self, id: str) -> Stage | None:
        """The stage at which a delivery was claimed here last, unless it was settled since."""
        return self._claimed.get(id)

    def let_go(self, id: str) -> None:
        """Forgets a claim that was settled."""
        self._claimed.pop(id, None)
