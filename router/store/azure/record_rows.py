"""The keys and columns of the table `record`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from router.domain.decisions import Outcome
from router.store.azure.lookup_rows import LookupKey, partition_of
from router.store.azure.shards import named, ordered
from router.store.azure.tables import Entity
from router.store.row_reader import Columns

FOLDER = "record"
"""The folder of the bodies that a row cannot hold."""

STORED = ("PartitionKey", "RowKey", "message", "again", "at", "outcome", "stream", "signal")
"""The columns of a row without its body; an older program did not write the last two."""

_BUCKET = 10_000
"""Messages of one origin that share a partition."""

_NEAR = 100
"""Keys whose numbers are further apart than this are looked up apart."""

type Row = tuple[str, str]
"""The partition and the key of a row."""


def row_of(entity: Entity) -> Row:
    """The partition and the key of a row."""
    return entity["PartitionKey"], entity["RowKey"]


def record_row(key: str) -> Row:
    """Where a decision is on record."""
    found = record_key(key)
    return found.partition, f"{ordered(found.number)}.{found.part:08d}.{found.again:08d}"


def blob_in(entity: Entity) -> str:
    """The blob that has the body of an entry; empty where its row has it."""
    body = entity.get("body")
    return body if isinstance(body, str) else ""


def lookup_key_of(row: Columns) -> LookupKey:
    """Under what a decision is looked up by time; raises Undecodable, also where an older program put it on record."""
    again = row.whole("again")
    key = f"{row.text('message')}@{again}" if again else row.text("message")
    stream, signal = row.text("stream"), row.text("signal")
    partition = partition_of(stream or None, signal or key)
    return LookupKey(partition, row.word("outcome", Outcome), row.written("at"), key)


class RecordKey(NamedTuple):
    """The key of a decision's row.

    Attributes:
        partition: the partition.
        number: the message's place in its origin.
        part: which of the signals of its message.
        again: which further decision on it; 0 for the first.
    """

    partition: str
    number: int
    part: int
    again: int


class KeyRange(NamedTuple):
    """Keys that are near each other.

    Attributes:
        partition: their partition.
        first: the first number.
        last: the last number.
    """

    partition: str
    first: int
    last: int


def record_key(key: str) -> RecordKey:
    """The key of a decision's row; `Arrival.key` says how the keys of decisions are made."""
    origin, _, rest = key.rpartition(":")
    place, _, again = rest.partition("@")
    number, _, part = place.partition(".")
    bucket = int(number) // _BUCKET
    return RecordKey(f"{named(origin)}.{ordered(bucket)}", int(number), int(part or 0), int(again or 0))


def ranges(keys: Iterable[RecordKey]) -> Iterator[KeyRange]:
    """Ranges in which some keys lie: those that are near each other share one."""
    stretch: KeyRange | None = None
    for key in sorted(keys):
        if stretch is not None and key.partition == stretch.partition and key.number <= stretch.last + _NEAR:
            stretch = stretch._replace(last=key.number)
            continue
        if stretch is not None:
            yield stretch
        stretch = KeyRange(key.partition, key.number, key.number)
    if stretch is not None:
        yield stretch
