"""The aggregation of destinations in a table: a partition for each, so that its states change together."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from itertools import batched
from typing import Any

from router.domain.errors import Undecodable
from router.domain.groups import AdmissionState, AggregationState, GroupState
from router.store.aggregation_entries import (
    TAGS,
    AggregationEntry,
    entries_of,
    entry_of,
    last_used_at,
    standing_in,
    waiting_in,
)
from router.store.azure.bodies import unpacked
from router.store.azure.damaged_rows import RowQuarantine
from router.store.azure.shards import sorting
from router.store.azure.tables import Entity, Step, Table, quoted, version_of
from router.store.codec import attempt, decode, encode
from router.store.stored_names import ADMISSION_STATE, GROUP_STATE, MEMBER_STATE

_STANDING = f"RowKey ge '{GROUP_STATE}:' and RowKey lt '{GROUP_STATE};' and not (standing eq 0)"
"""The states of groups in which somebody stands, up to the sign that follows the colon."""

_COLUMN = 64 * 1024
_BODY = ("body", *(f"body{number}" for number in range(1, 15)))
"""The columns of an admission state, and the bytes that each holds; a row holds 1 MiB."""

_AT_A_TIME = 1000
_NO_ROW_KEY = frozenset("/\\#?")
"""https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model"""


class AzureGroups:
    """Admission states and entries in the table `groups`; the version of an admission state is its row's etag.

    Raises StoreError.
    """

    def __init__(self, table: Table, aside: RowQuarantine) -> None:
        self._table = table
        self._aside = aside

    async def read_admission(self, stream: str, destination: str) -> AdmissionState:
        """The admission state of a destination; an empty one where nothing is stored yet."""
        while (row := await self._table.find(_partition(stream, destination), ADMISSION_STATE)) is not None:
            admission = attempt(_admission, row)
            if isinstance(admission, AdmissionState):
                return admission
            # It begins anew, with the groups that wait for room.
            await self._aside.put("groups", row, admission, stream)
            standing = [one async for one in self.standing_groups(stream, destination)]
            anew = AdmissionState(waiting=waiting_in(standing), version=version_of(row))
            await self.write_aggregation(stream, destination, anew, AggregationState())
        return AdmissionState()

    async def read_aggregation(
        self,
        stream: str,
        destination: str,
        *,
        members: Collection[str] = (),
        groups: Collection[str] = (),
        windows: Collection[str] = (),
    ) -> AggregationState:
        """The states of some members, groups and windows of a destination, as far as there are any."""
        asked = list(zip(TAGS, (members, groups, windows), strict=True))
        partition = _partition(stream, destination)
        rows = await self._table.find_all((partition, _row(tag, key)) for tag, keys in asked for key in keys)
        found: dict[str, dict[str, Any]] = {tag: {} for tag in TAGS}
        for (_, name), row in rows.items():
            tag, _, key = name.partition(":")
            read = attempt(_entry, tag, row)
            if isinstance(read, Undecodable):
                await self._set_aside(stream, row, read)
            else:
                found[tag][key] = read
        return AggregationState(*found.values())

    async def standing_groups(self, stream: str, destination: str) -> AsyncIterator[tuple[str, GroupState]]:
        """The groups of a destination in which somebody stands, by their keys."""
        here = f"PartitionKey eq '{quoted(_partition(stream, destination))}' and {_STANDING}"
        async for row in self._table.query(here):
            tag, _, key = str(row["RowKey"]).partition(":")
            read = attempt(_entry, tag, row)
            if isinstance(read, Undecodable):
                await self._set_aside(stream, row, read)
            elif isinstance(read, GroupState) and read.group.standing > 0:
                yield key, read

    async def find_grouped_destinations(self, stream: str) -> Collection[str]:
        """The destinations of a stream where groups stand, whatever its policy names."""
        # Up to the sign that follows the dot.
        of_stream = f"PartitionKey ge '{stream}.' and PartitionKey lt '{stream}/' and {_STANDING}"
        return {row["PartitionKey"].partition(".")[2] async for row in self._table.query(of_stream, ("PartitionKey",))}

    async def _set_aside(self, stream: str, row: Entity, why: Undecodable) -> None:
        """Takes a damaged entry out of its table, and puts it aside."""
        await self._aside.put("groups", row, why, stream)
        place = {"PartitionKey": row["PartitionKey"], "RowKey": row["RowKey"]}
        await self._table.write([(Step("delete", place, version_of(row)),)])

    async def write_aggregation(
        self, stream: str, destination: str, admission: AdmissionState, states: AggregationState
    ) -> bool:
        """Writes an admission state and some states, all or none; False if somebody wrote the admission state meanwhile."""
        partition = _partition(stream, destination)
        head = {
            "PartitionKey": partition,
            "RowKey": ADMISSION_STATE,
            **_in_columns(_packed(replace(admission, version=None))),
        }
        first = Step("create", head) if admission.version is None else Step("replace", head, str(admission.version))
        others = (Step("put", _entry_row(partition, tag, key, entry)) for tag, key, entry in entries_of(states))
        (written,) = await self._table.write([(first, *others)])
        return written is not None

    async def find_groups(self, keys: Collection[str]) -> Collection[str]:
        """Those of some groups, by their keys, of which a state is kept."""
        return (await self._anywhere(GROUP_STATE, keys)).keys()

    async def find_members(self, keys: Collection[str]) -> Collection[str]:
        """Those of some signals that are still a member of any group."""
        return (await self._anywhere(MEMBER_STATE, keys)).keys()

    async def _anywhere(self, tag: str, keys: Collection[str]) -> dict[str, Entity]:
        """The rows of entries of a tag, of whichever destination they are."""
        rows = await self._rows_anywhere(tag, keys, ("RowKey", "standing"))
        return {row["RowKey"].partition(":")[2]: row for row in rows}

    async def _rows_anywhere(
        self, tag: str, keys: Collection[str], select: Collection[str] | None = None
    ) -> list[Entity]:
        admissions = self._table.query(f"RowKey eq '{ADMISSION_STATE}'", ("PartitionKey",))
        partitions = [row["PartitionKey"] async for row in admissions]
        sound = [_row(tag, key) for key in keys if not _NO_ROW_KEY.intersection(key)]
        found: list[Entity] = []
        for some in batched(sound, _AT_A_TIME, strict=False):
            wanted = [(partition, row) for partition in partitions for row in some]
            found += (await self._table.find_all(wanted, select)).values()
        return found


def _admission(row: Entity) -> AdmissionState:
    parts = [row[name] for name in _BODY if name in row]
    packed = b"".join(parts) if all(isinstance(one, bytes) for one in parts) else None
    admission: AdmissionState = decode(ADMISSION_STATE, unpacked(packed))
    return replace(admission, version=version_of(row))


def _in_columns(packed: bytes) -> Entity:
    """An admission state as columns: it has the openings of every owner's pager, and all that wait."""
    starts = range(0, len(packed), _COLUMN)
    return {name: packed[start : start + _COLUMN] for name, start in zip(_BODY, starts, strict=False)}


def state_in(row: Entity) -> AggregationEntry:
    """The entry that a row holds; raises Undecodable."""
    return _entry(str(row["RowKey"]).partition(":")[0], row)


def _entry(tag: str, row: Entity) -> AggregationEntry:
    return entry_of(tag, unpacked(row.get("body")))


def _entry_row(partition: str, tag: str, key: str, entry: AggregationEntry) -> Entity:
    return {
        "PartitionKey": partition,
        "RowKey": _row(tag, key),
        "standing": standing_in(entry),
        "at": sorting(last_used_at(entry)),
        "body": _packed(entry),
    }


def _packed(value: AdmissionState | AggregationEntry) -> bytes:
    # What states hold of messages is bounded, so that packed it always fits into its column.
    return zlib.compress(encode(value))


def _partition(stream: str, destination: str) -> str:
    return f"{stream}.{destination}"


def _row(tag: str, key: str) -> str:
    return f"{tag}:{key}"
