"""What decisions and signals are found by, as rows of the table `lookups`.

A partition has a share of one stream, `{stream}.{shard}`, with these kinds of rows:

    t:{outcome}:{at}:{decision}   a decision by time; who creates its row counts it
    d:{signal}:{at}:{decision}    the same by signal
    i:{id's end}:{signal}         a signal by its id, written backwards
    r:{resource's end}:{signal}   a signal by its resource, written backwards
    s:{signal}:{which}            which rows `i` and `r` a signal has
    f:{at}:{signal}               when to look at a signal again, whether it may go
    c:{hour}:{worker}             what one worker counted in an hour
    c:{hour}                      what all of them counted in an hour that is over
    h:{rule}                      how often a rule held a signal

All rows of a decision lie in one partition, so that one transaction writes them and counts the decision.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple

import orjson

from router.domain.counts import decided_at
from router.domain.decisions import Outcome
from router.domain.errors import Undecodable
from router.domain.lookups import SignalAtResource, SignalLookup, ending
from router.domain.notices import RecordEntry
from router.domain.signals import Stream
from router.store.azure.shards import escaped, named, sorting
from router.store.azure.tables import AFTER, Entity, Step, Unit
from router.store.codec import readable
from router.store.row_reader import MOST_TURNS, Columns, names_of, time_of

SHARDS = 4
"""Partitions for the decisions of each stream: 8,000 rows a second."""

NO_STREAM = "-"
"""Stands for the stream of a message that came in on none and was not understood."""

LONGEST_END = 400
"""Characters of an id or a resource, as it is escaped, that stand in a row key; those after them are compared."""

LONGEST_TEXT = 2_000
"""Characters of an id or a resource that stand in a column."""


FINDING = ("id_row", "resource_row")
"""The columns with the keys of the rows by which a signal is found."""


class LookupKind(StrEnum):
    """The kinds of rows, by what their keys begin with."""

    TIME = "t"
    DECISION = "d"
    ID = "i"
    RESOURCE = "r"
    SIGNAL = "s"
    AGAIN = "f"
    COUNT = "c"
    HITS = "h"


PARTITIONS: Sequence[str] = [
    f"{stream}.{shard}" for stream in (*(stream.value for stream in Stream), NO_STREAM) for shard in range(SHARDS)
]
"""Every partition there is."""


class LookupKey(NamedTuple):
    """Where a decision is found by time.

    Attributes:
        partition: the partition of all its rows.
        outcome: its outcome.
        at: when it was made.
        key: its key on record.
    """

    partition: str
    outcome: str
    at: datetime
    key: str

    @property
    def span(self) -> tuple[str, str]:
        """The range of those of its outcome that were made at the same instant."""
        return time_span(self.outcome, self.at)

    @property
    def row(self) -> str:
        """The key of its row."""
        return f"{self.span[0]}{named(self.key)}"


class RecordedDecision(NamedTuple):
    """A decision that is on record.

    Attributes:
        entry: what is on record.
        blob: the blob that has its body; empty where its row has it.
    """

    entry: RecordEntry
    blob: str = ""

    @property
    def lookup_key(self) -> LookupKey:
        """Where it is found by time."""
        entry = self.entry
        partition = partition_of(entry.stream, entry.signal or entry.key)
        return LookupKey(partition, entry.outcome, decided_at(entry), entry.key)


def partition_of(stream: str | None, key: str) -> str:
    """The partition for a signal of a stream, or for a decision that is on none."""
    number = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=1).digest()[0] % SHARDS
    return f"{stream or NO_STREAM}.{number}"


def partitions_for(signal: str) -> list[str]:
    """The partitions in which the decisions on a signal may lie, whatever its stream."""
    return [partition_of(stream, signal) for stream in (*(one.value for one in Stream), None)]


def partitions_of(stream: str) -> list[str]:
    """The partitions of a stream; of none, those for what came in on none."""
    return [f"{stream or NO_STREAM}.{shard}" for shard in range(SHARDS)]


def time_span(outcome: str, at: datetime, until: datetime | None = None) -> tuple[str, str]:
    """The range of decisions of an outcome that were made at an instant, or from then to before another."""
    low = f"{LookupKind.TIME}:{outcome}:{sorting(at)}:"
    return low, f"{LookupKind.TIME}:{outcome}:{sorting(until)}:" if until is not None else low + AFTER


def span_of(kind: LookupKind, *parts: str) -> tuple[str, str]:
    """The range of the rows of a kind whose keys go on with some parts."""
    low = ":".join((kind, *parts, ""))
    return low, low + AFTER


def unit_of(decision: RecordedDecision) -> Unit:
    """The rows that find a decision and its signal: to be written together with its count, or not at all."""
    entry, found = decision.entry, decision.lookup_key
    by_time = {
        "PartitionKey": found.partition,
        "RowKey": found.row,
        "key": entry.key,
        "signal": entry.signal or "",
        "turn": entry.turn or 0,
        "moved": False,
        "destinations": orjson.dumps(entry.destinations).decode(),
        "blob": decision.blob,
    }
    by_signal: Unit = ()
    if entry.signal is not None:
        row = row_by_signal(entry.signal, found.row)
        by_signal = (Step("put", {"PartitionKey": found.partition, "RowKey": row, "key": entry.key}),)
    return (Step("create", by_time), *by_signal, *_finding(entry, found.partition))


def row_by_signal(signal: str, row: str) -> str:
    """The key of the row that finds a decision by its signal, given that by time."""
    _, _, at, decision = row.split(":")
    return f"{LookupKind.DECISION}:{signal}:{at}:{decision}"


def _finding(entry: RecordEntry, partition: str) -> Iterator[Step]:
    """What finds the signal of a decision; a repeat's is known from before."""
    if entry.signal is None or entry.id is None or entry.outcome == Outcome.REPEAT:
        return
    id, resource = ending(entry.id), ending(entry.resource or "")
    texts = {"stream": entry.stream or "", "id": id[:LONGEST_TEXT], "resource": resource[:LONGEST_TEXT]}
    rows = {"id_row": f"{end_prefix(LookupKind.ID, id)}:{entry.signal}", "resource_row": ""}
    if resource:
        rows["resource_row"] = f"{end_prefix(LookupKind.RESOURCE, resource)}:{entry.signal}"
    yield Step("put", {"PartitionKey": partition, "RowKey": rows["id_row"], "signal": entry.signal, **texts})
    if resource:
        # Who asks how often the same happened there before learns it from this row alone.
        known = {
            "type": (entry.type or "")[:LONGEST_TEXT],
            "sample": entry.sample,
            "decided": sorting(decided_at(entry)),
        }
        row = {"PartitionKey": partition, "RowKey": rows["resource_row"], "signal": entry.signal, **texts, **known}
        yield Step("put", row)
    which = f"{LookupKind.SIGNAL}:{entry.signal}:{named(''.join(rows.values()))}"
    yield Step("put", {"PartitionKey": partition, "RowKey": which, **rows})


