"""Which destinations were ever owed anything: their deliveries lie in partitions that nothing else names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from router.domain.deliveries import Delivery
from router.domain.rulebook import Lane
from router.store.azure.outbox.locations import Shard, shards_of
from router.store.azure.shards import sorting
from router.store.azure.tables import AFTER, Step, Table
from router.store.codec import attempt
from router.store.row_reader import Columns

_PARTITION = "destinations"


@dataclass(frozen=True, slots=True)
class Known:
    """A destination that was owed something in a lane; `at` says since when by which of its lanes is the present one."""

    stream: str
    destination: str
    lane: Lane
    at: str

    @property
    def shards(self) -> list[Shard]:
        """The partitions of its deliveries."""
        return shards_of(self.stream, self.destination)


class Registry:
    """The rows of the partition `destinations`: one for each destination and lane, written once by each process."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._noted: set[tuple[str, str, Lane]] = set()

    async def note(self, deliveries: Iterable[Delivery], now: datetime) -> None:
        """Remembers where deliveries go, before the first of them is written."""
        new = {(one.stream, one.destination, one.lane) for one in deliveries} - self._noted
        if new:
            await self._table.write([(Step("put", _row(*one, now)),) for one in new])
            self._noted |= new

    async def all(self, stream: str | None = None) -> list[Known]:
        """The destinations of a stream, or of every stream, each with the lane in which it was last owed something."""
        latest: dict[tuple[str, str], Known] = {}
        for one in await self.in_lanes(stream):
            location = (one.stream, one.destination)
            latest[location] = max(one, latest.get(location, one), key=lambda known: known.at)
        return list(latest.values())

    async def in_lanes(self, stream: str | None = None) -> list[Known]:
        """The same, each once for every lane in which it was ever owed something."""
        within = f"{stream}." if stream is not None else ""
        rows = self._table.rows(_PARTITION, within, within + AFTER)
        known = [attempt(_known, Columns(row)) async for row in rows]
        return [one for one in known if isinstance(one, Known)]


def _row(stream: str, destination: str, lane: Lane, now: datetime) -> dict[str, str]:
    return {"PartitionKey": _PARTITION, "RowKey": f"{stream}.{destination}.{lane}", "at": sorting(now)}


def _known(row: Columns) -> Known:
    stream, destination, lane = (*row.text("RowKey").split("."), "", "")[:3]
    # Since when it is the present one matters only where a destination was in several lanes.
    return Known(stream, destination, Columns({"lane": lane}).word("lane", Lane), row.words("at"))
