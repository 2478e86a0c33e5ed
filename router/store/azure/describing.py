"""What is in an account, without a change to it: rows are counted page by page, and never more than some pages of one kind."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState
from router.domain.destination_holds import DestinationHold, find_hold_in, holds_in_force
from router.domain.documents import DocumentKind
from router.domain.errors import Undecodable
from router.domain.retention import Retention
from router.domain.state_report import (
    SOON,
    Count,
    Cutoffs,
    DestinationCounts,
    NextForgotten,
    StateReport,
    TableSize,
    cutoffs_for,
    due_after,
    sum_of,
)
from router.store.azure.bodies import Bodies
from router.store.azure.count_rows import Counts, counts_in, hits_row
from router.store.azure.lookup_rows import PARTITIONS
from router.store.azure.outbox.locations import RowKind, shards_of, span_of
from router.store.azure.row_counts import (
    PAGES,
    SomeRows,
    Span,
    all_of,
    different,
    filter_of,
    is_there,
    is_whole_in,
    number_in,
    some_rows,
    span_of_kind,
    those,
)
from router.store.azure.shards import sorting
from router.store.azure.state_version import OURS, read_version
from router.store.azure.tables import Entity, Table
from router.store.codec import attempt, attempted, readable
from router.store.row_reader import Columns, time_of
from router.store.stored_names import GROUP_STATE

OLDEST = 3
"""The version of the programs that wrote none down."""

_RECENTLY = (timedelta(hours=1), timedelta(days=1), timedelta(days=7))
"""How far back the newest decision is looked for among more than some pages of them."""


class AzureDescribing:
    """Describes an account; raises StoreError.

    `tables` are its tables by what they hold, and `pages` is how many are looked at of rows of one kind.
    """

    def __init__(self, tables: Mapping[str, Table], bodies: Bodies, pages: int = PAGES) -> None:
        self._pages = pages
        self._tables = tables
        self._bodies = bodies

    async def describe(self, now: datetime, retention: Retention) -> StateReport | None:
        """What is in the account; None where it holds no state.

        Raises StoreError also where this program is too old for it.
        """
        version = await self._version()
        if version is None:
            return None
        (
            (seen, decisions, deliveries, lost, blobs),
            (quarantined, damaged),
            documents,
            (hours, rules, again),
            counting,
            destination_holds,
        ) = await asyncio.gather(
            asyncio.gather(
                self._seen(),
                self._decisions(now, retention),
                self._deliveries(),
                self._lost(),
                self._bodies.measure(self._pages),
            ),
            self._each("quarantine", [all_of("kept"), all_of("damaged")]),
            self._each("documents", [all_of(kind.value) for kind in DocumentKind]),
            self._spans_of_counts(),
            self._counting(),
            self._destination_holds(now),
        )
        ledger, groups = seen["ledger"], seen["groups"]
        if not decisions.by_outcome:
            decisions = (await self._unfound_decisions())._replace(forgotten_next=decisions.forgotten_next)
        signals = [Columns(row) for row in ledger.rows]
        return StateReport(
            at=now,
            version=version,
            next_version=OURS.version if version < OURS.version else None,
            files={"blobs": Count(blobs.bytes, blobs.is_whole)},
            tables=[
                *(TableSize(name, rows.counted, None) for name, rows in seen.items()),
                TableSize("blobs", Count(blobs.number, blobs.is_whole), Count(blobs.bytes, blobs.is_whole)),
            ],
            decisions=decisions.by_outcome,
            oldest=decisions.oldest,
            newest=decisions.newest,
            signals=ledger.counted,
            standing=those(ledger, lambda row: not row.get("closed_at")),
            held=Count(sum(row.raw("outcome") == Outcome.SUPPRESSED for row in signals), ledger.is_whole),
            unfinished=those(ledger, lambda row: row.get("unfinished") is True),
            deliveries=[one.counts for one in deliveries],
            owed_since=min((one.owed_since for one in deliveries if one.owed_since is not None), default=None),
            quarantined=quarantined.counted,
            damaged=damaged.counted,
            lost=lost,
            groups=those(groups, lambda row: str(row["RowKey"]).startswith(f"{GROUP_STATE}:")),
            hours=different(hours, lambda partition, key: key.split(":")[1].partition(".")[0]),
            rules=_rules_in(rules, counting),
            documents={
                kind: rows.counted for kind, rows in zip(DocumentKind, documents, strict=True) if rows.counted.number
            },
            destination_holds=destination_holds,
            forgotten_next=[*decisions.forgotten_next, _next_signals(again, now)] if version > OLDEST else [],
        )

    async def _version(self) -> int | None:
        """The version of the state; None where there is none."""
        if not await is_there(self._tables["ledger"]):
            return None
        said = await read_version(self._tables["journal"]) if await is_there(self._tables["journal"]) else None
        return said.version if said is not None else OLDEST

    async def _seen(self) -> Mapping[str, SomeRows]:
        """The rows of each table, with the columns that are counted by."""
        columns = {"ledger": ("RowKey", "outcome", "closed_at", "unfinished")}
        found = await asyncio.gather(
            *(self._some(name, [None], columns.get(name, ("RowKey",))) for name in self._tables)
        )
        return {name: rows[0] for name, rows in zip(self._tables, found, strict=True)}

    async def _each(self, table: str, spans: Sequence[Span], select: Collection[str] = ("RowKey",)) -> list[SomeRows]:
        """The rows of each span, with pages of its own."""
        found = await asyncio.gather(*(self._some(table, [span], select) for span in spans))
        return [rows for some in found for rows in some]

    async def _some(self, table: str, spans: Sequence[Span | None], select: Collection[str]) -> list[SomeRows]:
        """The first rows of spans, which share some pages."""
        return await some_rows(self._tables[table], spans, select, self._pages)

    async def _spans_of_counts(self) -> list[list[SomeRows]]:
        """The rows with the counts of hours, with the hits of rules, and those that say which signal to look at again."""
        kinds = ("c", "h", "f")
        return await asyncio.gather(
            *(self._some("lookups", [(one, *span_of_kind(kind)) for one in PARTITIONS], ("RowKey",)) for kind in kinds)
        )

    async def _counting(self) -> list[SomeRows]:
        """The rows in which workers count still, with the hits that no sweep has added up yet."""
        spans = [(one, *span_of_kind("c")) for one in PARTITIONS]
        return await some_rows(self._tables["lookups"], spans, ("RowKey", "body"), self._pages, where="open eq true")

    async def _decisions(self, now: datetime, retention: Retention) -> _Decisions:
        outcomes = list(retention.decisions.items())
        found = await asyncio.gather(*(self._decisions_with(outcome, age, now) for outcome, age in outcomes))
        return _Decisions(
            by_outcome={
                outcome: one.number for (outcome, _), one in zip(outcomes, found, strict=True) if one.number.number
            },
            oldest=min((one.oldest for one in found if one.oldest is not None), default=None),
            newest=max((one.newest for one in found if one.newest is not None), default=None),
            forgotten_next=[one.next for one in found],
        )

    async def _decisions_with(self, outcome: Outcome, age: timedelta, now: datetime) -> _DecisionsWith:
        low, high = span_of_kind("t", outcome)
        found = await self._some("lookups", [(one, low, high) for one in PARTITIONS], ("RowKey", "moved"))
        # One that a wrong clock dated ahead has another row, which counts.
        times = [_times(row["RowKey"] for row in some.rows if row.get("moved") is not True) for some in found]
        oldest = min((some[0] for some in times if some), default=None)
        broken_off = [partition for partition, some in zip(PARTITIONS, found, strict=True) if not some.is_whole]
        recent = await asyncio.gather(*(self._newest(partition, low, high, now) for partition in broken_off))
        newest = [*(some[-1] for some in times if some), *filter(None, recent)]
        cutoffs = cutoffs_for(age, now)
        return _DecisionsWith(
            number=Count(sum(map(len, times)), not broken_off),
            oldest=oldest,
            newest=max(newest, default=None),
            next=_next(
                outcome, age, [_Ages(some, one.is_whole) for some, one in zip(times, found, strict=True)], cutoffs
            ),
        )

    async def _newest(self, partition: str, low: str, high: str, now: datetime) -> datetime | None:
        """When the newest of many decisions was made, as far as one page tells."""
        for back in _RECENTLY:
            page = await self._tables["lookups"].page(
                filter_of(partition, low + sorting(now - back), high), None, select=("RowKey",)
            )
            if times := _times(row["RowKey"] for row in page.rows):
                return times[-1]
        return None

    async def _unfound_decisions(self) -> _Decisions:
        """Those that an older program put on record: nothing finds them by time until sweeps have seen to them."""
        (found,) = await self._some("record", [None], ("outcome", "at"))
        rows = [Columns(row) for row in found.rows]
        counts = Counter(
            outcome for row in rows if (outcome := readable(None, row.word, "outcome", Outcome)) is not None
        )
        times = [at for row in rows if not isinstance(at := attempt(row.written, "at"), Undecodable)]
        return _Decisions(
            by_outcome={outcome: Count(counts[outcome], found.is_whole) for outcome in Outcome if counts[outcome]},
            oldest=min(times, default=None) if found.is_whole else None,
            newest=max(times, default=None) if found.is_whole else None,
            forgotten_next=[],
        )

    async def _deliveries(self) -> list[_DeliveriesTo]:
        (registered,) = await self._some("deliveries", [all_of("destinations")], ("RowKey",))
        names = sorted({tuple(row["RowKey"].split(".")[:2]) for row in registered.rows})
        return await asyncio.gather(*(self._deliveries_to(*name) for name in names))

    async def _deliveries_to(self, stream: str, destination: str) -> _DeliveriesTo:
        partitions = [shard.partition for shard in shards_of(stream, destination)]
        all, open, dead = await asyncio.gather(
            *(
                self._some("deliveries", [(one, *span_of(kind)) for one in partitions], ("RowKey", *select))
                for kind, select in ((RowKind.DELIVERY, ("state",)), (RowKind.BORN, ()), (RowKind.DEAD, ()))
            )
        )
        is_whole = is_whole_in(all)
        seen = Counter(
            # What cannot be known is as good as dead.
            readable(DeliveryState.DEAD, Columns(row).word, "state", DeliveryState)
            for some in all
            for row in some.rows
        )
        states = {state: Count(many, is_whole) for state, many in seen.items()}
        if not is_whole:
            # What is open and what is dead has rows of its own, of which there are fewer.
            owed, died = number_in(open) - seen[DeliveryState.CLAIMED], number_in(dead)
            states[DeliveryState.OWED] = Count(max(owed, seen[DeliveryState.OWED]), is_whole_in(open))
            states[DeliveryState.DEAD] = Count(max(died, seen[DeliveryState.DEAD]), is_whole_in(dead))
        born = [_instant_at(1, row["RowKey"]) for some in open for row in some.rows[:1]]
        since = min((one for one in born if one is not None), default=None)
        return _DeliveriesTo(DestinationCounts(stream, destination, states), since)

    async def _destination_holds(self, now: datetime) -> list[DestinationHold]:
        (rows,) = await self._some("documents", [all_of(DocumentKind.HOLD.value)], ("RowKey", "body"))
        bodies = await asyncio.gather(*(attempted(self._bodies.read(row.get("body"))) for row in rows.rows))
        found = (find_hold_in(body) for body in bodies if isinstance(body, bytes))
        return holds_in_force((hold for hold in found if hold is not None), now)

    async def _lost(self) -> Count:
        """How many events were lost, as the partitions of losses say."""
        loss = "PartitionKey ge 'losses.' and PartitionKey lt 'losses/'"
        rows: list[Entity] = []
        after: Mapping[str, str] | None = None
        for _ in range(self._pages):
            page = await self._tables["journal"].page(loss, after, select=("RowKey", "first", "last"))
            rows += page.rows
            if (after := page.next) is None:
                break
        sizes = [attempt(_size, Columns(row)) for row in rows]
        return Count(sum(one for one in sizes if not isinstance(one, Undecodable)), after is None)


class _Decisions(NamedTuple):
    """What is known of all decisions."""

    by_outcome: Mapping[Outcome, Count]
    oldest: datetime | None
    newest: datetime | None
    forgotten_next: Sequence[NextForgotten]


class _DecisionsWith(NamedTuple):
    """What is known of the decisions with one outcome."""

    number: Count
    oldest: datetime | None
    newest: datetime | None
    next: NextForgotten


class _DeliveriesTo(NamedTuple):
    """What is known of the deliveries to a destination."""

    counts: DestinationCounts
    owed_since: datetime | None


class _Ages(NamedTuple):
    """Some instants in their order, and whether those are all."""

    times: Sequence[datetime]
    is_whole: bool


def _rules_in(added_up: Sequence[SomeRows], counting: Sequence[SomeRows]) -> Count:
    """How many rules there are hits of: a rule may have rows in each partition of its stream."""
    named_by = {(str(row["PartitionKey"])[:-2], str(row["RowKey"])) for some in added_up for row in some.rows}
    for some in counting:
        for row in some.rows:
            counts = readable(Counts(), counts_in, Columns(row))
            named_by |= {(rule[0], hits_row(rule)) for rule in counts.hits}
    return Count(len(named_by), is_whole_in([*added_up, *counting]))


def _size(row: Columns) -> int:
    first = row.digits("first")
    return row.digits("last", first) - first + 1


def _instant_at(part: int, row: str) -> datetime | None:
    """The instant in a part of a row key."""
    parts = row.split(":")
    found = attempt(time_of, parts[part] if part < len(parts) else "", "RowKey")
    return found if not isinstance(found, Undecodable) else None


def _times(rows: Iterable[str]) -> list[datetime]:
    """The instants in the keys of rows by time."""
    return [at for row in rows if (at := _instant_at(2, row)) is not None]


def _next(outcome: Outcome | None, age: timedelta | None, found: Sequence[_Ages], cutoffs: Cutoffs) -> NextForgotten:
    """What is forgotten next, given what is there by partition, the oldest first."""
    first = min((some.times[0] for some in found if some.times), default=None)
    counts = [_up_to(cutoffs.overdue, some) for some in found], [_up_to(cutoffs.soon, some) for some in found]
    overdue, then = map(sum_of, counts)
    return NextForgotten(
        outcome=outcome,
        age=age,
        next=due_after(first, age or timedelta()) if first is not None else None,
        overdue=overdue,
        soon=Count(then.number - overdue.number, then.is_whole),
    )


def _next_signals(again: Sequence[SomeRows], now: datetime) -> NextForgotten:
    ages = []
    for some in again:
        times = [at for row in some.rows if (at := _instant_at(1, row["RowKey"])) is not None]
        ages.append(_Ages(times, some.is_whole))
    return _next(None, None, ages, Cutoffs(now, now + SOON))


def _up_to(cutoff: datetime, some: _Ages) -> Count:
    """How many are as old as a cutoff; all of those were seen if a younger one was."""
    number = sum(at <= cutoff for at in some.times)
    return Count(number, some.is_whole or number < len(some.times))
