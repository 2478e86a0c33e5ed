"""Where the partitions of a hub end."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from azure.eventhub.aio import EventHubConsumerClient


class Ends:
    """Asks a hub for its ends; each question takes a third of a second, so they are put at once."""

    def __init__(self, connection: str, hub: str, group: str) -> None:
        def client() -> EventHubConsumerClient:
            return EventHubConsumerClient.from_connection_string(connection, group, eventhub_name=hub)

        # One for each partition, and one for the hub: a connection of the SDK's is no place for two questions at once.
        self._clients: dict[str, EventHubConsumerClient] = defaultdict(client)
        self._partitions: list[str] = []

    async def lasts(self) -> dict[str, int]:
        """Gives the sequence number of the latest event of each partition, -1 where there was none."""
        about = asyncio.gather(self._clients["hub"].get_partition_ids(), self._lasts(), return_exceptions=True)
        ids, lasts = await about
        if isinstance(ids, BaseException):
            raise ids
        if ids != self._partitions:
            self._partitions = ids
            return await self._lasts()
        if isinstance(lasts, BaseException):
            raise lasts
        return lasts

    async def close(self) -> None:
        """Lets go of its connections."""
        await asyncio.gather(*(client.close() for client in self._clients.values()))

    async def _lasts(self) -> dict[str, int]:
        about = [self._clients[id].get_partition_properties(id) for id in self._partitions]
        return {one["id"]: _last(one) for one in await asyncio.gather(*about)}


def _last(about: dict[str, object]) -> int:
    return -1 if about["is_empty"] else int(str(about["last_enqueued_sequence_number"]))
