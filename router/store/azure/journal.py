"""The journal in a table."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from router.domain.damage import progress_after_damage
from router.domain.errors import Undecodable
from router.domain.journal import HubEpoch, InFlightMarker, Loss, Partition, Progress, Taken
from router.store.azure.damaged_rows import RowQuarantine
from router.store.azure.journal_rows import (
    MARKER,
    TAKEN,
    epoch_partition,
    loss_of,
    loss_row,
    losses_partition,
    marker_key,
    marker_of,
    marker_row,
    progress_of,
    progress_partition,
    progress_row,
    taken_of,
    taken_row,
)
from router.store.azure.shards import ordered, sorting
from router.store.azure.tables import AFTER, MOST_ROWS, Entity, Step, Table, version_of
from router.store.codec import attempt, readable
from router.store.row_reader import MOST_STEPS, Columns

_SWEPT = "swept"


class AzureJournal:
    """Which sequence numbers have been taken in, and which are being tried, in the table `journal`."""

    def __init__(self, table: Table, aside: RowQuarantine) -> None:
        self._table = table
        self._aside = aside

    async def read_progress(self, partition: Partition) -> Progress:
        """How far a partition has come; its first epoch where nothing is known."""
        while (row := await self._table.find(progress_partition(partition.hub), partition.id)) is not None:
            found = attempt(progress_of, partition, Columns(row), version_of(row))
            if isinstance(found, Progress):
                return found
            await self._aside.put("journal", row, found, partition.hub)
            # All that the hub still has is looked at again.
            epoch = readable(None, Columns(row).whole, "epoch", 1, MOST_STEPS)
            mended = progress_after_damage(partition, epoch, self._aside.clock())
            if (stored := await self.write_progress(replace(mended, version=version_of(row)))) is not None:
                return stored
        return Progress(epoch=HubEpoch(partition, 1))

    async def write_progress(self, progress: Progress) -> Progress | None:
        """Writes progress if its stored version is still `version`; returns it as stored, None if another was faster."""
        row, version = progress_row(progress), progress.version
        step = Step("create", row) if version is None else Step("replace", row, str(version))
        (written,) = await self._table.write([(step,)])
        return replace(progress, version=written[0]) if written is not None else None

    async def place_markers(self, markers: Sequence[InFlightMarker]) -> Sequence[InFlightMarker]:
        """Places markers on numbers of one epoch; returns all markers of that epoch that overlap them, these among them."""
        if not markers:
            return []
        await self._table.write([(Step("put", marker_row(marker)),) for marker in markers])
        # Each marker that overlaps another ends where that begins, or later.
        epoch, first = markers[0].epoch, min(marker.span.first for marker in markers)
        stored = self._table.rows(epoch_partition(epoch), MARKER + ordered(first), MARKER + AFTER)
        found = await self._aside.sound(self._table, "journal", stored, partial(marker_of, epoch), epoch.partition.hub)
        return [one for one in found if any(one.span.overlaps(marker.span) for marker in markers)]

    async def finish_markers(self, markers: Sequence[InFlightMarker], taken: Sequence[Taken]) -> None:
        """Writes down what was taken in of one epoch, and takes those markers of it away, at once."""
        if not markers:
            return
        kept = tuple(Step("put", taken_row(markers[0].epoch, one)) for one in taken)
        gone = tuple(Step("delete", marker_key(marker)) for marker in markers)
        if len(kept) + len(gone) <= MOST_ROWS and await self._table.write([kept + gone]) != [None]:
            return
        # Too many for one transaction, or a marker is gone already: what was taken in is written first.
        await self._table.write([(step,) for step in kept])
        await self._table.write([(step,) for step in gone])

    async def read_taken(self, epoch: HubEpoch, after: int) -> Sequence[Taken]:
        """What was taken in of an epoch and ends after a number, in order."""
        rows = self._table.rows(epoch_partition(epoch), TAKEN + ordered(after + 1), TAKEN + AFTER)
        return await self._aside.sound(self._table, "journal", rows, taken_of, epoch.partition.hub)

    async def forget_settled(self, epoch: HubEpoch, until: int) -> None:
        """Takes away what was taken in and the markers that end at a number or before: progress has passed them."""
        await self._table.write([(Step("delete", row),) async for row in self._passed(epoch, until)])

    async def _passed(self, epoch: HubEpoch, until: int) -> AsyncIterator[Entity]:
        key = ("PartitionKey", "RowKey")
        for kind in (TAKEN, MARKER):
            high = kind + ordered(until) + AFTER
            async for row in self._table.rows(epoch_partition(epoch), kind, high, select=key):
                yield row

    async def write_losses(self, losses: Sequence[Loss]) -> None:
        """Writes losses down, create-if-absent by epoch and first number."""
        first = {(loss.epoch, loss.span.first): loss for loss in reversed(losses)}
        await self._table.write([(Step("create", loss_row(loss)),) for loss in first.values()])

    async def read_losses(self, hub: str) -> Sequence[Loss]:
        """The losses of a hub, oldest first."""
        rows = self._table.rows(losses_partition(hub))
        found = await self._aside.sound(self._table, "journal", rows, partial(loss_of, hub), hub)
        return sorted(found, key=lambda loss: (loss.at, loss.epoch.partition.id, loss.epoch.number, loss.span))

    async def find_last_sweep(self, hub: str) -> datetime | None:
        """When the last sweep of a hub ended."""
        row = await self._table.find(_SWEPT, hub)
        at = attempt(Columns(row).time, "at") if row is not None else None
        if row is not None and isinstance(at, Undecodable):
            # The sweep that ends next writes it anew.
            await self._aside.put("journal", row, at)
            return None
        return at if isinstance(at, datetime) else None

    async def write_sweep_end(self, hub: str, at: datetime) -> None:
        """Writes down that a sweep of a hub ended."""
        await self._table.write([(Step("put", {"PartitionKey": _SWEPT, "RowKey": hub, "at": sorting(at)}),)])
