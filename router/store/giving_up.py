"""What becomes of open deliveries beside their claims: they are given up on, given back, or brought forward."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from itertools import batched

from router.domain.delivery_errors import NOWHERE
from router.domain.delivery_lifecycle import brought_forward, given_up, is_unclaimed, released, skipped
from router.domain.supersession import superseded
from router.store.claiming import IS_FIRST, find_ends_to_send
from router.store.delivery_rows import (
    ENTRY,
    IS_OPEN,
    StoredEntry,
    read_entries,
    read_signals,
    set_aside_unknown,
    sound_entries,
    write_entries,
)
from router.store.engine import Engine, Transaction
from router.store.instants import micros
from router.store.pauses import forget_pauses

_AT_A_TIME = 500
"""Deliveries that one transaction sees to: no other waits for more."""

_COLUMNS = ", ".join(ENTRY)

_NEXT = f"""
SELECT {", ".join(f"d.{column}" for column in ENTRY)} FROM deliveries d INDEXED BY due
WHERE d.stream=? AND d.destination=? AND d.{IS_OPEN} AND d.state='owed' AND {IS_FIRST}
ORDER BY d.due, d.place LIMIT 1 FOR UPDATE OF d
"""


class OpenDeliveries:
    """Gives up on deliveries, and brings others forward; raises StoreError."""

    _engine: Engine

    async def abandon(self, stream: str, named: Collection[str], born_before: datetime, now: datetime) -> int:
        """Give up on deliveries that old of a stream to destinations that the policy does not name; return how many.

        What such a destination was paused for is forgotten.
        """
        async with self._engine.transaction() as tx:
            await set_aside_unknown(tx, now)
            await forget_pauses(tx, stream, named)
        count = 0
        for some in batched(
            await self._find_old(stream, born_before, "destination <> ALL(?)", list(named)), _AT_A_TIME, strict=False
        ):
            async with self._engine.transaction() as tx:
                count += await _give_up(tx, await _read_open(tx, some, now), NOWHERE, now)
        return count

    async def give_up(self, stream: str, destination: str, born_until: datetime, error: str, now: datetime) -> int:
        """Give up on what was owed until an instant at a destination that cannot be asked; return how many deliveries.

        What is superseded is skipped before, as it is before a claim.
        """
        count = 0
        for some in batched(
            await self._find_old(stream, born_until, "destination=?", destination), _AT_A_TIME, strict=False
        ):
            async with self._engine.transaction() as tx:
                old = await _read_open(tx, some, now)
                skipped = await _skip_superseded(tx, old, now)
                count += await _give_up(tx, [one for one in old if one.row_id not in skipped], error, now)
        return count

    async def bring_forward(self, stream: str, destination: str, due: datetime, now: datetime) -> bool:
        """Make the delivery that is next there due at an instant at the latest; False where none waits."""
        async with self._engine.transaction() as tx:
            found, _ = sound_entries(await tx.fetch(_NEXT, stream, destination))
            await write_entries(tx, [brought_forward(one, due) for one in found])
        return bool(found)

    async def release_claims(self) -> int:
        """Give back all claims; for the one process that holds the state, since no other lives. None counts as lost."""
        async with self._engine.transaction() as tx:
            sql = f"SELECT {_COLUMNS} FROM deliveries INDEXED BY due WHERE {IS_OPEN} AND state='claimed'"
            claimed, _ = sound_entries(await tx.fetch(sql))
            await write_entries(tx, map(released, claimed))
        return len(claimed)

    async def _find_old(self, stream: str, born_until: datetime, where: str, value: object) -> list[int]:
        """The rows of open deliveries that are so old."""
        sql = f"SELECT place FROM deliveries INDEXED BY due WHERE stream=? AND {IS_OPEN} AND born<=? AND {where}"
        async with self._engine.session() as tx:
            return [row.whole("place") for row in await tx.fetch(sql, stream, micros(born_until), value)]


async def _read_open(tx: Transaction, row_ids: Iterable[int], now: datetime) -> list[StoredEntry]:
    return await read_entries(tx, now, f"place = ANY(?) AND {IS_OPEN}", list(row_ids))


async def _skip_superseded(tx: Transaction, entries: Iterable[StoredEntry], now: datetime) -> set[int]:
    """Skips what is superseded of the signals of some open deliveries; returns the rows."""
    row_ids = {one.key: one.row_id for one in entries}
    signals = (await read_signals(tx, row_ids.values())).values()
    kept = await find_ends_to_send(tx, list(signals))
    gone: dict[int, StoredEntry] = {}
    for some in signals:
        while needless := superseded(some, kept):
            gone |= {one.row_id: skipped(one, now) for one in needless}
            some = [gone.get(one.row_id, one) for one in some]
    await write_entries(tx, gone.values())
    return set(gone)


async def _give_up(tx: Transaction, entries: Iterable[StoredEntry], ending: str, now: datetime) -> int:
    """Gives up on those that no worker has in flight; what is in flight is left to its worker."""
    dead = [given_up(one, now, ending) for one in entries if is_unclaimed(one, now)]
    await write_entries(tx, dead)
    return len(dead)
