"""When to look again whether snapshots of findings are over: a look walks all findings, so it waits for a reason."""

from __future__ import annotations

from datetime import datetime, timedelta

from router.domain.clocks import AHEAD, is_possible
from router.domain.ports.ingest import Journal
from router.domain.signals import Stream

DAY = timedelta(days=1)

OFTEN = timedelta(hours=1)
"""How long one look is enough, and one note that rows of a snapshot come."""


class SnapshotDue:
    """What the journal keeps of when a stream's snapshots may be over, in the hub's time; raises StoreError.

    Each process writes down about once an hour that rows of snapshots come. A day later they may have ended.
    """

    def __init__(self, journal: Journal, stream: Stream) -> None:
        self._journal = journal
        self._due, self._looked = f"snapshots.due.{stream}", f"snapshots.looked.{stream}"
        self._noted: datetime | None = None

    async def note_row(self, at: datetime) -> None:
        """Notes that a row of a snapshot came at an instant.

        One that comes late, and was over when all were looked at, does not put off the look that is due for a later one.
        """
        if self._noted is not None and abs(at - self._noted) < OFTEN:
            return
        due, looked = await self._read()
        over = at + DAY
        if due is None or (looked is not None and due <= looked) or (over < due and (looked is None or over > looked)):
            await self._journal.write_sweep_end(self._due, over)

    def remember(self, at: datetime) -> None:
        """Remembers that what `note_row` wrote of an instant is committed."""
        if self._noted is None or abs(at - self._noted) >= OFTEN:
            self._noted = at

    async def is_due(self, until: datetime) -> bool:
        """Whether a snapshot may be over at an instant up to which all was taken in."""
        due, looked = await self._read()
        if due is None or (due > until and is_possible(due, until, AHEAD)):
            return False
        return looked is None or not is_possible(looked, until) or (due > looked and until - looked >= OFTEN)

    async def note_look(self, until: datetime, next: datetime | None) -> None:
        """Notes that all were looked at that were over at an instant, and when the next one is if no more of it comes."""
        if next is not None:
            await self._journal.write_sweep_end(self._due, next)
        await self._journal.write_sweep_end(self._looked, until)

    async def _read(self) -> tuple[datetime | None, datetime | None]:
        return await self._journal.find_last_sweep(self._due), await self._journal.find_last_sweep(self._looked)
