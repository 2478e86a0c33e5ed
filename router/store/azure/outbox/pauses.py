"""Destinations that refuse our credentials, in the partition `pauses`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from router.domain.deliveries import Pause
from router.store.azure.damaged_rows import Aside
from router.store.azure.shards import sorting
from router.store.azure.tables import AFTER, Step, Table, version_of
from router.store.codec import readable
from router.store.columns import Columns

_PARTITION = "pauses"


class Pauses:
    """The pauses, one row each."""

    def __init__(self, table: Table, aside: Aside) -> None:
        self._table = table
        self._aside = aside

    async def pause(self, pause: Pause) -> None:
        """Remembers that a destination refuses our credentials, and since when it does."""
        told = {**_keys(pause.stream, pause.destination), "probe": sorting(pause.probe), "error": pause.error}
        written = await self._table.write([(Step("create", {**told, "since": sorting(pause.since)}),)])
        if written == [None]:
            # It is paused already, since earlier if a clock is right; if somebody has just resumed it, they know better.
            known = await self._table.find(told["PartitionKey"], told["RowKey"], ("since",))
            earlier = readable(None, Columns(known).find_time, "since") if known is not None else None
            since = sorting(min(pause.since, earlier or pause.since))
            await self._table.write([(Step("merge", {**told, "since": since}),)])

    async def resume(self, stream: str, destination: str) -> None:
        """Forgets a pause."""
        await self._table.write([(Step("delete", _keys(stream, destination)),)])

    async def all(self, stream: str) -> Mapping[str, Pause]:
        """The pauses of a stream by destination."""
        rows = self._table.rows(_PARTITION, f"{stream}.", f"{stream}.{AFTER}")
        # One that is damaged is put aside: the next refusal pauses anew.
        pauses = await self._aside.sound(self._table, "deliveries", rows, _pause, stream)
        return {pause.destination: pause for pause in pauses}

    async def probe(self, pause: Pause, next: datetime) -> bool:
        """Takes the one probe that a paused destination is due, deferring the next one; False if another took it."""
        keys = _keys(pause.stream, pause.destination)
        row = await self._table.find(keys["PartitionKey"], keys["RowKey"])
        if row is None or row["probe"] != sorting(pause.probe):
            return False
        taken = await self._table.write([(Step("merge", {**keys, "probe": sorting(next)}, version_of(row)),)])
        return taken != [None]


def _keys(stream: str, destination: str) -> dict[str, str]:
    return {"PartitionKey": _PARTITION, "RowKey": f"{stream}.{destination}"}


def _pause(row: Columns) -> Pause:
    stream, destination = (*row.text("RowKey").split("."), "")[:2]
    return Pause(
        stream=stream,
        destination=destination,
        since=row.time("since"),
        probe=row.time("probe"),
        error=row.text("error"),
    )
