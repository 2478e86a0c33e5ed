"""The loop that delivers what is due in one lane, each destination by its own worker: none's trouble delays another's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from router.deliver.destination_holds import NoHolds
from router.deliver.worker import Worker
from router.domain.clocks import is_possible
from router.domain.errors import StoreError
from router.domain.lane_limits import LONGEST_LEASE
from router.domain.pauses import is_probe_due, pauses_among
from router.domain.ports.deliver import DestinationHolds
from router.domain.rulebook import Lane
from router.store.delivery_status import count_due, find_first_due
from router.store.destinations import list_pauses
from router.store.store import Store

LOOK = 1.0
"""Seconds between two looks at what is due, while a loop waits."""

MOST = 4000
"""Deliveries of one destination that are counted at most."""

EPOCH = datetime.fromtimestamp(0, UTC)
FAR = datetime.max.replace(tzinfo=UTC)

_NO_HOLDS = NoHolds()


class DeliveryLoop:
    """Delivers what is due at some destinations of a stream.

    Args:
        workers: what delivers to each destination, by its name.
        holds: the destinations that persons hold.
    """

    def __init__(
        self,
        stream: str,
        workers: Mapping[str, Worker],
        *,
        store: Store,
        clock: Callable[[], datetime],
        holds: DestinationHolds = _NO_HOLDS,
    ) -> None:
        self._stream = stream
        self._workers = workers
        self._store = store
        self._clock = clock
        self._holds = holds
        self._has_news = asyncio.Event()
        self._is_running = False

    @property
    def destinations(self) -> Collection[str]:
        """The names of the destinations."""
        return self._workers.keys()

    async def deliver_due(self, is_ended: Callable[[], bool]) -> None:
        """Deliver what is due now; what falls due meanwhile is left. Raises StoreError.

        Once `is_ended` says so, what is on its way is finished, and what was claimed and not sent is given back.
        """
        now = self._clock()
        await self._run(lambda: now, is_ended)

    async def deliver_on(self, is_ended: Callable[[], bool], ahead: timedelta | None = None) -> bool:
        """Deliver while something is due or falls due within a time, without one for ever, until `is_ended` says so.

        Return whether it was ended while something was due or fell due soon. Where the loop is running already, that looks
        at once for what is due, and this returns False. Raises StoreError.
        """
        if self._is_running:
            self._has_news.set()
            return False
        if ahead is None:
            return await self._run(lambda: FAR, is_ended, is_endless=True)
        return await self._run(lambda: self._clock() + ahead, is_ended)

    def look_again(self) -> None:
        """Have a loop that waits look at once for what is due."""
        self._has_news.set()

    async def write_unwritten(self) -> None:
        """Write down what was sent and the state did not take before; raises StoreError."""
        for worker in self._workers.values():
            await worker.write_unwritten()

    async def _run(
        self, horizon: Callable[[], datetime], is_ended: Callable[[], bool], *, is_endless: bool = False
    ) -> bool:
        passes: dict[str, asyncio.Task[bool]] = {}
        quiet: dict[str, float] = {}
        faults: list[StoreError] = []
        ticks = asyncio.get_running_loop().time

        def is_over() -> bool:
            return bool(faults) or is_ended()

        self._is_running = True
        try:
            try:
                await self.write_unwritten()
            except StoreError as fault:
                faults.append(fault)
            while True:
                self._has_news.clear()
                dues = await self._find_dues(horizon(), faults) if not is_over() else {}
                now = self._clock()
                for name, due in dues.items():
                    if due <= now and name not in passes and quiet.get(name, 0.0) <= ticks() and not is_over():
                        passes[name] = asyncio.create_task(self._workers[name].deliver_due(is_over))
                later = min((due for name, due in dues.items() if name not in passes and due > now), default=None)
                if not passes and (is_over() or (later is None and not is_endless)):
                    break
                await self._wait(passes.values(), later - now if later is not None else None)
                for name in [name for name, one in passes.items() if one.done()]:
                    try:
                        if not passes.pop(name).result():
                            # Something is due, and nothing could be claimed: it is not asked again at once.
                            quiet[name] = ticks() + LOOK
                    except StoreError as fault:
                        faults.append(fault)
        finally:
            self._is_running = False
            for one in passes.values():
                one.cancel()
            await asyncio.gather(*passes.values(), return_exceptions=True)
        if faults:
            raise faults[0]
        return is_ended()

    async def _find_dues(self, until: datetime, faults: list[StoreError]) -> Mapping[str, datetime]:
        """When each destination is next asked, as far as that is not after an instant; nothing where the state fails."""
        try:
            now = self._clock()
            waits = await find_waits(self._stream, self._store, self._holds, now)
            async with self._store.session() as tx:
                dues = await find_first_due(tx, self._stream, list(self._workers))
        except StoreError as fault:
            faults.append(fault)
            return {}
        for name, worker in self._workers.items():
            waits[name] = max(waits.get(name, EPOCH), worker.find_end_of_rest(now) or EPOCH)
        # One that only a wrong clock can have put off so far is due.
        found = {
            name: max(due if is_possible(due, now, LONGEST_LEASE) else EPOCH, waits[name]) for name, due in dues.items()
        }
        return {name: due for name, due in found.items() if due <= until}

    async def _wait(self, passes: Iterable[asyncio.Task[bool]], longest: timedelta | None) -> None:
        """Waits until a pass is over, there is news, or it is time to look again."""
        news = asyncio.create_task(self._has_news.wait())
        timeout = LOOK if longest is None else min(LOOK, longest.total_seconds())
        try:
            await asyncio.wait([news, *passes], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()


async def find_waits(stream: str, store: Store, holds: DestinationHolds, now: datetime) -> dict[str, datetime]:
    """Return the instant before which each destination of a stream is not asked, of those that are paused or held."""
    async with store.session() as tx:
        pauses = pauses_among(await list_pauses(tx, stream))
    waits = {name: pause.probe for name, pause in pauses.items() if not is_probe_due(pause, now)}
    for name, hold in (await holds.held_in(stream, now)).items():
        waits[name] = max(hold.ends, waits.get(name, hold.ends))
    return waits


async def count_due_by_lane(
    stream: str, loops: Mapping[Lane, DeliveryLoop], store: Store, holds: DestinationHolds, now: datetime
) -> Mapping[Lane, int]:
    """Return how many deliveries are due in each lane of a stream, at destinations that may be asked now, up to `MOST` each.

    Raises StoreError.
    """
    waits = await find_waits(stream, store, holds, now)
    names = [name for loop in loops.values() for name in loop.destinations if name not in waits]
    async with store.session() as tx:
        due = await count_due(tx, stream, names, now, MOST)
    return {lane: sum(due.get(name, 0) for name in loop.destinations) for lane, loop in loops.items()}
