"""Keeps entries of the quarantine for those modules that have not come over to the engines."""

from __future__ import annotations

import sqlite3

from router.domain.quarantine import QuarantineEntry
from router.store.instants import micros

_COLUMNS = "id, source, stream, at, origin, place, part, enqueued, code, words, at_fault, body"
_INSERT = f"INSERT OR IGNORE INTO quarantine ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"


def keep(db: sqlite3.Connection, one: QuarantineEntry) -> None:
    """Stores one entry, create-if-absent by its id."""
    arrival, quarantined = one.arrival, one.quarantined
    db.execute(
        _INSERT,
        (
            one.id,
            one.source,
            one.stream,
            micros(one.at),
            arrival.origin,
            arrival.place,
            arrival.part,
            micros(arrival.enqueued),
            quarantined.reason.code.value,
            quarantined.reason.words,
            quarantined.at_fault,
            quarantined.body,
        ),
    )
