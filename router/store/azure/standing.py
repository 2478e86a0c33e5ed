"""Walks over the signals that stand, in tables: those of a stream page by page, those that something holds by the index of
what is held. None looks at more than some pages, and each says whether that was all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Sequence

from router.domain.decisions import Outcome
from router.domain.lookback import HeldCounts, StandingPage, StandingSignal
from router.domain.rule_fields import RuleFields
from router.domain.severity import find_severity
from router.store.azure.bodies import Bodies
from router.store.azure.ledger_rows import FOUND, entity_key, fields_of, row_of
from router.store.azure.row_counts import PAGES
from router.store.azure.suppression_index import HeldIndex, is_named_by, signal_of
from router.store.azure.tables import Entity, RowPage, Table, quoted
from router.store.codec import attempted, readable
from router.store.row_reader import Columns

_COLUMNS = (*FOUND, "rulebook", "fields")

_COUNTED = ("RowKey", "outcome", "rule", "rulebook", "until")


class AzureStanding:
    """Gives pages of the signals that stand, with what rules can match of them; raises StoreError."""

    def __init__(self, table: Table, held: HeldIndex, bodies: Bodies, pages: int = PAGES) -> None:
        self._table = table
        self._held = held
        self._bodies = bodies
        self._pages = pages

    async def walk_standing(self, stream: str, types: Collection[str] | None) -> AsyncIterator[StandingPage]:
        """The signals of a stream that stand, but for those that are known to be of other types."""
        filter = f"stream eq '{quoted(stream)}' and (outcome eq 'routed' or outcome eq 'suppressed')"
        page = RowPage([], None)
        for _ in range(self._pages):
            page = await self._table.page(filter, page.next, select=_COLUMNS)
            signals = await self._signals(page.rows)
            yield StandingPage([one for one in signals if one.is_of_type(types)], page.next is None)
            if page.next is None:
                return

    async def walk_held(self, stream: str, name: str) -> AsyncIterator[StandingPage]:
        """The signals of a stream that are held under a name."""
        left = self._pages
        async for page in self._held.entries_under(stream, name):
            if left == 0:
                yield StandingPage((), is_whole=False)
                return
            left -= 1
            rows = await self._rightly_named(page.rows, _COLUMNS)
            yield StandingPage(await self._signals(rows), is_whole=False)
        yield StandingPage((), is_whole=True)

    async def held_counts(self, stream: str) -> HeldCounts:
        """How many signals of a stream are held, by the name of what holds them."""
        counts: Counter[str] = Counter()
        page = RowPage([], None)
        for _ in range(self._pages):
            page = await self._held.entries_of_stream(stream, page.next)
            rows = map(Columns, await self._rightly_named(page.rows, _COUNTED))
            counts.update(name for row in rows if (name := readable("", row.text, "rule")))
            if page.next is None:
                break
        return HeldCounts(counts, page.next is None)

    async def _rightly_named(self, entries: Sequence[Entity], select: Collection[str]) -> list[Entity]:
        """The rows that entries of the index name and that are held so: an entry stays a while where its row went on."""
        found = await self._table.find_all([entity_key(signal_of(entry)) for entry in entries], select)
        named = [(entry, found.get(entity_key(signal_of(entry)))) for entry in entries]
        return [
            row
            for entry, row in named
            if row is not None and row.get("outcome") == Outcome.SUPPRESSED and is_named_by(entry, row)
        ]

    async def _signals(self, rows: Iterable[Entity]) -> list[StandingSignal]:
        found = await asyncio.gather(*map(self._signal, rows))
        return [one for one in found if one is not None]

    async def _signal(self, row: Entity) -> StandingSignal | None:
        one = await attempted(row_of(row, self._bodies))
        # A damaged row is mended when its signal is asked for.
        if isinstance(one, Exception) or one.state.resolved:
            return None
        fields = await attempted(fields_of(row, self._bodies))
        return StandingSignal(
            key=one.key,
            outcome=one.outcome,
            severity=find_severity(one.state.severity),
            held_by=one.held_by.rule if one.held_by is not None else None,
            fields=fields if isinstance(fields, RuleFields) else None,
        )
