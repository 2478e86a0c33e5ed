"""Keeps what messages say of coverage: of what they speak, and which recommendations stand that mean something is missing.

Everything written is joined with what is stored, so that it is safe to write again and in any order.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

from router.domain.clocks import is_possible
from router.domain.coverage_sources import INSTANTS, LastHeard, watcher_for
from router.domain.decisions import Outcome
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.hubs import Arrival, message_of
from router.domain.owners import Owners
from router.domain.signals import Stream
from router.ingest.coverage_facts import (
    CoverageAssessment,
    assessments_in,
    document_of_assessments,
    fact_id,
    find_assessment,
    joined,
)
from router.ingest.coverage_mentions import last_heard_by
from router.ingest.observations import Observation
from router.ingest.state_cache import TagReader
from router.store.documents import find_documents, put_documents
from router.store.sources import write_heard
from router.store.store import Store, Transaction

type DocumentAfter = Callable[[str, StoredDocument | None], StoredDocument | None]
"""What is to be stored under an id, over what is stored there; None where nothing changes."""


async def write_documents(
    store: Store, kind: DocumentKind, ids: Collection[str], document_after: DocumentAfter
) -> None:
    """Writes what is made of each document; if another worker was faster, it is made again.

    Raises StoreError.
    """
    left = list(ids)

    async def write(tx: Transaction) -> list[str]:
        stored = await find_documents(tx, kind, left)
        changed = [one for id in left if (one := document_after(id, stored.get(id))) is not None]
        written = await put_documents(tx, changed)
        return [one.id for one in changed if one.id not in written]

    while left:
        left = await store.run(write)


OFTEN = timedelta(hours=1)
"""How much later a source must be heard of again for that to be written: no question is more exact, and each write costs."""

OFTEN_OF_POSTURE = timedelta(minutes=1)
"""The same of recommendations: from the last of them on it counts for how long a source is silent. They come for thousands of
resources at once, of one subscription and its clusters and plans, so that one write in each minute says it of them all."""

MOST = 10_000
"""Sources of which it is remembered what was written; others are written again."""


class CoverageNotes:
    """Writes what batches of messages say of coverage; raises StoreError.

    A process writes about once an hour that a source was heard of, and once a minute that a recommendation spoke of it. What it
    wrote it remembers only when it is told that the batch is taken in, since a file takes back all that was written with it.
    """

    def __init__(self, store: Store, tags: TagReader) -> None:
        self._store = store
        self._tags = tags
        self._written: OrderedDict[str, LastHeard] = OrderedDict()

    async def write_notes(
        self, tx: Transaction, observations: Sequence[Observation], on_record: Mapping[str, Outcome], now: datetime
    ) -> Mapping[str, LastHeard]:
        """Writes what observations say of coverage; returns what is to be remembered once they are taken in.

        `on_record` has the outcomes that were on record of their messages before they came.
        """
        fresh = [one for one in observations if not _is_repeat_from_file(one.arrival, on_record)]
        streams = {one.signal.stream for one in fresh}
        owners = {stream: (await self._tags.rulebook(stream, now)).owners for stream in streams}
        heard = self._unwritten_in(fresh, owners, now)
        await write_heard(tx, heard.values(), now)
        await self._write_facts(fresh, now)
        return {
            id: one.joined(known.possible_at(now)) if (known := self._written.get(id)) is not None else one
            for id, one in heard.items()
        }

    def remember(self, written: Mapping[str, LastHeard]) -> None:
        """Remembers what is known to be stored."""
        for id, heard in written.items():
            self._written.pop(id, None)
            self._written[id] = heard
        while len(self._written) > MOST:
            self._written.popitem(last=False)

    def _unwritten_in(
        self, observations: Sequence[Observation], owners: Mapping[Stream, Owners], now: datetime
    ) -> Mapping[str, LastHeard]:
        """When sources were heard of, without those of which that was written, or is to be, of much the same time."""
        found: dict[str, LastHeard] = {}
        for observation in observations:
            at = min(observation.came_at(now), now)
            for heard in last_heard_by(observation.signal, at, owners[observation.signal.stream]):
                id = heard.source.id
                before = found.get(id)
                if _is_news(heard, self._written.get(id), now) and _is_news(heard, before, now):
                    found[id] = heard.joined(before) if before is not None else heard
        return found

    async def _write_facts(self, observations: Sequence[Observation], now: datetime) -> None:
        by_resource: defaultdict[str, list[CoverageAssessment]] = defaultdict(list)
        for observation in observations:
            if (assessment := find_assessment(observation, now)) is not None:
                by_resource[fact_id(assessment.resource)].append(assessment)

        def document_after(id: str, document: StoredDocument | None) -> StoredDocument | None:
            before = assessments_in(document, now) if document is not None else []
            after = joined([*before, *by_resource[id]])
            if document is not None and after == joined(before):
                return None
            return document_of_assessments(after, now, document.version if document is not None else None)

        await write_documents(self._store, DocumentKind.FACT, by_resource, document_after)


def _is_repeat_from_file(arrival: Arrival, on_record: Mapping[str, Outcome]) -> bool:
    """Whether a message says nothing of when something was heard of: it comes from no hub and is read again.

    What was not understood when it came first is read for the first time when it is released from quarantine.
    """
    if arrival.enqueued is not None:
        return False
    first = on_record.get(message_of(arrival.key))
    is_read_again = arrival.again != 0 and first is not Outcome.QUARANTINED
    return is_read_again or on_record.get(arrival.key, Outcome.QUARANTINED) is not Outcome.QUARANTINED


def _is_news(heard: LastHeard, known: LastHeard | None, now: datetime) -> bool:
    """Whether something was heard of for the first time, or so much later than what is known that it is to be written."""
    if known is None:
        return True
    watched = {watcher_for(alert.type): alert.at for alert in known.by_watcher} if heard.by_watcher else {}
    asked = [(name, at, getattr(known, name)) for name in INSTANTS if (at := getattr(heard, name)) is not None]
    asked += [("", alert.at, watched.get(watcher_for(alert.type))) for alert in heard.by_watcher]
    return any(
        before is None
        or at - before >= (OFTEN_OF_POSTURE if name == "posture" else OFTEN)
        or not is_possible(before, now)
        for name, at, before in asked
    )
