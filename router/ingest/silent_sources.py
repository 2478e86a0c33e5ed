"""Finds the sources that are silent for longer than coverage.yaml lets them, on a clock, and takes in what it says of them.

A look is one transaction: what is known of the sources, and what people are told, as messages of our own. The document of the
looks is written first: of two workers one writes it, and the other one finds that it was faster. Where a look has a fault of
ours, each source is told by itself, so that the one at fault keeps no other waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from router.domain.clocks import is_possible, is_recent
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.keys import signal_key
from router.domain.notices import RecordEntry
from router.domain.signals import Kind, Stream
from router.domain.silent_sources import AT_ONCE, RUNGS, KnownSource, SourceLook, SourceTurn, SourceWatch, finding_id_of
from router.ingest.intake import Ingested, Intake, fault_of
from router.ingest.source_messages import message_of
from router.store.documents import document_of_watch, find_document, find_value, put_document
from router.store.partitions import read_losses
from router.store.signals import find_signals
from router.store.sources import list_sources, write_watched
from router.store.store import Store, Transaction

EVERY = timedelta(minutes=10)
"""How often it is looked, by a process that sweeps more often: that lists every source."""

BEHIND = timedelta(minutes=15)
"""How far the hub may be from being taken in while sources are judged: by more, what was heard of lately may wait there."""

_STREAM = Stream.CSPM


type LookAtSources = Callable[
    [SourceWatch | None, Mapping[str, KnownSource], datetime, datetime, datetime | None], SourceLook
]
"""Judges all sources: given the watch, None at the first look, each source by its id, the hub's time up to which all was taken
in, now, and when events were last declared lost."""


class SourceReport(NamedTuple):
    """What a look at all sources brought; of warnings, lines for people: what fits nothing, and what has a fault of ours."""

    entries: Sequence[RecordEntry] = ()
    warnings: Sequence[str] = ()


class SilentSources:
    """Watches the sources of a manifest; raises StoreError. Safe to repeat, to break off anywhere, and to do at two workers.

    `look_at` judges them, and `is_expected` says whether there is a manifest. A look costs three questions while nothing
    changes, and one write each hour; without a manifest one in a process's life.
    """

    def __init__(self, intake: Intake, store: Store, look_at: LookAtSources, *, is_expected: bool) -> None:
        self._intake = intake
        self._store = store
        self._look_at = look_at
        self.is_expected = is_expected
        self._is_idle = False
        self._looked: datetime | None = None
        self._warned: Sequence[str] = ()

    async def look(self, until: datetime | None, now: datetime) -> SourceReport:
        """Judges all sources, and tells of those that fell silent, or speak again.

        `until` is the hub's time up to which all was taken in; while that is not known, or long ago, no source is judged. A
        warning is returned once in the life of a process, as long as it lasts.
        """
        if until is None or now - until > BEHIND or await self._is_nothing_expected():
            return SourceReport()
        if self._looked is not None and is_recent(self._looked, now, EVERY):
            return SourceReport()
        found = await fault_of(self._tell(until, now))
        if isinstance(found, Exception):
            found = await self._tell_singly(until, now)
        self._looked = now if len(found.entries) < AT_ONCE else None
        fresh = [line for line in found.warnings if line not in self._warned]
        self._warned = found.warnings
        return SourceReport(found.entries, fresh)

    async def _is_nothing_expected(self) -> bool:
        """Whether there is no manifest, and nothing is left to be said of an earlier one."""
        if not self.is_expected and not self._is_idle:
            async with self._store.session() as tx:
                self._is_idle = await find_document(tx, DocumentKind.SILENT_SOURCES, _STREAM.value) is None
        return self._is_idle

    async def _tell(self, until: datetime, now: datetime, only: str | None = None) -> SourceReport:
        """Tells of all sources, or of one alone, by its id."""
        report, ingested = await self._store.run(lambda tx: self._tell_in(tx, until, now, only))
        if ingested is not None:
            self._intake.remember(ingested)
        return report

    async def _tell_singly(self, until: datetime, now: datetime) -> SourceReport:
        async with self._store.session() as tx:
            _, look = await self._judge(tx, until, now)
        entries: list[RecordEntry] = []
        lines = [*look.watch.unmatched]
        for id in look.changed:
            found = await fault_of(self._tell(until, now, id))
            if isinstance(found, Exception):
                lines.append(f"{id}: cannot be told of, {type(found).__name__}")
            else:
                entries += found.entries
        return SourceReport(entries, lines)

    async def _judge(self, tx: Transaction, until: datetime, now: datetime) -> tuple[StoredDocument | None, SourceLook]:
        """The document of the looks, and what this one finds."""
        document = await find_document(tx, DocumentKind.SILENT_SOURCES, _STREAM.value)
        before = find_value(SourceWatch, document.body) if document is not None else None
        # Workloads and owners are many, and may be silent for ever.
        known = {one.heard.source.id: one for one in await list_sources(tx, RUNGS)}
        losses = await read_losses(tx, _STREAM.value)
        lost = max((one.at for one in losses if is_possible(one.at, now)), default=None)
        return document, self._look_at(before, known, until, now, lost)

    async def _tell_in(
        self, tx: Transaction, until: datetime, now: datetime, only: str | None
    ) -> tuple[SourceReport, Ingested | None]:
        document, look = await self._judge(tx, until, now)
        report = SourceReport(warnings=look.watch.unmatched)
        if not look.is_news:
            return report, None
        version = document.version if document is not None else None
        if await put_document(tx, document_of_watch(_STREAM.value, look.watch, version)) is None:
            return report, None
        made = [one for one in look.turns if only in (None, one.source.id)]
        turns = await self._after_those_on_record(tx, made)
        ingested = await self._intake.ingest_in(tx, [message_of(one) for one in turns], now) if turns else None
        numbers = {one.source.id: one.number for one in turns}
        changed = [
            replace(one, turn=numbers.get(id, one.turn)) for id, one in look.changed.items() if only in (None, id)
        ]
        await write_watched(tx, changed, until)
        return report._replace(entries=ingested.entries if ingested is not None else ()), ingested

    async def _after_those_on_record(self, tx: Transaction, turns: Sequence[SourceTurn]) -> Sequence[SourceTurn]:
        """Turns with numbers and times after those that were taken in of their sources, also where a source's row was lost."""
        keys = {turn: signal_key(_STREAM.value, Kind.COVERAGE, finding_id_of(turn.source)) for turn in turns}
        rows = await find_signals(tx, list(keys.values()))
        after: list[SourceTurn] = []
        for turn, key in keys.items():
            if (row := rows.get(key)) is None:
                after.append(turn)
                continue
            changed = row.seen.changed
            at = max(turn.at, changed + timedelta(seconds=1)) if changed is not None else turn.at
            after.append(replace(turn, number=max(turn.number, row.seen.arrival.place + 1), at=at))
        return after
