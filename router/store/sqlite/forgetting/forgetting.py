"""Forgets in small steps: each is a transaction of its own, and finds by an index what is old.

What goes is decided in `router/domain/retention.py`. Whatever is looked at and stays is marked with when to look again, so
that no step meets it at every sweep.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator
from datetime import datetime

from router.domain.counts import Rule
from router.domain.retention import Forgotten, Retention
from router.store.sqlite.connection import Connection
from router.store.sqlite.forgetting.expired import forget_bodies, forget_counts, forget_documents, forget_hits
from router.store.sqlite.forgetting.old_decisions import forget_announcements, forget_decisions, forget_outlived
from router.store.sqlite.forgetting.old_groups import forget_groups
from router.store.sqlite.forgetting.old_signals import forget_signals
from router.store.sqlite.ledger import SqliteLedger


class SqliteForgetting:
    """Sweeps the state; raises StoreError. Safe to repeat, and to break off anywhere."""

    def __init__(self, connection: Connection, ledger: SqliteLedger) -> None:
        self._connection = connection
        self._ledger = ledger

    def forget(self, now: datetime, retention: Retention, rules: Collection[Rule], most: int) -> Forgotten:
        """Takes away what is old enough, in at most so many steps."""
        gone = Forgotten()
        for step in self._steps(now, retention, rules):
            is_done = False
            while not is_done:
                if most <= 0:
                    return gone.and_then(Forgotten(is_done=False))
                with self._connection.writing() as db:
                    found = step(db)
                gone, is_done = gone.and_then(found), found.is_done
                # To look and to find nothing costs next to nothing.
                most -= not is_done
        return gone.and_then(Forgotten())

    def _steps(
        self, now: datetime, retention: Retention, rules: Collection[Rule]
    ) -> Iterator[Callable[[sqlite3.Connection], Forgotten]]:
        yield lambda db: self._see_to_odd(db, now)
        yield lambda db: forget_decisions(db, self._ledger, now, retention)
        yield lambda db: forget_outlived(db, now - retention.deliveries)
        yield lambda db: forget_announcements(db, now - retention.deliveries)
        yield lambda db: forget_groups(db, now)
        yield lambda db: forget_signals(db, self._ledger, now, retention)
        yield lambda db: forget_bodies(db, now)
        yield lambda db: forget_counts(db, now)
        yield lambda db: forget_hits(db, now, rules)
        yield lambda db: forget_documents(db, now)

    def _see_to_odd(self, db: sqlite3.Connection, now: datetime) -> Forgotten:
        """Sees to rows whose columns hold what no row has, before anything goes by them."""
        self._ledger.set_odd_aside()
        return Forgotten()
