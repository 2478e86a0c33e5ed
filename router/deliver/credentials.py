"""Whether one destination takes our credentials, as far as this worker knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from router.domain.conversation import Result
from router.domain.deliveries import Pause
from router.domain.pauses import PROBE, is_probe_due, pause_after
from router.domain.ports.deliver import Outbox

FRESH = timedelta(seconds=5)
"""How long what was read about a pause is trusted."""


class CredentialPause:
    """The pause of one destination, which all workers share through the outbox; raises StoreError."""

    def __init__(self, stream: str, destination: str, outbox: Outbox) -> None:
        self._stream = stream
        self._destination = destination
        self._outbox = outbox
        self._read: tuple[datetime, Pause | None] | None = None

    async def find_pause(self, now: datetime) -> Pause | None:
        """The pause, read again where that was done a while ago or by a clock that is set back since."""
        if self._read is None or not timedelta() <= now - self._read[0] <= FRESH:
            self._read = (now, (await self._outbox.pauses(self._stream)).get(self._destination))
        return self._read[1]

    async def take_probe(self, pause: Pause, now: datetime) -> bool:
        """Takes the one probe that is due; False where none is, or another worker took it."""
        if not is_probe_due(pause, now) or not await self._outbox.probe(pause, now + PROBE):
            return False
        self._read = None
        return True

    async def return_probe(self, pause: Pause, now: datetime) -> None:
        """Leaves a probe that was taken to whoever comes next."""
        await self._outbox.pause(replace(pause, probe=now))
        self._read = None

    async def record_answers(self, results: Sequence[Result], pause: Pause | None, now: datetime) -> None:
        """Pauses a destination that refuses our credentials, and resumes one that was paused and took them."""
        after = pause_after(pause, results, stream=self._stream, destination=self._destination, now=now)
        if after is not None:
            await self._outbox.pause(after)
            self._read = (now, after)
        elif pause is not None:
            await self._outbox.resume(self._stream, self._destination)
            self._read = (now, None)
