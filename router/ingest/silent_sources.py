"""Finds the sources that are silent for longer than coverage.yaml lets them, on a clock, and takes in what it says of them.

The turns of a look are written down first, then taken in as messages of our own, then struck off as published. Whoever dies in
between leaves turns that the next look publishes under the same keys. Of two workers one writes; the other finds that it was
faster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from router.domain.clocks import is_possible, is_recent
from router.domain.coverage_manifest import CoverageManifest
from router.domain.coverage_sources import CoverageSource, LastHeard
from router.domain.documents import DocumentKind
from router.domain.expected_sources import ExpectedSources, expected_sources
from router.domain.keys import signal_key
from router.domain.ledger import Version
from router.domain.notices import RecordEntry
from router.domain.signals import Kind, Stream
from router.domain.source_silence import AT_ONCE, published, times_anew, watch_after
from router.domain.source_turns import (
    RUNGS,
    SourceState,
    SourceTurn,
    SourceWatch,
    document_of_watch,
    find_watch,
    finding_id_of,
)
from router.ingest.intake import Intake
from router.ingest.source_messages import message_of
from router.store.documents import find_document, put_document
from router.store.partitions import read_losses
from router.store.signals import find_signals
from router.store.sources import list_sources
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


class _TurnKnown(NamedTuple):
    """What the ledger has of a finding that a source is silent.

    Attributes:
        number: which of its turns was taken in last.
        is_over: whether that said that the source is silent no more.
    """

    number: int
    is_over: bool


class SilentSources:
    """Watches the sources of a manifest; raises StoreError. Safe to repeat, to break off anywhere, and to do at two workers.

    A look costs two requests while nothing changes, and one more each hour; without a manifest one in the life of a process.
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
        async with self._store.session() as tx:
            document = await find_document(tx, DocumentKind.SILENT_SOURCES, _STREAM.value)
        if document is None and not self._manifest.is_given:
            self._is_idle = True
            return SourceReport()
        async with self._store.session() as tx:
            # Workloads and owners are many, and may be silent for ever.
            heard = {one.source.id: one for one in await list_sources(tx, RUNGS)}
        sources = expected_sources(self._manifest, heard.values())
        stored = find_watch(document) if document is not None else None
        before = stored or await self._begun(sources, heard, until)
        if times_anew(before, until, now) != before.anew:
            before = await self._without_stale(before)
        after = await self._judged(before, sources, heard, until, now)
        version = document.version if document is not None else None
        if after != stored:
            version = await self._store.run(
                lambda tx: put_document(tx, document_of_watch(_STREAM.value, after, version))
            )
            if version is None:
                return SourceReport()
        turns = after.unpublished
        entries = await self._publish(after, version, now) if turns else []
        self._looked = now if len(turns) < AT_ONCE else None
        warnings = [line for line in after.unmatched if line not in self._warned]
        self._warned = after.unmatched
        return SourceReport(entries, warnings)

    async def _judged(
        self,
        before: SourceWatch,
        sources: ExpectedSources,
        heard: Mapping[str, LastHeard],
        until: datetime,
        now: datetime,
    ) -> SourceWatch:
        after = watch_after(before, sources, self._manifest, heard, until, now)
        if not any(turn.state is SourceState.SILENT for turn in after.unpublished):
            return after
        # What was lost may have spoken of them. Only who would tell something asks, since it costs a request.
        async with self._store.session() as tx:
            losses = await read_losses(tx, _STREAM.value)
        lost = max((one.at for one in losses if is_possible(one.at, now)), default=None)
        return watch_after(before, sources, self._manifest, heard, until, now, lost)

    async def _publish(self, watch: SourceWatch, version: Version | None, now: datetime) -> list[RecordEntry]:
        """Takes in what the turns say that are written down, and strikes them off."""
        entries = await self._intake.ingest([message_of(turn) for turn in watch.unpublished], now)
        await self._store.run(lambda tx: put_document(tx, document_of_watch(_STREAM.value, published(watch), version)))
        return entries

    async def _begun(self, sources: ExpectedSources, heard: Mapping[str, LastHeard], until: datetime) -> SourceWatch:
        """What is known at the first look ever, or where what was known is damaged: the ledger has what people were told."""
        known = await self._turns_known(one.source for one in sources.by_id.values())
        turns = {
            id: SourceTurn(
                source=one.source,
                number=known[id].number,
                state=SourceState.SPEAKS if known[id].is_over else SourceState.SILENT,
                at=until,
                last=heard[id].posture if id in heard else None,
                since=until,
                within=one.within,
                entry=one.entry,
                name=one.workload.name,
                subscription=one.subscription,
                is_published=True,
            )
            for id, one in sources.by_id.items()
            if id in known
        }
        return SourceWatch(anew=until, taken=until, turns=turns)

    async def _without_stale(self, watch: SourceWatch) -> SourceWatch:
        """What is known without turns that a source is silent which nobody took in before times began anew."""
        stale = [turn for turn in watch.unpublished if turn.state is SourceState.SILENT]
        known = await self._turns_known(turn.source for turn in stale)
        turns = dict(watch.turns)
        for turn in stale:
            id, one = turn.source.id, known.get(turn.source.id)
            if one is not None and one.number >= turn.number:
                turns[id] = replace(turn, is_published=True)
            elif turn.number > 1:
                turns[id] = replace(turn, number=turn.number - 1, state=SourceState.SPEAKS, is_published=True)
            else:
                del turns[id]
        return replace(watch, turns=turns)

    async def _turns_known(self, sources: Iterable[CoverageSource]) -> Mapping[str, _TurnKnown]:
        """The latest turns that were taken in of some sources, by the ids of the sources."""
        ids = {_key_of(source): source.id for source in sources}
        async with self._store.session() as tx:
            rows = await find_signals(tx, list(ids))
        return {ids[key]: _TurnKnown(row.seen.arrival.place, row.state.resolved) for key, row in rows.items()}


def _key_of(source: CoverageSource) -> str:
    return signal_key(_STREAM.value, Kind.COVERAGE, finding_id_of(source))
