"""Who reads which partition, kept in blobs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore


class Ownership(BlobCheckpointStore):
    """A checkpoint store that shows partitions as free to an instance that wants them.

    The SDK's load balancing then claims them, over the same blob and etag as ever, and whoever owned them loses them.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wanted: set[str] = set()

    async def list_ownership(self, *args: Any, **kwargs: Any) -> Iterable[dict[str, Any]]:
        """Gives who owns what, nobody for a partition that is wanted."""
        owned = await super().list_ownership(*args, **kwargs)
        return [one | {"owner_id": ""} if one["partition_id"] in self.wanted else one for one in owned]

    async def claim_ownership(self, *args: Any, **kwargs: Any) -> Iterable[dict[str, Any]]:
        """Claims, and wants no longer what was got."""
        claimed = list(await super().claim_ownership(*args, **kwargs))
        self.wanted -= {one["partition_id"] for one in claimed if one["owner_id"]}
        return claimed
