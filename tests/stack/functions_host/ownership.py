"""Who reads which partition, as one instance sees it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.stack.event_hubs.checkpoints import Checkpoints


class Ownership(Checkpoints):
    """The checkpoints of all instances, with partitions shown as free to the one that wants them.

    The SDK's load balancing then claims them, by the same etag as ever, and whoever owned them loses them.
    """

    def __init__(self, shared: Checkpoints) -> None:
        self.ownerships, self.checkpoints = shared.ownerships, shared.checkpoints
        self.wanted: set[str] = set()

    async def list_ownership(self, *group: str, **_: Any) -> Iterable[dict[str, Any]]:
        """Gives who owns what, nobody for a partition that is wanted."""
        owned = await super().list_ownership(*group)
        return [one | {"owner_id": ""} if one["partition_id"] in self.wanted else one for one in owned]

    async def claim_ownership(self, ownership_list: Iterable[dict[str, Any]], **_: Any) -> Iterable[dict[str, Any]]:
        """Claims, and wants no longer what was got."""
        claimed = list(await super().claim_ownership(ownership_list))
        self.wanted -= {one["partition_id"] for one in claimed if one["owner_id"]}
        return claimed
