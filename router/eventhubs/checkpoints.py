"""Which process reads which partition, and from where, as Microsoft's client asks for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from azure.eventhub.aio import CheckpointStore

from router.domain.errors import StoreError
from router.domain.hubs import Partition, PartitionClaim

NOTHING = -1
"""The position where nothing is taken in."""


class Partitions(Protocol):
    """Which process reads which partition, in the state. Each method raises StoreError."""

    async def list_claims(self, hub: str) -> Sequence[PartitionClaim]:
        """Return what is known of the partitions of a hub."""

    async def claim_partitions(self, wanted: Sequence[PartitionClaim]) -> Sequence[PartitionClaim]:
        """Claim partitions, each only where its claim is still the one that is stored; return those that were got."""


class Checkpoints(CheckpointStore):
    """Claims in the state, and how far this process knows that each partition is taken in.

    What takes a batch in also writes down that it did, so there is no checkpoint to write. A claim is as old as this process
    has seen it unchanged, so that clocks of several machines are never compared.
    """

    def __init__(self, partitions: Partitions, clock: Callable[[], float] = time.time) -> None:
        self._partitions = partitions
        self._clock = clock
        self._seen: dict[Partition, tuple[str, float]] = {}
        self._ours: dict[Partition, str] = {}
        self._positions: dict[str, int] = {}

    def position_of(self, partition: str) -> int:
        """The number of the last event of a partition that is taken in, or NOTHING."""
        return self._positions.get(partition, NOTHING)

    def void(self, partition: str) -> None:
        """Forgets how far a partition is taken in: its hub was created anew, and the numbers begin again."""
        self._positions[partition] = NOTHING

    async def is_ours(self, partition: Partition) -> bool:
        """Whether the state has it that this process reads a partition."""
        claims = {one.partition: one.claim for one in await self._partitions.list_claims(partition.hub)}
        return partition in self._ours and claims.get(partition) == self._ours[partition]

    async def list_ownership(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **kwargs: Any
    ) -> Iterable[dict[str, Any]]:
        """Return which process reads which partition."""
        where = _identity(fully_qualified_namespace, eventhub_name, consumer_group)
        return [where | self._ownership(one) for one in await self._partitions.list_claims(eventhub_name)]

    async def claim_ownership(
        self, ownership_list: Iterable[dict[str, Any]], **kwargs: Any
    ) -> Iterable[dict[str, Any]]:
        """Claim partitions, renew claims, and give up those whose owner has no name; return what was got."""
        wanted = {Partition(one["eventhub_name"], one["partition_id"]): one for one in ownership_list}
        claims = [PartitionClaim(place, one["owner_id"], one.get("etag") or "") for place, one in wanted.items()]
        try:
            got = await self._partitions.claim_partitions(claims)
        except StoreError:
            if any(one.owner for one in claims):
                raise
            return []  # Nobody hears of what is given up, and it is free when its lease ends.
        self._ours |= {one.partition: one.claim for one in got if one.owner}
        return [wanted[one.partition] | self._ownership(one) for one in got]

    async def list_checkpoints(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **kwargs: Any
    ) -> Iterable[dict[str, Any]]:
        """Return the positions that the client goes on from: it takes a number for a sequence number."""
        where = _identity(fully_qualified_namespace, eventhub_name, consumer_group)
        found = {
            one.partition.id: one.sequence
            for one in await self._partitions.list_claims(eventhub_name)
            if one.sequence is not None and self._positions.get(one.partition.id) != NOTHING
        }
        self._positions |= found
        return [where | {"partition_id": id, "sequence_number": at, "offset": at} for id, at in found.items()]

    async def update_checkpoint(self, checkpoint: dict[str, Any], **kwargs: Any) -> None:
        """Remember how far the client has come."""
        self._positions[checkpoint["partition_id"]] = checkpoint["sequence_number"]

    def _ownership(self, one: PartitionClaim) -> dict[str, Any]:
        claim, since = self._seen.get(one.partition, ("", 0.0))
        if claim != one.claim:
            _, since = self._seen[one.partition] = one.claim, self._clock()
        return {"partition_id": one.partition.id, "owner_id": one.owner, "etag": one.claim, "last_modified_time": since}


def _identity(namespace: str, hub: str, group: str) -> dict[str, Any]:
    return {"fully_qualified_namespace": namespace, "eventhub_name": hub, "consumer_group": group}
