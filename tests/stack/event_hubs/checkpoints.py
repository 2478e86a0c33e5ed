"""How far each consumer group has come in a hub, and who reads which partition, in memory."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from azure.eventhub.aio import CheckpointStore

type _Rows = dict[tuple[str, ...], dict[str, Any]]

_GROUP = ("fully_qualified_namespace", "eventhub_name", "consumer_group")


class Checkpoints(CheckpointStore):
    """Checkpoints and ownerships, as azure-eventhub wants them kept."""

    def __init__(self) -> None:
        self.ownerships: _Rows = {}
        self.checkpoints: _Rows = {}

    async def list_ownership(self, *group: str, **_: Any) -> Iterable[dict[str, Any]]:
        """Gives who owns which partition."""
        return list(_of(self.ownerships, group))

    async def claim_ownership(self, ownership_list: Iterable[dict[str, Any]], **_: Any) -> Iterable[dict[str, Any]]:
        """Gives those that no other reader has claimed since they were listed."""
        claimed = []
        for wanted in ownership_list:
            if wanted.get("etag") == self.ownerships.get(_key(wanted), {}).get("etag"):
                owned = wanted | {"etag": str(uuid.uuid4()), "last_modified_time": time.time()}
                self.ownerships[_key(wanted)] = owned
                claimed.append(dict(owned))
        return claimed

    async def update_checkpoint(self, checkpoint: dict[str, Any], **_: Any) -> None:
        """Notes how far a partition was read."""
        self.checkpoints[_key(checkpoint)] = checkpoint

    async def list_checkpoints(self, *group: str, **_: Any) -> Iterable[dict[str, Any]]:
        """Gives how far each partition was read."""
        return list(_of(self.checkpoints, group))


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (*(row[name] for name in _GROUP), row["partition_id"])


def _of(rows: _Rows, group: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    return (dict(row) for key, row in rows.items() if key[:3] == group)
