"""What forgetting goes by: an instant, since what is forgotten is gone and a clock is not believed at once; and the rules."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from router.domain.counts import Rule, rule_of
from router.domain.documents import DocumentKind
from router.domain.holders import shadow_name
from router.domain.ports.ingest import Journal
from router.domain.retention import ClockWitness, forgets_by, witness_after
from router.domain.rulebook import Rulebook
from router.domain.silence_documents import read_silences
from router.store.documents import list_documents
from router.store.store import Store

TRUSTED, LEAPT = "forgetting", "forgetting.leapt"
"""The names under which the journal keeps what is known of the clocks."""


async def find_instant_to_forget_by(journal: Journal, now: datetime) -> datetime | None:
    """The instant by which the state may be forgotten now; None while no clock is known to be right. Raises StoreError."""
    trusted, leapt = await journal.find_last_sweep(TRUSTED), await journal.find_last_sweep(LEAPT)
    is_open = leapt is not None and (trusted is None or leapt > trusted)
    before = ClockWitness(trusted, leapt if is_open else None)
    witness = witness_after(before, now)
    if witness.trusted is not None and witness.trusted != before.trusted:
        await journal.write_sweep_end(TRUSTED, witness.trusted)
    # One that is no later than what is trusted says nothing any more.
    known = witness.leapt or witness.trusted
    if known is not None and known != leapt:
        await journal.write_sweep_end(LEAPT, known)
    return forgets_by(witness, now)


def rules_of(books: Iterable[Rulebook]) -> frozenset[Rule]:
    """The suppression rules and the shadow rules of some rulebooks."""
    return frozenset(
        rule_of(book.stream.value, name)
        for book in books
        for name in (*book.suppressions.by_name, *map(shadow_name, book.shadows.by_name))
    )


async def silences_known(store: Store) -> frozenset[Rule]:
    """The silences that the state still has, which are rules that are there; raises StoreError."""
    async with store.session() as tx:
        found = read_silences(await list_documents(tx, DocumentKind.SILENCE)).silences
    return frozenset(rule_of(one.stream, one.name) for one in found)
