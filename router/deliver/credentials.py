"""Whether one destination takes our credentials, and those of owners, as far as this worker knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from router.domain.conversation import Result
from router.domain.deliveries import Delivery, Pause
from router.domain.pauses import PROBE, find_key_answer, is_probe_due, pause_after
from router.store.destinations import list_pauses, pause_destination, resume_destination, take_probe
from router.store.store import Store

FRESH = timedelta(seconds=5)
"""How long what was read about a pause is trusted."""


class CredentialPause:
    """The pause of one destination, which all workers share through the state; raises StoreError."""

    def __init__(self, stream: str, destination: str, store: Store) -> None:
        self._stream = stream
        self._destination = destination
        self._store = store
        self._read: tuple[datetime, Mapping[str, Pause]] | None = None

    async def find_pause(self, now: datetime) -> Pause | None:
        """The pause, read again where that was done a while ago or by a clock that is set back since."""
        return (await self._pauses(now)).get(self._destination)

    async def _pauses(self, now: datetime) -> Mapping[str, Pause]:
        if self._read is None or not timedelta() <= now - self._read[0] <= FRESH:
            async with self._store.session() as tx:
                self._read = (now, await list_pauses(tx, self._stream))
        return self._read[1]

    async def take_probe(self, pause: Pause, now: datetime) -> bool:
        """Takes the one probe that is due; False where none is, or another worker took it."""
        if not is_probe_due(pause, now) or not await self._store.run(lambda tx: take_probe(tx, pause, now + PROBE)):
            return False
        self._read = None
        return True

    async def return_probe(self, pause: Pause, now: datetime) -> None:
        """Leaves a probe that was taken to whoever comes next."""
        await self._store.run(lambda tx: pause_destination(tx, replace(pause, probe=now)))
        self._read = None

    async def record_answers(self, results: Sequence[Result], pause: Pause | None, now: datetime) -> None:
        """Pauses a destination that refuses our credentials, and resumes one that was paused and took them."""
        after = pause_after(pause, results, stream=self._stream, destination=self._destination, now=now)
        if after is not None or pause is not None:
            await self._write(self._destination, after)

    async def record_key_answers(self, results: Iterable[tuple[Delivery, Result]], now: datetime) -> None:
        """Remembers which owners' keys are refused, and forgets it of those that took a page."""
        answers = (find_key_answer(delivery, result, now) for delivery, result in results)
        for name, refusal in {one.name: one.refusal for one in answers if one is not None}.items():
            if refusal is not None or name in await self._pauses(now):
                await self._write(name, refusal)

    async def _write(self, name: str, pause: Pause | None) -> None:
        """Remembers a pause, or forgets it."""
        if pause is not None:
            await self._store.run(lambda tx: pause_destination(tx, pause))
        else:
            await self._store.run(lambda tx: resume_destination(tx, self._stream, name))
        self._read = None
