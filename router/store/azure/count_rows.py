"""Counts as rows of the table `lookups`: what one worker counted in an hour, what all did, and the hits of a rule.

A row holds its cells in one column, compressed. Where that would be too much for it, counting goes on in another row.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from router.domain.counts import Cell, Rule, RuleHits, cell_of, decided_at, hits_in, hour_of
from router.domain.errors import Undecodable
from router.domain.notices import RecordEntry
from router.store.azure.bodies import INSIDE, unpacked
from router.store.azure.lookup_rows import LookupKind
from router.store.azure.shards import named, sorting
from router.store.azure.tables import Entity
from router.store.cells import cell_in, text_of
from router.store.row_reader import Columns, time_of


@dataclass(frozen=True, slots=True)
class Counts:
    """How many decisions are in each cell of an hour, and how often each rule held one of their signals.

    Attributes:
        cells: the counts, by the cells as they are stored.
        hits: the hits.
    """

    cells: Counter[str] = field(default_factory=Counter)
    hits: Mapping[Rule, RuleHits] = field(default_factory=dict)

    def joined(self, other: Counts) -> Counts:
        """What both counted; no decision may be in both."""
        return Counts(self.cells + other.cells, joined_hits(self.hits, other.hits))

    def in_cells(self) -> Counter[Cell]:
        """The counts by cell; raises Undecodable."""
        return Counter({cell_in(text): count for text, count in self.cells.items()})


def joined_hits(one: Mapping[Rule, RuleHits], other: Mapping[Rule, RuleHits]) -> dict[Rule, RuleHits]:
    """The hits of both; no decision may be in both."""
    return {**one, **{rule: one[rule].joined(hits) if rule in one else hits for rule, hits in other.items()}}


def counts_of(entries: Iterable[RecordEntry]) -> dict[datetime, Counts]:
    """What some decisions add to each hour."""
    hours: dict[datetime, list[RecordEntry]] = {}
    for entry in entries:
        hours.setdefault(hour_of(decided_at(entry)), []).append(entry)
    return {
        hour: Counts(Counter(text_of(cell_of(entry)) for entry in some), hits_in(some)) for hour, some in hours.items()
    }


def packed(counts: Counts) -> bytes | None:
    """The column that holds counts; None where they are too much for one."""
    hits = [[*rule, one.total, sorting(one.first), sorting(one.last)] for rule, one in counts.hits.items()]
    column = zlib.compress(orjson.dumps([counts.cells, hits]))
    return column if len(column) <= INSIDE else None


def counts_in(row: Columns) -> Counts:
    """What a row counts; raises Undecodable."""
    try:
        parts = orjson.loads(unpacked(row.raw("body")))
    except orjson.JSONDecodeError as fault:
        raise Undecodable("body: is no JSON") from fault
    match parts:
        case [dict() as cells, list() as hits] if all(type(count) is int for count in cells.values()):
            return Counts(Counter(cells), dict(_hits(one) for one in hits))
    raise Undecodable("body: counts nothing")


def _hits(one: Any) -> tuple[Rule, RuleHits]:
    match one:
        case [str() as stream, str() as name, int() as total, str() as first, str() as last]:
            return (stream, name), RuleHits(total, time_of(first, "body"), time_of(last, "body"))
    raise Undecodable("body: names no rule")


def count_row(hour: datetime, worker: str = "") -> str:
    """The key of the row with what a worker counted in an hour, or with what all of them did."""
    return f"{LookupKind.COUNT}:{sorting(hour)}{f':{worker}' if worker else ''}"


def next_sum(hour: datetime, sums: Sequence[str]) -> str:
    """The key of a further row with what all workers counted in an hour, given those that there are."""
    if not sums:
        return count_row(hour)
    number = int(sums[-1].partition(".")[2] or 0) + 1
    return f"{count_row(hour)}.{number:06d}"


def count_span(since: datetime | None, until: datetime) -> tuple[str, str]:
    """The range of the counts of the hours that began from one instant, or from the first, to before another."""
    return f"{LookupKind.COUNT}:{sorting(since)}", f"{LookupKind.COUNT}:{sorting(until)}"


def count_entity(partition: str, row: str, body: bytes) -> Entity:
    """A row of counts as it is written."""
    return {"PartitionKey": partition, "RowKey": row, "body": body, "open": is_of_worker(row)}


OPEN = "open eq true"
"""The condition on rows of counts that some worker may still add to."""


def is_of_worker(row: str) -> bool:
    """Whether a row of counts is one worker's."""
    return row.count(":") > 1


def hour_in(row: Columns) -> datetime:
    """The hour of a row of counts; raises Undecodable."""
    return time_of(row.text("RowKey").split(":")[1].partition(".")[0], "RowKey")


def hits_row(rule: Rule) -> str:
    """The key of the row with the hits of a rule."""
    return f"{LookupKind.HITS}:{named(rule[1])}"


def hits_entity(partition: str, rule: Rule, hits: RuleHits) -> Entity:
    """The hits of a rule as they are written."""
    return {
        "PartitionKey": partition,
        "RowKey": hits_row(rule),
        "stream": rule[0],
        "rule": rule[1],
        "total": hits.total,
        "first": sorting(hits.first),
        "last": sorting(hits.last),
    }


def rule_hits_in(row: Columns) -> tuple[Rule, RuleHits]:
    """A rule and its hits; raises Undecodable."""
    rule = row.text("stream"), row.text("rule")
    return rule, RuleHits(row.whole("total", 1), row.time("first"), row.time("last"))
