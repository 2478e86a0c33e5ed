"""What forgetting goes by: an instant, since what is forgotten is gone and a clock is not believed at once; and the rules."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from router.domain.counts import Rule, rule_of
from router.domain.documents import DocumentKind
from router.domain.holders import shadow_name
from router.domain.retention import ClockWitness, forgets_by, witness_after
from router.domain.rulebook import Rulebook
from router.domain.silence_documents import read_silences
from router.store import partitions
from router.store.documents import list_documents
from router.store.store import Store
from router.store.transaction import Transaction

TRUSTED, SEEN = "forgetting", "forgetting.seen"
"""The names under which the state keeps what is known of the clocks."""


async def find_instant_to_forget_by(store: Store, now: datetime) -> datetime | None:
    """Return the instant by which the state may be forgotten; None while no clock is confirmed. Raises StoreError."""
    return await store.run(lambda tx: _find_instant(tx, now))


async def _find_instant(tx: Transaction, now: datetime) -> datetime | None:
    before = ClockWitness(*[await partitions.find_last_sweep(tx, name) for name in (TRUSTED, SEEN)])
    witness = witness_after(before, now)
    for name, known, is_known in zip((TRUSTED, SEEN), witness, before, strict=True):
        if known is not None and known != is_known:
            await partitions.write_sweep_end(tx, name, known)
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
