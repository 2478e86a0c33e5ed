"""Changes of rows, and how many of them one transaction carries.

Limits (https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions): 100 rows of one partition
and 4 MiB a transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

type Entity = Mapping[str, Any]

MOST_ROWS = 100
MOST_BYTES = 900 * 1024
"""What a transaction carries at most: aiohttp sends a body of more than 1 MiB in a way that holds up everybody else."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change of one row.

    Attributes:
        kind: `create` wants no row there, `put` takes whatever is there, all others want a row that is there.
        entity: the row, or for `merge` some of its columns.
        etag: the version that the row must have, where that matters.
    """

    kind: Literal["create", "replace", "merge", "put", "delete"]
    entity: Entity
    etag: str | None = None


type Unit = tuple[Step, ...]
"""Changes in one partition that are made together or not at all."""

type Versions = tuple[str, ...] | None
"""The versions that a unit's rows have after it was written; None where it was not."""


def operation(step: Step) -> Any:
    """A step as the client of a table takes it."""
    from azure.core import MatchConditions

    over = {"etag": step.etag, "match_condition": MatchConditions.IfNotModified} if step.etag is not None else {}
    match step.kind:
        case "create":
            return ("create", step.entity)
        case "put":
            return ("upsert", step.entity, {"mode": "replace"})
        case "delete":
            return ("delete", step.entity, over)
        case "replace" | "merge":
            return ("update", step.entity, {"mode": step.kind, **over})


def packs(units: Sequence[Unit]) -> Iterator[list[int]]:
    """The indexes of units, in packs that one transaction carries; a unit that alone is too much is a pack of its own."""
    by_partition: dict[str, list[int]] = {}
    for index, unit in enumerate(units):
        by_partition.setdefault(unit[0].entity["PartitionKey"], []).append(index)
    for indexes in by_partition.values():
        pack: list[int] = []
        rows = size = 0
        for index in indexes:
            more_rows, more_size = len(units[index]), sum(map(size_of, units[index]))
            if pack and (rows + more_rows > MOST_ROWS or size + more_size > MOST_BYTES):
                yield pack
                pack, rows, size = [], 0, 0
            pack.append(index)
            rows, size = rows + more_rows, size + more_size
        yield pack


def size_of(step: Step) -> int:
    """About how many bytes a row takes on the wire, where binary columns are written in base64."""
    return 600 + sum(len(value) * 4 // 3 for value in step.entity.values() if isinstance(value, bytes | str))
