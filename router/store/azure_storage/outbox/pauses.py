"""Destinations that refuse our credentials, in the partition `pauses`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from router.domain.deliveries import Pause
from router.store.azure_storage.shards import instant, sorting
from router.store.azure_storage.tables import AFTER, Entity, Step, Table, version_of

_PARTITION = "pauses"


class Pauses:
    """The pauses, one row each."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def pause(self, pause: Pause) -> None:
        """Remembers that a destination refuses our credentials, and since when it does."""
        told = {**_keys(pause.stream, pause.destination), "probe": sorting(pause.probe), "error": pause.error}
        written = await self._table.write([(Step("create", {**told, "since": sorting(pause.since)}),)])
        if written == [None]:
            # It is paused already, since earlier if a clock is right; if somebody has just resumed it, they know better.
            known = await self._table.find(told["PartitionKey"], told["RowKey"], ("since",))
            since = min(sorting(pause.since), known["since"]) if known is not None else sorting(pause.since)
            await self._table.write([(Step("merge", {**told, "since": since}),)])

    async def resume(self, stream: str, destination: str) -> None:
        """Forgets a pause."""
        await self._table.write([(Step("delete", _keys(stream, destination)),)])

    async def all(self, stream: str) -> Mapping[str, Pause]:
        """The pauses of a stream by destination."""
        rows = [row async for row in self._table.rows(_PARTITION, f"{stream}.", f"{stream}.{AFTER}")]
        return {pause.destination: pause for pause in map(_pause, rows)}

    async def probe(self, pause: Pause, next: datetime) -> bool:
        """Takes the one probe that a paused destination is due, putting the next one off; False if another took it."""
        keys = _keys(pause.stream, pause.destination)
        row = await self._table.find(keys["PartitionKey"], keys["RowKey"])
        if row is None or row["probe"] != sorting(pause.probe):
            return False
        taken = await self._table.write([(Step("merge", {**keys, "probe": sorting(next)}, version_of(row)),)])
        return taken != [None]


def _keys(stream: str, destination: str) -> dict[str, str]:
    return {"PartitionKey": _PARTITION, "RowKey": f"{stream}.{destination}"}


def _pause(row: Entity) -> Pause:
    stream, destination = row["RowKey"].split(".")
    return Pause(
        stream=stream,
        destination=destination,
        since=instant(row["since"]),
        probe=instant(row["probe"]),
        error=row["error"],
    )
