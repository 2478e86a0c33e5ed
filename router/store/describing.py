"""What is in a state, counted in pages."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from router.domain.decisions import Outcome
from router.domain.deliveries import OPEN, DeliveryState
from router.domain.destination_holds import DestinationHold, holds_in_force
from router.domain.documents import DocumentKind
from router.domain.values import Value
from router.store.codec import Columns, readable
from router.store.documents import find_value
from router.store.store import VERSION, Store, Transaction

PAGE = 2_000
"""Rows that one statement counts."""

_DECISIONS = """
SELECT outcome, count(*) AS many, max(place) AS page_end, min(at) AS first, max(at) AS last
FROM (SELECT place, outcome, at FROM decisions WHERE place>? ORDER BY place LIMIT ?) AS page GROUP BY outcome
"""
_SIGNALS = """
SELECT count(*) AS many, max(key) AS page_end, count(closed_at) AS ended, count(held_by) AS held
FROM (SELECT key, closed_at, held_by FROM signals WHERE key>? ORDER BY key LIMIT ?) AS page
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
UNION ALL SELECT 'change', count(*) FROM changes HAVING count(*)>0
"""


class StateReport(Value):
    """What is in a state: how many there are of each.

    Attributes:
        next_version: what this program's next run makes of `version`; None where that is the present one.
        files, tables: bytes; no table where they are not known.
        standing, held: the signals that have not ended, and that a rule holds.
        deliveries: by the stream and name of their destination.
        owed_since: since when the oldest delivery is owed that is neither sent nor given up on.
        lost: events of hubs.
        rules: those that ever held a signal.
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


async def describe(store: Store, now: datetime) -> StateReport | None:
    """Return what is in a state, without a change to it; None where it holds nothing yet. Raises StoreError."""
    version = await store.refuse_newer()
    if version == 0:
        return None
    sizes = await store.measure()
    async with store.session() as tx:
        decided = await _count(tx, _DECISIONS, -(2**63))
        signals = await _count(tx, _SIGNALS, "")
        delivered = await _count(tx, _DELIVERIES, -(2**63))
        (rest,) = await tx.fetch(_REST)
        documents = await tx.fetch(_KINDS)
        lost = await tx.fetch("SELECT first, last FROM losses WHERE last>=first")
        holds = await tx.fetch("SELECT body FROM documents WHERE kind=?", DocumentKind.HOLD)
    deliveries: defaultdict[tuple[str, str], list[Columns]] = defaultdict(list)
    for row in delivered:
        deliveries[row.words("stream"), row.words("destination")].append(row)
    states = {name: _counted(rows, "state", DeliveryState) for name, rows in sorted(deliveries.items())}
    return StateReport(
        at=now,
        version=version,
        next_version=VERSION if version < VERSION else None,
        files=sizes.files,
        tables=sizes.tables,
        decisions=_counted(decided, "outcome", Outcome),
        oldest=min(_instants(decided, "first"), default=None),
        newest=max(_instants(decided, "last"), default=None),
        signals=_total(signals, "many"),
        standing=_total(signals, "many") - _total(signals, "ended"),
        held=_total(signals, "held"),
        deliveries={name: counts for name, counts in states.items() if counts},
        owed_since=min(_instants([row for row in delivered if row.raw("state") in OPEN], "first"), default=None),
        lost=sum(row.raw("last") - row.raw("first") + 1 for row in lost),
        **{name: rest.whole(name) for name in ("quarantined", "damaged", "groups", "hours", "rules")},
        documents=_counted(documents, "kind", DocumentKind),
        destination_holds=holds_in_force(
            [one for row in holds if (one := find_value(DestinationHold, row.raw("body")))], now
        ),
    )


async def _count(tx: Transaction, sql: str, after: int | str) -> list[Columns]:
    """The rows of a statement that counts a page of a table, for all its pages."""
    found: list[Columns] = []
    rows = None
    while rows is None or _total(rows, "many") >= PAGE:
        rows = await tx.fetch(sql, after, PAGE)
        found += rows
        after = max((row.raw("page_end") for row in rows if row.raw("page_end") is not None), default=after)
    return found


def _counted[W: StrEnum](rows: Sequence[Columns], name: str, words: type[W]) -> Counter[W]:
    """How many are of each word; a word that is damaged counts nowhere."""
    found = [(word, row) for row in rows if (word := readable(None, row.word, name, words)) is not None]
    return sum((Counter({word: row.whole("many")}) for word, row in found), Counter[W]())


def _total(rows: Sequence[Columns], name: str) -> int:
    return sum(row.whole(name) for row in rows)


def _instants(rows: Sequence[Columns], name: str) -> list[datetime]:
    """The instants in a column; none where it is empty or damaged."""
    return [at for row in rows if (at := readable(None, row.find_time, name)) is not None]
