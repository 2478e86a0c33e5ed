"""One sweep of one stream: what no trigger would ever do again is done here, every minute."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from router.domain.notices import RecordEntry
from router.domain.ports import Pointed, Retention, Store
from router.domain.rulebook import Lane, Rulebook
from router.domain.sweeps import Swept
from router.intake import Intake
from router.watch.held import release
from router.watch.holes import HoleFiller

PURGED = "purge"
"""The name under which the journal knows when retention was last seen to."""

PURGE = timedelta(days=1)
"""How often retention is seen to; it walks everything."""


class Sweeper:
    """Sweeps one stream; raises StoreError. Safe to repeat, and to break off anywhere.

    `longest` is how old a delivery may grow in each lane; `named` are the destinations that the policy names.
    """

    def __init__(
        self,
        store: Store,
        outbox: Pointed,
        rulebook: Rulebook,
        intake: Intake,
        filler: HoleFiller,
        *,
        longest: Mapping[Lane, timedelta],
        named: Collection[str],
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._rulebook = rulebook
        self._intake = intake
        self._filler = filler
        self._longest = longest
        self._named = named
        self._stream = rulebook.stream.value

    async def sweep(self, now: datetime) -> tuple[Swept, list[RecordEntry]]:
        """Points again at what is owed, lets go what rules held, fills the holes of the hub; returns what came of it."""
        for lane, longest in self._longest.items():
            await self._outbox.expire(lane, now - longest, now)
        await self._outbox.abandon(self._stream, self._named, now)
        repointed = await self._outbox.repoint(self._stream, now)
        released = await release(self._intake, self._store.ledger, self._rulebook, now)
        filled = await self._filler.fill(now)
        await self._see_to_retention(now)
        await self._store.journal.sweep_ended(self._stream, now)
        swept = Swept(
            stream=self._stream,
            at=now,
            taken=len(filled.entries),
            lost=tuple(filled.losses),
            lag=filled.lag,
            repointed=repointed,
            released=len(released),
            backlog=await self._outbox.backlog(self._stream),
            paused=await self._outbox.pauses(self._stream),
            warnings=tuple(filled.warnings),
        )
        return swept, [*released, *filled.entries]

    async def _see_to_retention(self, now: datetime) -> None:
        """Once a day takes away what need not be kept, and completes what nobody has met since it was left half done."""
        journal = self._store.journal
        name = f"{PURGED}.{self._stream}"
        last = await journal.swept(name)
        if last is not None and now - last < PURGE:
            return
        await self._intake.complete(await self._store.ledger.unfinished(self._stream), now)
        await self._store.purge(now, Retention())
        await journal.sweep_ended(name, now)
