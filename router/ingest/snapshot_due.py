"""When to look again whether snapshots of findings are over: a look walks all findings, so it waits for a reason."""

from __future__ import annotations

from datetime import datetime, timedelta

from router.domain.clocks import AHEAD, is_possible
from router.domain.signals import Stream
from router.store.engine import Transaction
from router.store.partitions import find_last_sweep, write_sweep_end
from router.store.store import Store

DAY = timedelta(days=1)

OFTEN = timedelta(hours=1)
"""How long one look is enough, and one note that rows of a snapshot come."""


class SnapshotDue:
    """What the state keeps of when a stream's snapshots may be over, in the hub's time; raises StoreError.

    Each process writes down about once an hour that rows of snapshots come. A day later they may have ended.
    """

    def __init__(self, store: Store, stream: Stream) -> None:
        self._store = store
        self._due, self._looked = f"snapshots.due.{stream}", f"snapshots.looked.{stream}"
        self._noted: datetime | None = None

    async def note_row(self, tx: Transaction, at: datetime) -> None:
        """Notes that a row of a snapshot came at an instant; `remember` is to be called once that is committed.

        One that comes late, and was over when all were looked at, does not put off the look that is due for a later one.
        """
        if self._noted is not None and abs(at - self._noted) < OFTEN:
            return
        due, looked = await self._read(tx)
        over = at + DAY
        if due is None or (looked is not None and due <= looked) or (over < due and (looked is None or over > looked)):
            await write_sweep_end(tx, self._due, over)

    def remember(self, at: datetime) -> None:
        """Remembers that what `note_row` wrote of an instant is committed."""
        if self._noted is None or abs(at - self._noted) >= OFTEN:
            self._noted = at

    async def is_due(self, until: datetime) -> bool:
        """Whether a snapshot may be over at an instant up to which all was taken in."""
        async with self._store.session() as tx:
            due, looked = await self._read(tx)
        if due is None or (due > until and is_possible(due, until, AHEAD)):
            return False
        return looked is None or not is_possible(looked, until) or (due > looked and until - looked >= OFTEN)

    async def note_look(self, until: datetime, next: datetime | None) -> None:
        """Notes that all were looked at that were over at an instant, and when the next one is if no more of it comes."""

        async def write(tx: Transaction) -> None:
            if next is not None:
                await write_sweep_end(tx, self._due, next)
            await write_sweep_end(tx, self._looked, until)

        await self._store.run(write)

    async def _read(self, tx: Transaction) -> tuple[datetime | None, datetime | None]:
        return await find_last_sweep(tx, self._due), await find_last_sweep(tx, self._looked)
