"""How far each partition is ingested and who reads it, as Microsoft's client asks for it.

Imported where it is first used: it brings the whole client with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from azure.eventhub.aio import CheckpointStore

from router.domain.ports.eventhubs import HubReaders, PartitionClaim, Partitions

NOTHING = -1
"""The position where nothing is ingested."""


class Checkpoints(CheckpointStore):
    """Claims and checkpoints in the state, and how far this process knows that they are.

    A claim is as old as this process has seen it unchanged, so that clocks of several machines are never compared.
    """

    def __init__(self, partitions: Partitions, clock: Callable[[], float] = time.time) -> None:
        self._partitions = partitions
        self._clock = clock
        self._seen: dict[tuple[HubReaders, str], tuple[str, float]] = {}
        self._positions: dict[str, int] = {}
        self._void: set[tuple[str, int]] = set()

    def position_of(self, partition: str) -> int:
        """The number of the last event of a partition that is ingested, or NOTHING."""
        return self._positions.get(partition, NOTHING)

    def void(self, partition: str) -> None:
        """Forgets how far a partition is ingested: its hub was created anew, and the numbers begin again."""
        self._void.add((partition, self._positions.pop(partition, NOTHING)))

    async def list_ownership(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **kwargs: Any
    ) -> Iterable[dict[str, Any]]:
        """Who reads which partition."""
        readers = HubReaders(fully_qualified_namespace, eventhub_name, consumer_group)
        return [self._ownership(one) for one in await self._partitions.list_partitions(readers)]

    async def claim_ownership(
        self, ownership_list: Iterable[dict[str, Any]], **kwargs: Any
    ) -> Iterable[dict[str, Any]]:
        """Claims partitions, renews claims, and gives up those whose owner has no name; returns what was got."""
        wanted = [
            PartitionClaim(
                readers=_readers_in(one),
                partition=one["partition_id"],
                owner=one["owner_id"],
                claim=one.get("etag") or "",
            )
            for one in ownership_list
        ]
        return [self._ownership(one) for one in await self._partitions.claim_partitions(wanted)]

    async def list_checkpoints(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **kwargs: Any
    ) -> Iterable[dict[str, Any]]:
        """The checkpoints that the client goes on from."""
        readers = HubReaders(fully_qualified_namespace, eventhub_name, consumer_group)
        found = {
            one.partition: {**_identity(one), "sequence_number": one.sequence, "offset": one.offset}
            for one in await self._partitions.list_partitions(readers)
            if one.sequence is not None and (one.partition, one.sequence) not in self._void
        }
        self._positions |= {partition: one["sequence_number"] for partition, one in found.items()}
        return list(found.values())

    async def update_checkpoint(self, checkpoint: dict[str, Any], **kwargs: Any) -> None:
        """Writes how far the client has come."""
        partition, sequence = checkpoint["partition_id"], checkpoint["sequence_number"]
        self._positions[partition] = sequence
        await self._partitions.write_position(
            PartitionClaim(
                readers=_readers_in(checkpoint), partition=partition, sequence=sequence, offset=checkpoint["offset"]
            )
        )

    def _ownership(self, one: PartitionClaim) -> dict[str, Any]:
        claim, since = self._seen.get((one.readers, one.partition), ("", 0.0))
        if claim != one.claim:
            since = self._clock()
            self._seen[one.readers, one.partition] = one.claim, since
        return {**_identity(one), "owner_id": one.owner, "etag": one.claim, "last_modified_time": since}


def _identity(one: PartitionClaim) -> dict[str, Any]:
    namespace, hub, group = one.readers
    return {
        "fully_qualified_namespace": namespace,
        "eventhub_name": hub,
        "consumer_group": group,
        "partition_id": one.partition,
    }


def _readers_in(one: dict[str, Any]) -> HubReaders:
    return HubReaders(one["fully_qualified_namespace"], one["eventhub_name"], one["consumer_group"])
