"""What is in a state, counted by its indexes: a report on a million decisions takes about a second."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState
from router.domain.destination_holds import find_hold_in, holds_in_force
from router.domain.documents import DocumentKind
from router.domain.retention import Retention
from router.domain.state_report import (
    SOON,
    Count,
    DestinationCounts,
    NextForgotten,
    StateReport,
    TableSize,
    due_after,
)
from router.store.codec import Columns, attempt, micros, time_of
from router.store.engine import Engine
from router.store.upgrade import VERSION, refuse_newer

_KINDS = """
SELECT kind, count(*) AS many FROM documents GROUP BY kind UNION ALL SELECT 'source', count(*) FROM sources HAVING count(*)>0
"""


_CUT = f"CASE outcome {' '.join(f"WHEN '{one}' THEN CAST(? AS BIGINT)" for one in Outcome)} END"
"""An instant for each outcome."""

_DECISIONS = f"""
SELECT outcome, count(*) AS many, min(at) AS first, max(at) AS last,
count(*) FILTER (WHERE at<={_CUT}) AS overdue, count(*) FILTER (WHERE at<={_CUT}) AS due
FROM decisions GROUP BY outcome
"""

_SIGNALS = """
SELECT outcome, count(*) AS many, count(closed_at) AS ended, count(held_by) AS held, min(review_at) AS first,
count(*) FILTER (WHERE review_at<=?) AS overdue, count(*) FILTER (WHERE review_at<=?) AS due FROM signals GROUP BY outcome
"""

_DELIVERIES = """
SELECT stream, destination, state, count(*) AS many, min(born) AS first FROM deliveries GROUP BY stream, destination, state
"""

_REST = """
SELECT (SELECT count(*) FROM quarantine WHERE code<>'damaged') AS quarantined,
(SELECT count(*) FROM quarantine WHERE code='damaged') AS damaged,
(SELECT count(*) FROM groups) AS groups, (SELECT count(*) FROM rules WHERE hits>0) AS rules,
(SELECT count(DISTINCT hour) FROM counts) AS hours
"""


async def describe(engine: Engine, now: datetime, retention: Retention) -> StateReport | None:
    """Return what is in a state, without a change to it; None where it holds nothing yet. Raises StoreError."""
    version = await refuse_newer(engine)
    if version == 0:
        return None
    measured = await engine.measure()
    async with engine.session() as tx:
        decided = await tx.fetch(_DECISIONS, *_cuts(retention.decisions, now), *_cuts(retention.decisions, now + SOON))
        signals = await tx.fetch(_SIGNALS, micros(now), micros(now + SOON))
        delivered = await tx.fetch(_DELIVERIES)
        rest = await tx.find(_REST) or Columns({})
        documents = await tx.fetch(_KINDS)
        lost = await tx.fetch("SELECT first, last FROM losses WHERE last>=first")
        holds = await tx.fetch("SELECT body FROM documents WHERE kind=?", DocumentKind.HOLD.value)
    ends = [one for row in decided for name in ("first", "last") if (one := _instant(row, name)) is not None]
    many = sum(row.whole("many") for row in signals)
    owed = [_instant(row, "first") for row in delivered if row.raw("state") in ("owed", "claimed")]
    found = [hold for row in holds if (hold := find_hold_in(row.raw("body"))) is not None]
    return StateReport(
        at=now,
        version=version,
        next_version=VERSION if version < VERSION else None,
        files={name: Count(size) for name, size in measured.files.items()},
        tables=[TableSize(name, None, Count(size)) for name, size in measured.tables.items() if size is not None],
        decisions=_by(Outcome, decided, "outcome"),
        oldest=min(ends, default=None),
        newest=max(ends, default=None),
        signals=Count(many),
        standing=Count(many - sum(row.whole("ended") for row in signals)),
        held=Count(sum(row.whole("held") for row in signals)),
        deliveries=_deliveries(delivered),
        owed_since=min((one for one in owed if one is not None), default=None),
        quarantined=Count(rest.whole("quarantined")),
        damaged=Count(rest.whole("damaged")),
        lost=Count(sum(row.raw("last") - row.raw("first") + 1 for row in lost)),
        groups=Count(rest.whole("groups")),
        hours=Count(rest.whole("hours")),
        rules=Count(rest.whole("rules")),
        documents=_by(DocumentKind, documents, "kind"),
        destination_holds=holds_in_force(found, now),
        forgotten_next=[
            *(_next_decisions(decided, outcome, age) for outcome, age in retention.decisions.items()),
            _next(None, None, _firsts(signals), signals),
        ],
    )


def _cuts(ages: Mapping[Outcome, timedelta], now: datetime) -> list[int]:
    """Up to when something is old enough by an instant, for each outcome."""
    return [micros(now - ages[outcome]) for outcome in Outcome]


def _by[K: (Outcome, DocumentKind)](kind: type[K], rows: list[Columns], name: str) -> Mapping[K, Count]:
    """Counts by the members of an enum; a damaged row counts nowhere."""
    found = {row.raw(name): Count(row.whole("many")) for row in rows}
    return {one: found[one.value] for one in kind if one.value in found}


def _instant(row: Columns, name: str) -> datetime | None:
    """The instant that a column holds; None where it is empty or damaged."""
    found = attempt(time_of, row.raw(name), name)
    return found if isinstance(found, datetime) else None


def _deliveries(rows: list[Columns]) -> list[DestinationCounts]:
    counts: defaultdict[tuple[str, str], dict[DeliveryState, Count]] = defaultdict(dict)
    for row in rows:
        if row.raw("state") in set(DeliveryState):
            states = counts[row.words("stream"), row.words("destination")]
            states[DeliveryState(row.raw("state"))] = Count(row.whole("many"))
    return [DestinationCounts(*place, states) for place, states in sorted(counts.items())]


def _next_decisions(decided: list[Columns], outcome: Outcome, age: timedelta) -> NextForgotten:
    rows = [row for row in decided if row.raw("outcome") == outcome]
    return _next(outcome, age, [due_after(first, age) for first in _firsts(rows)], rows)


def _firsts(rows: list[Columns]) -> list[datetime]:
    return [first for row in rows if (first := _instant(row, "first")) is not None]


def _next(outcome: Outcome | None, age: timedelta | None, firsts: list[datetime], rows: list[Columns]) -> NextForgotten:
    overdue, due = (sum(row.whole(name) for row in rows) for name in ("overdue", "due"))
    return NextForgotten(
        outcome=outcome,
        age=age,
        next=min(firsts, default=None),
        overdue=Count(overdue),
        soon=Count(due - overdue),
    )
