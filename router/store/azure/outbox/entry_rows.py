"""How far a delivery has come, as its rows have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from router.domain.decisions import Change
from router.domain.deliveries import Delivery, DeliveryState
from router.domain.delivery_lifecycle import OutboxEntry, added
from router.domain.rulebook import Lane
from router.store.azure.outbox.locations import Location, RowKind, Shard, location_in, location_of
from router.store.azure.shards import sorting
from router.store.azure.tables import Entity, Step, Unit, version_of
from router.store.codec import readable
from router.store.failed_attempts import COLUMN, errors_of, failed_in
from router.store.row_reader import MOST_TIMES, MOST_TURNS, Columns


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureEntry(OutboxEntry):
    """How far one delivery has come, and where that is written.

    Attributes:
        location: Where the delivery lies.
        version: That of its row; None where it is not stored yet.
        row: The whole row, where that was read with it.
        reference: What the vendor calls what it made of it; None where it was not sent, or an older program sent it.
    """

    location: Location
    version: str | None = None
    row: Entity | None = field(default=None, compare=False, repr=False)
    reference: str | None = field(default=None, compare=False)


CLOSED = "(state eq 'sent' or state eq 'skipped' or state eq 'dead')"
OPEN = f"not {CLOSED}"
"""Conditions on rows of deliveries; one whose state is damaged may be open."""

COLUMNS = (
    "PartitionKey", "RowKey", "id", "lane", "change", "opened", "state", "born", "due", "attempts", "lost", "redriven",
    "lease", "claim", "settled", "error", "errors", "reference",
)  # fmt: skip
"""What an entry is read from; what the delivery tells lies beside it."""


def entry_for(delivery: Delivery, now: datetime) -> AzureEntry:
    """The entry of a delivery that is owed from now on."""
    entry = added(delivery, now)
    return AzureEntry(location=location_of(delivery), **{name: getattr(entry, name) for name in _FIELDS})


_FIELDS = tuple(field.name for field in fields(OutboxEntry))


def entry_of(shard: Shard, row: Entity) -> AzureEntry:
    """The entry that a row holds; raises Undecodable."""
    found = Columns(row)
    location = location_in(shard, row["RowKey"])
    return AzureEntry(
        location=location,
        turn=location.turn,
        id=found.text("id"),
        lane=found.word("lane", Lane),
        change=found.word("change", Change),
        opened=found.whole("opened", 1, MOST_TURNS),
        state=found.word("state", DeliveryState),
        born=found.sorted_time("born"),
        due=found.sorted_time("due"),
        attempts=found.whole("attempts", 0, MOST_TIMES),
        lost=found.whole("lost", 0, MOST_TIMES),
        redriven=found.whole("redriven", 0, MOST_TIMES),
        lease=found.find_time("lease"),
        claim=found.text("claim"),
        settled=found.find_time("settled"),
        error=found.find_text("error"),
        failed=readable((), failed_in, found),
        reference=readable(None, found.find_text, "reference"),
        version=version_of(row),
    )


def creation(entry: AzureEntry, told: Mapping[str, Any]) -> Unit:
    """What creates a delivery where there is none; `told` is what it tells."""
    fixed = {
        "id": entry.id,
        "lane": entry.lane.value,
        "change": entry.change.value,
        "opened": entry.opened,
        **told,
    }
    return (Step("create", {**_keys(entry), **fixed, **_changing(entry)}), *_entered(entry, _index(entry)))


def change(
    before: AzureEntry, after: AzureEntry, told: Mapping[str, Any] | None = None, reference: str | None = None
) -> Unit:
    """What takes a delivery from the entry at which it was read to another one; it is found by its receipt's reference."""
    old, new = _index(before), _index(after)
    partition = before.location.shard.partition
    gone = (Step("delete", {"PartitionKey": partition, "RowKey": row}) for row in old if row not in new)
    entered = {row: columns for row, columns in new.items() if old.get(row) != columns}
    merged = Step("merge", {**_keys(after), **_changing(after), **(told or {})}, before.version)
    referred: dict[str, dict[str, str]] = {after.location.row_by(reference): {}} if reference else {}
    return (merged, *gone, *_entered(after, {**entered, **referred}))


def _keys(entry: AzureEntry) -> dict[str, str]:
    partition, row = entry.location.key
    return {"PartitionKey": partition, "RowKey": row}


def _changing(entry: AzureEntry) -> dict[str, Any]:
    return {
        "state": entry.state.value,
        "born": sorting(entry.born),
        "due": sorting(entry.due),
        "attempts": entry.attempts,
        "lost": entry.lost,
        "redriven": entry.redriven,
        "lease": sorting(entry.lease),
        "claim": entry.claim,
        "settled": sorting(entry.settled),
        "error": entry.error or "",
        COLUMN: errors_of(entry) or "",
    }


def _index(entry: AzureEntry) -> dict[str, dict[str, str]]:
    """The rows under which a delivery is found at that entry, by their keys."""
    location = entry.location
    if entry.is_open:
        due, born = location.row_in(RowKind.DUE, entry.due), location.row_in(RowKind.BORN, entry.born)
        return {due: {"lease": sorting(entry.lease)}, born: {"lane": entry.lane.value}}
    if entry.is_dead and entry.settled is not None:
        return {location.row_in(RowKind.DEAD, entry.settled): {"id": entry.id}}
    return {}


def _entered(entry: AzureEntry, rows: Mapping[str, Mapping[str, str]]) -> tuple[Step, ...]:
    partition = entry.location.shard.partition
    return tuple(Step("put", {"PartitionKey": partition, "RowKey": row, **columns}) for row, columns in rows.items())
