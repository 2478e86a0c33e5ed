"""By which instant the state is forgotten: what is forgotten is gone, so a clock is not believed at once."""

from __future__ import annotations

from datetime import datetime

from router.domain.ports.ingest import Journal
from router.domain.retention import ClockWitness, forgets_by, witness_after

TRUSTED, LEAPT = "forgetting", "forgetting.leapt"
"""The names under which the journal keeps what is known of the clocks."""


async def find_instant_to_forget_by(journal: Journal, now: datetime) -> datetime | None:
    """The instant by which the state may be forgotten now; None while no clock is known to be right. Raises StoreError."""
    trusted, leapt = await journal.find_last_sweep(TRUSTED), await journal.find_last_sweep(LEAPT)
    is_open = leapt is not None and (trusted is None or leapt > trusted)
    before = ClockWitness(trusted, leapt if is_open else None)
    witness = witness_after(before, now)
    if witness.trusted is not None and witness.trusted != before.trusted:
        await journal.write_sweep_end(TRUSTED, witness.trusted)
    # One that is no later than what is trusted says nothing any more.
    known = witness.leapt or witness.trusted
    if known is not None and known != leapt:
        await journal.write_sweep_end(LEAPT, known)
    return forgets_by(witness, now)
