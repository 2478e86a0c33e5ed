"""Finds the sources that are silent for longer than coverage.yaml lets them, on a clock, and takes in what it says of them.

A look is one transaction: what is known of the sources, and what people are told, as messages of our own. The document of the
looks is written first: of two workers one writes it, and the other one finds that it was faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from router.domain.clocks import is_possible, is_recent
from router.domain.coverage_manifest import CoverageManifest
from router.domain.documents import DocumentKind
from router.domain.keys import signal_key
from router.domain.notices import RecordEntry
from router.domain.signals import Kind, Stream
from router.domain.source_silence import AT_ONCE, look_at
from router.domain.source_turns import RUNGS, SourceTurn, document_of_watch, find_watch
from router.ingest.intake import Ingested, Intake
from router.ingest.source_messages import message_of
from router.store.documents import find_document, put_document
from router.store.engine import Transaction
from router.store.partitions import read_losses
from router.store.signals import find_signals
from router.store.sources import list_sources, write_watched
from router.store.store import Store

EVERY = timedelta(minutes=10)
"""How often it is looked, by a process that sweeps more often: that lists every source."""

BEHIND = timedelta(minutes=15)
"""How far the hub may be from being taken in while sources are judged: by more, what was heard of lately may wait there."""

_STREAM = Stream.CSPM


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What a look at all sources brought.

    Attributes:
        entries: the record's entries of what it took in.
        warnings: lines for people, without a secret: those patterns that fit nothing, once in the life of a process.
    """

    entries: Sequence[RecordEntry] = ()
    warnings: Sequence[str] = ()


class _Found(NamedTuple):
    """What the transaction of a look brought.

    Attributes:
        unmatched: what there is to say of patterns that fit nothing.
        ingested: what it took in; None where nothing was told.
        is_idle: whether nothing is expected, and nothing ever was.
    """

    unmatched: Sequence[str] = ()
    ingested: Ingested | None = None
    is_idle: bool = False


class SilentSources:
    """Watches the sources of a manifest; raises StoreError. Safe to repeat, to break off anywhere, and to do at two workers.

    A look costs three questions while nothing changes, and one write each hour; without a manifest one in a process's life.
    """

    def __init__(self, intake: Intake, store: Store, manifest: CoverageManifest) -> None:
        self._intake = intake
        self._store = store
        self._manifest = manifest
        self._is_idle = False
        self._looked: datetime | None = None
        self._warned: Sequence[str] = ()

    async def look(self, until: datetime | None, now: datetime) -> SourceReport:
        """Judges all sources, and tells of those that fell silent, or speak again.

        `until` is the hub's time up to which all was taken in; while that is not known, or long ago, nobody is judged.
        """
        if self._is_idle or until is None or now - until > BEHIND:
            return SourceReport()
        if self._looked is not None and is_recent(self._looked, now, EVERY):
            return SourceReport()
        found = await self._store.run(lambda tx: self._look_in(tx, until, now))
        if found is None:
            return SourceReport()
        self._is_idle = found.is_idle
        entries: Sequence[RecordEntry] = ()
        if found.ingested is not None:
            self._intake.remember(found.ingested)
            entries = found.ingested.entries
        self._looked = now if len(entries) < AT_ONCE else None
        warnings = [line for line in found.unmatched if line not in self._warned]
        self._warned = found.unmatched
        return SourceReport(entries, warnings)

    async def _look_in(self, tx: Transaction, until: datetime, now: datetime) -> _Found | None:
        """Looks in a transaction; None where another worker was faster."""
        document = await find_document(tx, DocumentKind.SILENT_SOURCES, _STREAM.value)
        if document is None and not self._manifest.is_given:
            return _Found(is_idle=True)
        before = find_watch(document) if document is not None else None
        # Workloads and owners are many, and may be silent for ever.
        known = {one.heard.source.id: one for one in await list_sources(tx, RUNGS)}
        losses = await read_losses(tx, _STREAM.value)
        lost = max((one.at for one in losses if is_possible(one.at, now)), default=None)
        look = look_at(before, self._manifest, known, until, now, lost)
        if not look.is_news:
            return _Found(look.watch.unmatched)
        version = document.version if document is not None else None
        if await put_document(tx, document_of_watch(_STREAM.value, look.watch, version)) is None:
            return None
        turns = await self._after_those_on_record(tx, look.turns)
        ingested = await self._intake.ingest_in(tx, [message_of(one) for one in turns], now) if turns else None
        numbers = {one.source.id: one.number for one in turns}
        await write_watched(
            tx, [replace(one, turn=numbers.get(id, one.turn)) for id, one in look.changed.items()], until
        )
        return _Found(look.watch.unmatched, ingested)

    async def _after_those_on_record(self, tx: Transaction, turns: Sequence[SourceTurn]) -> Sequence[SourceTurn]:
        """Turns with numbers and times after those that were taken in of their sources, also where a source's row was lost."""
        keys = {turn: signal_key(_STREAM.value, Kind.COVERAGE, turn.finding_id) for turn in turns}
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
