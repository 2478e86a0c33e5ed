"""Forgets in small steps: each is a transaction of its own, and finds by an index what is old.

What goes is decided in `router/domain/retention.py`. Whatever is looked at and stays is marked with when to look again, so
that no step meets it at every sweep.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator
from datetime import datetime

from router.domain.counts import Rule
from router.domain.documents import DocumentKind
from router.domain.retention import COUNTS, Forgotten, Retention, document_age
from router.store.engine import Engine, Transaction
from router.store.forgetting.decisions import forget_announcements, forget_decisions, forget_outlived
from router.store.forgetting.signals import forget_groups, forget_memberships, forget_signals
from router.store.instants import micros

MANY = 500
"""Rows that go unseen, of which one transaction takes so many."""

_COUNTS = "DELETE FROM counts WHERE (hour, id) IN (SELECT hour, id FROM counts WHERE hour<=? LIMIT ?)"
_HITS = "SELECT stream, rule FROM hits WHERE last<=?"
_DOCUMENTS = """
DELETE FROM documents WHERE (kind, id) IN (SELECT kind, id FROM documents WHERE kind=? AND at<=? LIMIT ?)
"""
_SOURCES = """
DELETE FROM sources WHERE (kind, id) IN (SELECT kind, id FROM sources WHERE heard<=? LIMIT ?)
"""

type Step = Callable[[Transaction], Awaitable[Forgotten]]
"""Takes some of what is old away."""


class SqlForgetting:
    """Sweeps the state; raises StoreError. Safe to repeat, and to break off anywhere."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def forget(self, now: datetime, retention: Retention, rules: Collection[Rule], most: int) -> Forgotten:
        """Take away what is old enough, in at most so many steps."""
        gone = Forgotten()
        for step in self._steps(now, retention, rules):
            is_done = False
            while not is_done:
                if most <= 0:
                    return gone.and_then(Forgotten(is_done=False))
                async with self._engine.transaction() as tx:
                    found = await step(tx)
                gone, is_done = gone.and_then(found), found.is_done
                # To look and to find nothing costs next to nothing.
                most -= not is_done
        return gone.and_then(Forgotten())

    def _steps(self, now: datetime, retention: Retention, rules: Collection[Rule]) -> Iterator[Step]:
        yield lambda tx: forget_decisions(tx, now, retention)
        yield lambda tx: forget_outlived(tx, now - retention.deliveries)
        yield lambda tx: forget_announcements(tx, now - retention.deliveries)
        yield lambda tx: forget_groups(tx, now)
        yield lambda tx: forget_memberships(tx, now)
        yield lambda tx: forget_signals(tx, now, retention)
        yield lambda tx: _forget_counts(tx, now)
        yield lambda tx: _forget_hits(tx, now, rules)
        yield lambda tx: _forget_documents(tx, now)


async def _forget_counts(tx: Transaction, now: datetime) -> Forgotten:
    """Counts of hours that are long over."""
    gone = await tx.execute(_COUNTS, micros(now - COUNTS), MANY)
    return Forgotten(counts=gone, is_done=gone < MANY)


async def _forget_hits(tx: Transaction, now: datetime, rules: Collection[Rule]) -> Forgotten:
    """The hits of rules that are there no more."""
    found = [(row.words("stream"), row.words("rule")) for row in await tx.fetch(_HITS, micros(now - COUNTS))]
    gone = sorted(rule for rule in found if rule not in rules)
    await tx.execute_many("DELETE FROM hits WHERE stream=? AND rule=?", gone)
    return Forgotten(counts=len(gone))


async def _forget_documents(tx: Transaction, now: datetime) -> Forgotten:
    """Documents whose time is long over, and sources of which nothing was heard for as long."""
    gone = 0
    for kind in DocumentKind:
        gone += await tx.execute(_DOCUMENTS, kind.value, micros(now - document_age(kind)), MANY)
    gone += await tx.execute(_SOURCES, micros(now - document_age(DocumentKind.SOURCE)), MANY)
    return Forgotten(documents=gone, is_done=gone == 0)
