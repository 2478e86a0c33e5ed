"""Who reads which partition of a hub, for `eventhubs/`, which shares the partitions among processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class HubReaders(NamedTuple):
    """The processes that share the partitions of a hub: those of one consumer group."""

    namespace: str
    hub: str
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionClaim:
    """A partition, who reads it, and up to where it is taken in.

    Attributes:
        owner: the process that reads it; empty where none does.
        claim: another one with each claim and each renewal; empty where the partition was never claimed.
        sequence: the number of the last event that is taken in; None where none is.
        offset: where that event is in the partition.
    """

    readers: HubReaders
    partition: str
    owner: str = ""
    claim: str = ""
    sequence: int | None = None
    offset: str | None = None


class Partitions(Protocol):
    """Keeps claims of partitions, and up to where they are taken in. Each method raises StoreError."""

    async def list_partitions(self, readers: HubReaders) -> Sequence[PartitionClaim]:
        """Return all that is known of the partitions of a hub."""
        ...

    async def claim_partitions(self, wanted: Sequence[PartitionClaim]) -> Sequence[PartitionClaim]:
        """Claim partitions for the owners that they name, each only where its claim is still the one that is stored.

        Return those that were got, with their new claims.
        """
        ...

    async def write_position(self, partition: PartitionClaim) -> None:
        """Write down up to where a partition is taken in; who reads it stays as it is stored."""
        ...

    async def free_partitions(self) -> None:
        """Have no process read any partition: all that claimed one are dead."""
        ...
