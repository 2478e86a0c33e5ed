"""Writes down what became of claims; what the state did not take is kept until it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from router.domain.deliveries import Claim, Settlement
from router.domain.errors import StoreError
from router.store.claims import settle_claims
from router.store.store import Store

type Settled = Sequence[tuple[Claim, Settlement]]
"""Claims, each with what became of it."""

type OnSettled = Callable[[Settled], None]
"""Is called with what became of claims, once it is written down."""


class SettlementWriter:
    """Writes the settlements of one destination."""

    def __init__(self, store: Store, on_settled: OnSettled) -> None:
        self._store = store
        self._on_settled = on_settled
        self._unwritten: list[tuple[Claim, Settlement]] = []
        self._writing_unwritten = asyncio.Lock()

    async def write_settlements(self, settled: Settled) -> None:
        """Writes settlements down; raises StoreError, after which they are kept for `write_unwritten`.

        They are kept as well where the call is broken off, since the state may or may not have taken them.
        """
        try:
            await self._store.run(lambda tx: settle_claims(tx, [settlement for _, settlement in settled]))
        except (StoreError, asyncio.CancelledError):
            self.keep(settled)
            raise
        self._on_settled(settled)

    def keep(self, settled: Settled) -> None:
        """Keeps settlements for `write_unwritten`."""
        self._unwritten += settled

    async def write_unwritten(self) -> None:
        """Writes down what the state did not take before, so that nobody is told again what they were told."""
        async with self._writing_unwritten:
            unwritten, self._unwritten = self._unwritten, []
            if unwritten:
                await self.write_settlements(unwritten)
