"""Destinations that refuse our credentials, in the partition `pauses`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from router.domain.deliveries import Pause
from router.domain.pauses import pause_known, wins_probe
from router.store.azure.damaged_rows import RowQuarantine
from router.store.azure.shards import sorting
from router.store.azure.tables import AFTER, Step, Table, version_of
from router.store.codec import attempt
from router.store.row_reader import Columns

_PARTITION = "pauses"


class Pauses:
    """The pauses, one row each."""

    def __init__(self, table: Table, aside: RowQuarantine) -> None:
        self._table = table
        self._aside = aside

    async def pause(self, pause: Pause) -> None:
        """Remembers that a destination refuses our credentials, and since when it does."""
        written = await self._table.write([(Step("create", _columns(pause)),)])
        if written == [None]:
            # It is paused already; if somebody has just resumed it, they know better.
            known = await self._find(pause)
            await self._table.write([(Step("merge", _columns(pause_known(known[0] if known else None, pause))),)])

    async def _find(self, pause: Pause) -> tuple[Pause, str] | None:
        """What is remembered of the same destination, and the version of its row."""
        keys = _keys(pause.stream, pause.destination)
        row = await self._table.find(keys["PartitionKey"], keys["RowKey"])
        known = attempt(_pause, Columns(row)) if row is not None else None
        return (known, version_of(row)) if isinstance(known, Pause) else None

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
        known = await self._find(pause)
        if known is None or not wins_probe(known[0], pause):
            return False
        keys = _keys(pause.stream, pause.destination)
        taken = await self._table.write([(Step("merge", {**keys, "probe": sorting(next)}, known[1]),)])
        return taken != [None]


def _keys(stream: str, destination: str) -> dict[str, str]:
    return {"PartitionKey": _PARTITION, "RowKey": f"{stream}.{destination}"}


def _columns(pause: Pause) -> dict[str, str]:
    keys = _keys(pause.stream, pause.destination)
    return {**keys, "since": sorting(pause.since), "probe": sorting(pause.probe), "error": pause.error}


def _pause(row: Columns) -> Pause:
    stream, destination = (*row.text("RowKey").split("."), "")[:2]
    return Pause(
        stream=stream,
        destination=destination,
        since=row.time("since"),
        probe=row.time("probe"),
        error=row.text("error"),
    )