def end_prefix(kind: LookupKind, ending: str) -> str:
    """What the keys of rows begin with that find signals by such an end."""
    return f"{kind}:{escaped(ending)[:LONGEST_END]}"


def lookup_in(row: Columns) -> SignalLookup:
    """The signal that a row finds; raises Undecodable."""
    return SignalLookup(row.text("signal"), row.text("stream"), row.text("id")[::-1], row.text("resource")[::-1])


def at_resource_in(row: Columns) -> SignalAtResource:
    """The signal at a resource that a row finds; raises Undecodable."""
    return SignalAtResource(
        row.text("signal"),
        row.text("id")[::-1],
        row.find_text("type"),
        # A program of before wrote neither.
        readable(False, row.flag, "sample"),
        readable(None, row.find_time, "decided"),
    )


class OldDecision(NamedTuple):
    """A decision as its row by time has it.

    Attributes:
        partition, row: the key of that row.
        key: its key on record.
        signal: its signal; empty for none.
        turn: the turn that it made; 0 for none.
        destinations: the destinations that were notified.
        blob: the blob that has its body; empty for none.
        of: the key of its row by time, where this one stands for it; else empty.
    """

    partition: str
    row: str
    key: str
    signal: str
    turn: int
    destinations: frozenset[str]
    blob: str
    of: str

    @property
    def rows(self) -> list[str]:
        """The keys of all its rows."""
        first = self.of or self.row
        by_signal = [row_by_signal(self.signal, first)] if self.signal else []
        return [self.row, *([self.of] if self.of else []), *by_signal]


def old_decision_in(row: Columns) -> OldDecision:
    """The decision that a row by time names; raises Undecodable."""
    try:
        names = orjson.loads(row.text("destinations"))
    except orjson.JSONDecodeError as fault:
        raise Undecodable("destinations: is no JSON") from fault
    return OldDecision(
        partition=row.text("PartitionKey"),
        row=row.text("RowKey"),
        key=row.text("key"),
        signal=row.text("signal"),
        turn=row.whole("turn", 0, MOST_TURNS),
        destinations=names_of(names, "destinations"),
        blob=row.text("blob"),
        of=row.find_text("of") or "",
    )


def instant_in(row: str) -> datetime:
    """The instant in the key of a row by time, by signal, or of one that is looked at again; raises Undecodable."""
    parts = row.split(":")
    return time_of(parts[1] if parts[0] == LookupKind.AGAIN else parts[2] if len(parts) == _PARTS else "", "RowKey")


_PARTS = 4


def again_row(partition: str, signal: str, at: datetime) -> Entity:
    """The row that says when to look at a signal again."""
    return {"PartitionKey": partition, "RowKey": f"{LookupKind.AGAIN}:{sorting(at)}:{signal}", "signal": signal}
