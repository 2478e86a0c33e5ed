"""What is in a state, counted in pages."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from router.domain.decisions import Outcome
from router.domain.deliveries import OPEN, DeliveryState
from router.domain.destination_holds import DestinationHold, find_hold_in, holds_in_force
from router.domain.documents import DocumentKind
from router.domain.retention import Retention
from router.store.codec import Columns, micros, readable
from router.store.transaction import VERSION, Transaction

if TYPE_CHECKING:
    from router.store.store import Store

SOON = timedelta(days=7)
"""How far ahead a report looks at what is forgotten next."""

PAGE = 2_000
"""Rows that one statement counts."""

_LAST = datetime.max.replace(tzinfo=UTC)

_CUT = f"CASE outcome {' '.join(f"WHEN '{one}' THEN CAST(? AS BIGINT)" for one in Outcome)} END"
"""An instant for each outcome."""

_DECISIONS = f"""
SELECT outcome, count(*) AS many, max(place) AS page_end, min(at) AS first, max(at) AS last,
count(*) FILTER (WHERE at<={_CUT}) AS overdue, count(*) FILTER (WHERE at<={_CUT}) AS due
FROM (SELECT place, outcome, at FROM decisions WHERE place>? ORDER BY place LIMIT ?) AS page GROUP BY outcome
"""

_SIGNALS = """
SELECT count(*) AS many, max(key) AS page_end, count(closed_at) AS ended, count(held_by) AS held, min(review_at) AS first,
count(*) FILTER (WHERE review_at<=?) AS overdue, count(*) FILTER (WHERE review_at<=?) AS due
FROM (SELECT key, closed_at, held_by, review_at FROM signals WHERE key>? ORDER BY key LIMIT ?) AS page
"""

_DELIVERIES = """
SELECT stream, destination, state, count(*) AS many, max(place) AS page_end, min(born) AS first
FROM (SELECT place, stream, destination, state, born FROM deliveries WHERE place>? ORDER BY place LIMIT ?) AS page
GROUP BY stream, destination, state
"""

_REST = """
SELECT (SELECT count(*) FROM quarantine WHERE code<>'damaged') AS quarantined,
(SELECT count(*) FROM quarantine WHERE code='damaged') AS damaged,
(SELECT count(*) FROM groups) AS groups, (SELECT count(*) FROM rules WHERE hits>0) AS rules,
(SELECT count(DISTINCT hour) FROM counts) AS hours
"""

_KINDS = """
SELECT kind, count(*) AS many FROM documents GROUP BY kind UNION ALL SELECT 'source', count(*) FROM sources HAVING count(*)>0
UNION ALL SELECT 'snapshots', count(DISTINCT subscription) FROM snapshots HAVING count(*)>0
UNION ALL SELECT 'rules', count(DISTINCT stream) FROM rules WHERE known_since IS NOT NULL HAVING count(*)>0
UNION ALL SELECT 'rule_events', count(DISTINCT stream) FROM told HAVING count(*)>0
"""


@dataclass(frozen=True, slots=True)
class NextForgotten:
    """What is forgotten next, of the decisions with one outcome, or of signals, which are looked at when they fall due.

    Attributes:
        outcome, age: None for signals.
        next: when the next one falls due.
        overdue: how many are due, and wait for the next sweep.
        soon: how many more fall due within `SOON`.
    """

    outcome: Outcome | None
    age: timedelta | None
    next: datetime | None
    overdue: int
    soon: int


@dataclass(frozen=True, slots=True)
class StateReport:
    """What is in a state: how many there are of each.

    Attributes:
        next_version: what this program's next run makes of `version`; None where that is the present one.
        files, tables: bytes; no table where they are not known.
        standing: the signals that have not ended.
        held: those that a suppression rule holds.
        deliveries: by the stream and name of their destination.
        owed_since: since when the oldest delivery is owed that is neither sent nor given up on.
        lost: events of hubs.
        hours: hours that are counted.
        rules: suppression rules that ever held a signal.
    """

    at: datetime
    version: int
    next_version: int | None
    files: Mapping[str, int]
    tables: Mapping[str, int]
    decisions: Mapping[Outcome, int]
    oldest: datetime | None
    newest: datetime | None
    signals: int
    standing: int
    held: int
    deliveries: Mapping[tuple[str, str], Mapping[DeliveryState, int]]
    owed_since: datetime | None
    quarantined: int
    damaged: int
    lost: int
    groups: int
    hours: int
    rules: int
    documents: Mapping[DocumentKind, int]
    destination_holds: Sequence[DestinationHold]
    forgotten_next: Sequence[NextForgotten]


async def describe(store: Store, now: datetime, retention: Retention) -> StateReport | None:
    """Return what is in a state, without a change to it; None where it holds nothing yet. Raises StoreError."""
    version = await store.refuse_newer()
    if version == 0:
        return None
    sizes = await store.measure()
    cuts = [micros(at - retention.decisions[outcome]) for at in (now, now + SOON) for outcome in Outcome]
    async with store.session() as tx:
        decided = await _count(tx, _DECISIONS, -(2**63), *cuts)
        signals = await _count(tx, _SIGNALS, "", micros(now), micros(now + SOON))
        delivered = await _count(tx, _DELIVERIES, -(2**63))
        rest = await tx.find(_REST) or Columns({})
        documents = await tx.fetch(_KINDS)
        lost = await tx.fetch("SELECT first, last FROM losses WHERE last>=first")
        holds = await tx.fetch("SELECT body FROM documents WHERE kind=?", DocumentKind.HOLD.value)
    deliveries: defaultdict[tuple[str, str], Counter[DeliveryState]] = defaultdict(Counter)
    for row in delivered:
        if row.raw("state") in set(DeliveryState):
            deliveries[row.words("stream"), row.words("destination")][DeliveryState(row.raw("state"))] += row.whole(
                "many"
            )
    many = _total(signals, "many")
    of_outcome = {outcome: [row for row in decided if row.raw("outcome") == outcome] for outcome in Outcome}
    return StateReport(
        at=now,
        version=version,
        next_version=VERSION if version < VERSION else None,
        files=sizes.files,
        tables={name: size for name, size in sizes.tables.items() if size is not None},
        decisions={outcome: _total(rows, "many") for outcome, rows in of_outcome.items() if rows},
        oldest=min(_instants(decided, "first"), default=None),
        newest=max(_instants(decided, "last"), default=None),
        signals=many,
        standing=many - _total(signals, "ended"),
        held=_total(signals, "held"),
        deliveries=dict(sorted(deliveries.items())),
        owed_since=min(_instants([row for row in delivered if row.raw("state") in OPEN], "first"), default=None),
        quarantined=rest.whole("quarantined"),
        damaged=rest.whole("damaged"),
        lost=sum(row.raw("last") - row.raw("first") + 1 for row in lost),
        groups=rest.whole("groups"),
        hours=rest.whole("hours"),
        rules=rest.whole("rules"),
        documents={
            DocumentKind(row.raw("kind")): row.whole("many")
            for row in documents
            if row.raw("kind") in set(DocumentKind)
        },
        destination_holds=holds_in_force([one for row in holds if (one := find_hold_in(row.raw("body")))], now),
        forgotten_next=[
            *(_next(of_outcome[outcome], outcome, age) for outcome, age in retention.decisions.items()),
            _next(signals, None, None),
        ],
    )


async def _count(tx: Transaction, sql: str, after: int | str, *values: int) -> list[Columns]:
    """The rows of a statement that counts a page of a table, for all its pages."""
    found: list[Columns] = []
    while True:
        rows = await tx.fetch(sql, *values, after, PAGE)
        found += rows
        if _total(rows, "many") < PAGE:
            return found
        after = max(row.raw("page_end") for row in rows)


def _total(rows: Sequence[Columns], name: str) -> int:
    return sum(row.whole(name) for row in rows)


def _instants(rows: Sequence[Columns], name: str) -> list[datetime]:
    """The instants in a column; none where it is empty or damaged."""
    return [at for row in rows if (at := readable(None, row.find_time, name)) is not None]


def _next(rows: Sequence[Columns], outcome: Outcome | None, age: timedelta | None) -> NextForgotten:
    overdue = _total(rows, "overdue")
    first = min(_instants(rows, "first"), default=None)
    # A wrong clock may have written the last instant there is.
    next = first + min(age or timedelta(), _LAST - first) if first is not None else None
    return NextForgotten(outcome, age, next, overdue, _total(rows, "due") - overdue)
