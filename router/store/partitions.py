"""Who reads which partition of a hub outside Functions, and up to where it is taken in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter
from uuid import uuid4

from router.domain.ports.eventhubs import HubReaders, PartitionClaim
from router.store.engine import Engine
from router.store.instants import Clock
from router.store.quarantine import read_sound
from router.store.row_reader import Columns

_OF = "namespace=? AND hub=? AND readers=?"
_LIST = f"SELECT * FROM partitions WHERE {_OF} ORDER BY partition"
_CLAIM_NEW = """
INSERT INTO partitions (namespace, hub, readers, partition, owner, claim) VALUES (?,?,?,?,?,?)
ON CONFLICT (namespace, hub, readers, partition) DO NOTHING
"""
_CLAIM = f"UPDATE partitions SET owner=?, claim=? WHERE {_OF} AND partition=? AND claim=?"
_WRITE_POSITION = """
INSERT INTO partitions (namespace, hub, readers, partition, owner, claim, sequence, place) VALUES (?,?,?,?,'','',?,?)
ON CONFLICT (namespace, hub, readers, partition) DO UPDATE SET sequence=excluded.sequence, place=excluded.place
"""


class SqlPartitions:
    """Claims and positions, in `partitions`.

    A claim has no time in it: each process sees by its own clock how long another one's claim did not change.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def list_partitions(self, readers: HubReaders) -> Sequence[PartitionClaim]:
        """Return all that is known of the partitions of a hub. One whose row cannot be read is read from its start."""
        async with self._engine.session() as tx:
            return await read_sound(tx, "partitions", _LIST, readers, _partition)

    async def claim_partitions(self, wanted: Sequence[PartitionClaim]) -> Sequence[PartitionClaim]:
        """Claim partitions, each only where its claim is still the one that is stored; return those that were got."""
        got = []
        async with self._engine.transaction() as tx:
            for old in sorted(wanted, key=attrgetter("readers", "partition")):
                new = replace(old, claim=uuid4().hex)
                claimed = await tx.execute(_CLAIM, new.owner, new.claim, *old.readers, old.partition, old.claim)
                if not claimed and not old.claim:
                    claimed = await tx.execute(_CLAIM_NEW, *new.readers, new.partition, new.owner, new.claim)
                if claimed:
                    got.append(new)
        return got

    async def write_position(self, partition: PartitionClaim) -> None:
        """Write down up to where a partition is taken in."""
        async with self._engine.transaction() as tx:
            await tx.execute(
                _WRITE_POSITION, *partition.readers, partition.partition, partition.sequence, partition.offset
            )

    async def free_partitions(self) -> None:
        """Have no process read any partition."""
        async with self._engine.transaction() as tx:
            await tx.execute("UPDATE partitions SET owner=''")


def _partition(row: Columns) -> PartitionClaim:
    return PartitionClaim(
        readers=HubReaders(row.text("namespace"), row.text("hub"), row.text("readers")),
        partition=row.text("partition"),
        owner=row.text("owner"),
        claim=row.text("claim"),
        sequence=row.whole("sequence") if row.raw("sequence") is not None else None,
        offset=row.find_text("place"),
    )
