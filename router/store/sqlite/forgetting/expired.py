"""What goes by its date alone: bodies that no rule holds any more, counts, hits, documents."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from datetime import datetime

from router.domain.counts import Rule, RuleHits
from router.domain.decisions import Outcome
from router.domain.documents import DocumentKind
from router.domain.retention import COUNTS, Forgotten, document_age, is_rule_forgotten
from router.store.sqlite.forgetting.steps import FEW, MANY
from router.store.sqlite.schema import instant, micros


def forget_bodies(db: sqlite3.Connection, now: datetime) -> Forgotten:
    """Bodies that no rule holds any more; what waits for its rule to end keeps its body, however long nobody looked."""
    gone = db.execute(
        "DELETE FROM held WHERE rowid IN (SELECT h.rowid FROM held h INDEXED BY holding WHERE h.until<=? AND NOT EXISTS "
        "(SELECT 1 FROM ledger l WHERE l.key=h.key AND l.outcome=?) LIMIT ?)",
        (micros(now), Outcome.SUPPRESSED.value, FEW),
    ).rowcount
    return Forgotten(bodies=gone, is_done=gone < FEW)


def forget_counts(db: sqlite3.Connection, now: datetime) -> Forgotten:
    """Counts of hours that are long over."""
    gone = db.execute(
        "DELETE FROM counts WHERE (hour, cell) IN (SELECT hour, cell FROM counts WHERE hour<=? LIMIT ?)",
        (micros(now - COUNTS), MANY),
    ).rowcount
    return Forgotten(counts=gone, is_done=gone < MANY)


def forget_hits(db: sqlite3.Connection, now: datetime, rules: Collection[Rule]) -> Forgotten:
    """The hits of rules that are there no more."""
    found = db.execute("SELECT stream, rule, total, first, last FROM hits WHERE last<=?", (micros(now - COUNTS),))
    gone = [
        (stream, name)
        for stream, name, total, first, last in found.fetchall()
        if is_rule_forgotten((stream, name), RuleHits(total, instant(first), instant(last)), rules, now)
    ]
    db.executemany("DELETE FROM hits WHERE stream=? AND rule=?", gone)
    return Forgotten(counts=len(gone))


def forget_documents(db: sqlite3.Connection, now: datetime) -> Forgotten:
    """Documents whose time is long over."""
    gone = 0
    for kind in DocumentKind:
        gone += db.execute(
            "DELETE FROM documents WHERE (kind, id) IN (SELECT kind, id FROM documents WHERE kind=? AND at<=? LIMIT ?)",
            (kind.value, micros(now - document_age(kind)), MANY),
        ).rowcount
    return Forgotten(documents=gone, is_done=gone == 0)
