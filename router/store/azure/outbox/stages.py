"""How far a delivery has come, as its rows have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from router.domain.decisions import Change
from router.domain.deliveries import DeliveryState
from router.domain.notices import Delivery
from router.domain.rulebook import Lane
from router.store.azure.outbox.places import Kind, Place, Shard, place_in, place_of
from router.store.azure.shards import sorting
from router.store.azure.tables import Entity, Step, Unit, version_of
from router.store.columns import MOST_TIMES, MOST_TURNS, Columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """How far one delivery has come. `due` is when it falls due, and `lease` how long it is one worker's alone.

    `claim` is what no two claims share. `redriven` counts how often somebody asked for it again.
    `version` is that of its row, None where it is not stored yet.
    """

    place: Place
    id: str
    lane: Lane
    change: Change
    opened: int
    state: DeliveryState
    born: datetime
    due: datetime
    attempts: int = 0
    lost: int = 0
    redriven: int = 0
    lease: datetime | None = None
    claim: str = ""
    settled: datetime | None = None
    error: str | None = None
    version: str | None = None

    @property
    def turn(self) -> int:
        """Its place in the order of its signal."""
        return self.place.turn

    @property
    def is_open(self) -> bool:
        """Whether it is owed or claimed."""
        return self.state in (DeliveryState.OWED, DeliveryState.CLAIMED)


CLOSED = "(state eq 'sent' or state eq 'skipped' or state eq 'dead')"
OPEN = f"not {CLOSED}"
"""Conditions on rows of deliveries; one whose state is damaged may be open."""

COLUMNS = (
    "PartitionKey", "RowKey", "id", "lane", "change", "opened", "state", "born", "due", "attempts", "lost", "redriven",
    "lease", "claim", "settled", "error",
)  # fmt: skip
"""What a stage is read from; what the delivery tells lies beside it."""


def first_stage(delivery: Delivery, now: datetime) -> Stage:
    """The stage of a delivery that is owed from now on."""
    return Stage(
        place=place_of(delivery),
        id=delivery.id,
        lane=delivery.lane,
        change=delivery.change,
        opened=delivery.opened,
        state=DeliveryState.OWED,
        born=now,
        due=now,
    )


def stage_of(shard: Shard, row: Entity) -> Stage:
    """The stage that a row holds; raises Undecodable."""
    found = Columns(row)
    return Stage(
        place=place_in(shard, row["RowKey"]),
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
        version=version_of(row),
    )


def creation(stage: Stage, told: Mapping[str, Any]) -> Unit:
    """What creates a delivery where there is none; `told` is what it tells."""
    fixed = {
        "id": stage.id,
        "lane": stage.lane.value,
        "change": stage.change.value,
        "opened": stage.opened,
        **told,
    }
    return (Step("create", {**_keys(stage), **fixed, **_changing(stage)}), *_entered(stage, _index(stage)))


def change(before: Stage, after: Stage, told: Mapping[str, Any] | None = None) -> Unit:
    """What takes a delivery from the stage at which it was read to another one."""
    old, new = _index(before), _index(after)
    partition = before.place.shard.partition
    gone = (Step("delete", {"PartitionKey": partition, "RowKey": row}) for row in old if row not in new)
    entered = {row: columns for row, columns in new.items() if old.get(row) != columns}
    merged = Step("merge", {**_keys(after), **_changing(after), **(told or {})}, before.version)
    return (merged, *gone, *_entered(after, entered))


def _keys(stage: Stage) -> dict[str, str]:
    partition, row = stage.place.key
    return {"PartitionKey": partition, "RowKey": row}


def _changing(stage: Stage) -> dict[str, Any]:
    return {
        "state": stage.state.value,
        "born": sorting(stage.born),
        "due": sorting(stage.due),
        "attempts": stage.attempts,
        "lost": stage.lost,
        "redriven": stage.redriven,
        "lease": sorting(stage.lease),
        "claim": stage.claim,
        "settled": sorting(stage.settled),
        "error": stage.error or "",
    }


def _index(stage: Stage) -> dict[str, dict[str, str]]:
    """The rows under which a delivery is found at that stage, by their keys."""
    place = stage.place
    if stage.is_open:
        due, born = place.row_in(Kind.DUE, stage.due), place.row_in(Kind.BORN, stage.born)
        return {due: {"lease": sorting(stage.lease)}, born: {"lane": stage.lane.value}}
    if stage.state is DeliveryState.DEAD and stage.settled is not None:
        return {place.row_in(Kind.DEAD, stage.settled): {"id": stage.id}}
    return {}


def _entered(stage: Stage, rows: Mapping[str, Mapping[str, str]]) -> tuple[Step, ...]:
    partition = stage.place.shard.partition
    return tuple(Step("put", {"PartitionKey": partition, "RowKey": row, **columns}) for row, columns in rows.items())
