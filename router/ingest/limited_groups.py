"""Lets groups open that a limit held back, on a clock: they never wait for a message that may not come."""

from __future__ import annotations

from datetime import datetime, timedelta

from router.domain.clocks import is_recent
from router.domain.ports.ingest import Journal
from router.domain.signals import Stream
from router.ingest.intake import Intake

SILENT = "silent"
"""The name under which the journal keeps when groups that nobody was notified of were last looked for."""

DAY = timedelta(days=1)
"""How often that is done; it walks all that stands."""


async def admit_waiting_groups(intake: Intake, journal: Journal, stream: Stream, now: datetime) -> int:
    """Lets the groups of a stream open that waited for room under a limit; returns how many did. Raises StoreError.

    Those that an older program counted in silence, and those that wait at a destination which the policy names no longer, are
    looked for when the policy's destinations change, and once a day: one with an older policy may be at work beside.
    """
    name = f"{SILENT}.{stream}.{intake.digest_of_destinations(stream)}"
    last = await journal.find_last_sweep(name)
    if last is None or not is_recent(last, now, DAY):
        await intake.queue_unnotified(stream, now)
        await journal.write_sweep_end(name, now)
    return await intake.admit_waiting(stream, now)
