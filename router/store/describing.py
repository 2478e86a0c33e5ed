"""What is in a state, counted by its indexes: a report on a million decisions takes about a second."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState
from router.domain.destination_holds import DestinationHold, find_hold_in, holds_in_force
from router.domain.documents import DocumentKind
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
)
from router.store.codec import attempt
from router.store.engine import Engine, Transaction
from router.store.instants import micros
from router.store.row_reader import Columns, time_of
from router.store.upgrade import VERSION, refuse_newer

_KINDS = """
SELECT kind, count(*) AS many FROM documents GROUP BY kind UNION ALL SELECT 'source', count(*) FROM sources HAVING count(*)>0
"""


async def describe(engine: Engine, now: datetime, retention: Retention) -> StateReport | None:
    """Return what is in a state, without a change to it; None where it holds nothing yet. Raises StoreError."""
    version = await refuse_newer(engine)
    if version == 0:
        return None
    measured = await engine.measure()
    async with engine.session() as tx:
        decided = await tx.fetch(
            "SELECT outcome, count(*) AS many, min(at) AS first, max(at) AS last FROM decisions GROUP BY outcome"
        )
        ends = [one for row in decided for name in ("first", "last") if (one := _instant(row, name)) is not None]
        signals = await _count(tx, "signals")
        owed_since = await tx.find("SELECT min(born) AS at FROM deliveries WHERE state IN ('owed', 'claimed')")
        return StateReport(
            at=now,
            version=version,
            next_version=VERSION if version < VERSION else None,
            files={name: Count(size) for name, size in measured.files.items()},
            tables=[TableSize(name, None, Count(size)) for name, size in measured.tables.items() if size is not None],
            decisions=_by(Outcome, decided, "outcome"),
            oldest=min(ends, default=None),
            newest=max(ends, default=None),
            signals=signals,
            standing=Count(signals.number - (await _count(tx, "signals WHERE closed_at IS NOT NULL")).number),
            held=await _count(tx, "signals WHERE held_by IS NOT NULL"),
            deliveries=await _deliveries(tx),
            owed_since=_instant(owed_since, "at") if owed_since is not None else None,
            quarantined=await _count(tx, "quarantine WHERE code<>'damaged'"),
            damaged=await _count(tx, "quarantine WHERE code='damaged'"),
            lost=await _lost(tx),
            groups=await _count(tx, "groups"),
            hours=Count(await tx.value("SELECT count(DISTINCT hour) FROM counts")),
            rules=await _count(tx, "hits"),
            documents=_by(DocumentKind, await tx.fetch(_KINDS), "kind"),
            destination_holds=await _destination_holds(tx, now),
            forgotten_next=[
                *[await _decisions(tx, outcome, retention, now) for outcome in retention.decisions],
                await _signals(tx, now),
            ],
        )


async def _count(tx: Transaction, rows: str) -> Count:
    return Count(await tx.value(f"SELECT count(*) FROM {rows}"))


def _by[K: (Outcome, DocumentKind)](kind: type[K], rows: list[Columns], name: str) -> Mapping[K, Count]:
    """Counts by the members of an enum; a damaged row counts nowhere."""
    found = {row.raw(name): Count(row.whole("many")) for row in rows}
    return {one: found[one.value] for one in kind if one.value in found}


def _instant(row: Columns, name: str) -> datetime | None:
    """The instant that a column holds; None where it is empty or damaged."""
    found = attempt(time_of, row.raw(name), name)
    return found if isinstance(found, datetime) else None


async def _deliveries(tx: Transaction) -> list[DestinationCounts]:
    counts: defaultdict[tuple[str, str], dict[DeliveryState, Count]] = defaultdict(dict)
    sql = "SELECT stream, destination, state, count(*) AS many FROM deliveries GROUP BY stream, destination, state"
    for row in await tx.fetch(sql):
        if row.raw("state") in set(DeliveryState):
            states = counts[row.words("stream"), row.words("destination")]
            states[DeliveryState(row.raw("state"))] = Count(row.whole("many"))
    return [DestinationCounts(*place, states) for place, states in sorted(counts.items())]


async def _lost(tx: Transaction) -> Count:
    rows = await tx.fetch("SELECT first, last FROM losses WHERE last>=first")
    return Count(sum(row.raw("last") - row.raw("first") + 1 for row in rows))


async def _destination_holds(tx: Transaction, now: datetime) -> list[DestinationHold]:
    rows = await tx.fetch("SELECT body FROM documents WHERE kind=?", DocumentKind.HOLD.value)
    found = [find_hold_in(row.raw("body")) for row in rows]
    return holds_in_force([hold for hold in found if hold is not None], now)


async def _decisions(tx: Transaction, outcome: Outcome, retention: Retention, now: datetime) -> NextForgotten:
    age = retention.decisions[outcome]
    due = await _due(tx, "at", "decisions WHERE outcome=?", cutoffs_for(age, now), outcome.value)
    next = due_after(due.next, age) if due.next is not None else None
    return NextForgotten(outcome=outcome, age=age, next=next, overdue=due.overdue, soon=due.soon)


async def _signals(tx: Transaction, now: datetime) -> NextForgotten:
    """Signals of which nothing came for long enough, and those that are to be looked at again."""
    due = await _due(tx, "review_at", "signals WHERE review_at IS NOT NULL", Cutoffs(now, now + SOON))
    return NextForgotten(outcome=None, age=None, next=due.next, overdue=due.overdue, soon=due.soon)


class _Due(NamedTuple):
    """When the first of some rows falls due, how many are overdue, and how many more fall due soon."""

    next: datetime | None
    overdue: Count
    soon: Count


async def _due(tx: Transaction, column: str, rows: str, cutoffs: Cutoffs, *values: object) -> _Due:
    sql = f"SELECT min({column}) AS first FROM {rows}"
    first = await tx.find(sql, *values)
    sql = f"SELECT count(*) FILTER (WHERE {column}<=?) AS overdue, count(*) AS due FROM {rows} AND {column}<=?"
    found = await tx.find(sql, micros(cutoffs.overdue), *values, micros(cutoffs.soon))
    if first is None or found is None:
        return _Due(None, Count(), Count())
    overdue, due = found.whole("overdue"), found.whole("due")
    return _Due(_instant(first, "first"), Count(overdue), Count(due - overdue))
