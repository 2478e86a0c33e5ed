"""The quarantine: what was not understood, and the rows of the state that cannot be decoded."""

from __future__ import annotations

from collections.abc import Iterable

from router.domain.quarantine import QuarantineEntry
from router.store.engine import Transaction
from router.store.instants import micros

_INSERT = """
INSERT INTO quarantine (id, source, stream, at, origin, place, part, enqueued, code, words, at_fault, body)
VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING
"""


async def keep(tx: Transaction, entries: Iterable[QuarantineEntry]) -> None:
    """Store entries, create-if-absent by their id."""
    rows = [
        (
            one.id,
            one.source,
            one.stream,
            micros(one.at),
            one.arrival.origin,
            one.arrival.place,
            one.arrival.part,
            micros(one.arrival.enqueued),
            one.quarantined.reason.code.value,
            one.quarantined.reason.words,
            one.quarantined.at_fault,
            one.quarantined.body,
        )
        for one in sorted(entries, key=lambda one: one.id)
    ]
    await tx.execute_many(_INSERT, rows)
