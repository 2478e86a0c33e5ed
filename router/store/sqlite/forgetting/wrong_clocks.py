"""Brings back what a clock that was wrong dated ahead: it would stay for ever."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from router.domain.clocks import latest
from router.domain.decisions import Outcome
from router.domain.retention import SILENT, Forgotten, latest_to_come
from router.store.sqlite.forgetting.steps import MANY
from router.store.sqlite.schema import micros


def bring_back(db: sqlite3.Connection, now: datetime) -> Forgotten:
    """Counts some of what is dated ahead as of now."""
    ahead = micros(latest_to_come(now))
    brought = 0
    for outcome in Outcome:
        brought += db.execute(
            "UPDATE record SET decided=? WHERE rowid IN (SELECT rowid FROM record WHERE outcome=? AND decided>? LIMIT ?)",
            (micros(now), outcome.value, ahead, MANY - brought),
        ).rowcount
        brought += db.execute(
            "UPDATE ledger SET heard=? WHERE key IN "
            "(SELECT key FROM ledger WHERE outcome=? AND heard>? AND review_at IS NULL LIMIT ?)",
            (micros(now), outcome.value, ahead, MANY - brought),
        ).rowcount
    brought += db.execute(
        "UPDATE ledger SET review_at=? WHERE key IN (SELECT key FROM ledger WHERE review_at>? LIMIT ?)",
        (micros(now), micros(latest(now, SILENT)), MANY - brought),
    ).rowcount
    return Forgotten(is_done=brought == 0)
