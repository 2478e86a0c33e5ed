"""Keeps since when each rule of a stream is known, in the state."""

from __future__ import annotations

from datetime import datetime

from router.domain.documents import DocumentKind
from router.domain.holders import shadow_name
from router.domain.known_rules import (
    NONE_KNOWN,
    KnownRules,
    document_of_rules,
    is_to_be_renewed,
    known_after,
    known_rules_in,
)
from router.domain.rulebook import Rulebook
from router.store.documents import find_document, put_document
from router.store.engine import Transaction
from router.store.store import Store


async def read_known_rules(store: Store, stream: str) -> KnownRules:
    """What is known of a stream's rules; raises StoreError."""
    async with store.session() as tx:
        document = await find_document(tx, DocumentKind.RULES, stream)
    return known_rules_in(document.body) if document is not None else NONE_KNOWN


class RuleRegister:
    """What is known of the rules of a stream; raises StoreError.

    Storage is asked for it once in the life of a rulebook, and written to where rules came or went since.
    """

    def __init__(self, store: Store, rulebook: Rulebook) -> None:
        self._store = store
        self._stream = rulebook.stream.value
        self._names = {*rulebook.suppressions.by_name, *map(shadow_name, rulebook.shadows.by_name)}
        self._known: KnownRules | None = None

    async def known_rules(self, now: datetime) -> KnownRules:
        """Since when they are known, those that are new among them."""
        if self._known is None or not self._known.is_possible(now):
            self._known = await self._learn(now)
        return self._known

    async def _learn(self, now: datetime) -> KnownRules:
        """Reads what is known, and writes it down with what is new, whoever else writes meanwhile."""

        async def learn(tx: Transaction) -> KnownRules | None:
            document = await find_document(tx, DocumentKind.RULES, self._stream)
            before = known_rules_in(document.body) if document is not None else NONE_KNOWN
            after = known_after(before, self._names, now)
            if document is not None and after is before and not is_to_be_renewed(document, now):
                return after
            version = document.version if document is not None else None
            written = await put_document(tx, document_of_rules(self._stream, after, now, version))
            return after if written is not None else None

        while (known := await self._store.run(learn)) is None:
            pass
        return known
