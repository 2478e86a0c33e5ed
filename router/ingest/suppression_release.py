"""Decides again what a suppression rule or a silence held, when that ends: what it covered is never buried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from router.domain.decisions import Outcome
from router.domain.ledger import LedgerRow
from router.domain.notices import RecordEntry
from router.domain.ports.ingest import Ledger
from router.domain.rulebook import Rulebook
from router.ingest.intake import Intake, Message

AT_A_TIME = 100
"""Signals that are decided again at a time."""


async def release_held(
    intake: Intake, ledger: Ledger, rulebook: Rulebook, now: datetime, is_stopped: Callable[[], bool] = lambda: False
) -> list[RecordEntry]:
    """Decides again every signal that still stands and whose rule ended, was removed, disabled or changed, until stopped.

    So with silences, as the store has them by now: one that was extended a moment ago lets go of nothing. Returns the entries
    of those signals that are no longer held; raises StoreError.
    """
    await intake.silences.read_again(now)
    silences = await intake.silences.silences(rulebook.stream.value, now)
    active = [rule.name for rule in rulebook.suppressions.active(now)] + [one.name for one in silences.active(now)]
    released: list[RecordEntry] = []
    some: list[LedgerRow] = []
    async for row in ledger.held_in_doubt(rulebook.stream.value, rulebook.hash, active, now):
        some.append(row)
        if len(some) == AT_A_TIME:
            released += await _decide_again(intake, ledger, some, now)
            some = []
            if is_stopped():
                break
    return released + await _decide_again(intake, ledger, some, now)


async def _decide_again(intake: Intake, ledger: Ledger, rows: Sequence[LedgerRow], now: datetime) -> list[RecordEntry]:
    messages = {
        row.key: Message(
            body=row.held.body,
            source=row.held.source,
            # Its own place on record: the message's first outcome, that it was held, stays what it was.
            arrival=replace(row.seen.arrival, again=row.turn),
        )
        for row in rows
        if row.held is not None
    }
    entries = await intake.ingest(list(messages.values()), now)
    not_understood = {entry.key for entry in entries if entry.outcome == Outcome.QUARANTINED}
    # A body that is damaged is in the quarantine now, whole; it would be no other the next time.
    await ledger.drop_held(
        (row.key, row.turn) for row in rows if row.key in messages and messages[row.key].arrival.key in not_understood
    )
    return [entry for entry in entries if entry.suppressed_by is None]
