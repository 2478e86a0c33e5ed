"""How far each partition is ingested, kept in blobs by Microsoft's own store.

Imported where it is first used: it brings the whole client with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

NOTHING = -1
"""The position where nothing is ingested."""


class Checkpoints(BlobCheckpointStore):
    """The checkpoints in a container, which is its opener's to close, and how far this process knows that they are."""

    def __init__(self, container: ContainerClient) -> None:
        super().__init__(container.url, container.container_name, container_client=container)
        self._positions: dict[str, int] = {}
        self._void: set[tuple[str, int]] = set()

    def position_of(self, partition: str) -> int:
        """The number of the last event of a partition that is ingested, or NOTHING."""
        return self._positions.get(partition, NOTHING)

    def void(self, partition: str) -> None:
        """Forgets how far a partition is ingested: its hub was created anew, and the numbers begin again."""
        self._void.add((partition, self._positions.pop(partition, NOTHING)))

    async def list_checkpoints(self, *args: Any, **kwargs: Any) -> Iterable[dict[str, Any]]:
        """The checkpoints that the client goes on from."""
        found = [one for one in await super().list_checkpoints(*args, **kwargs) if _position_in(one) not in self._void]
        self._positions |= dict(map(_position_in, found))
        return found

    async def update_checkpoint(self, checkpoint: dict[str, Any], **kwargs: Any) -> None:
        """Writes how far the client has come."""
        self._positions |= dict([_position_in(checkpoint)])
        await super().update_checkpoint(checkpoint, **kwargs)


def _position_in(checkpoint: dict[str, Any]) -> tuple[str, int]:
    return checkpoint["partition_id"], checkpoint["sequence_number"]
