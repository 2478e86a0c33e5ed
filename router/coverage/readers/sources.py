"""When the router last heard of a subscription, cluster, plan, workload or owner, as it wrote that down itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from router.coverage import own_objects
from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, Source, source_of, subscription_subject
from router.coverage.fields import find, find_text, find_time, objects_at
from router.coverage.verdicts import CoverageEvidence
from router.domain.coverage_sources import (
    CoverageSource,
    CoverageSourceKind,
    HeardAlert,
    LastHeard,
    last_of_each_watcher,
)
from router.domain.texts import timestamp

WATCH = "sources"
"""What facts about all sources are found under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFact:
    """When a source was last heard of.

    Attributes:
        subject: the subscription, as `/subscriptions/ID`, or the resource; of a plan or an owner what its document is called.
        heard: what was heard when; no instant in it needs to be possible.
        source: where it stands.
    """

    subject: str
    heard: LastHeard
    source: Source

    def shows(self, field: str, instant: datetime) -> CoverageEvidence:
        """The evidence that it was heard of then, which is when that was known."""
        at = timestamp(instant)
        return CoverageEvidence(self.source.document, field, at, known_at=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchFact:
    """From when on the sweep counts the silence of sources.

    Attributes:
        subject: the same for every one.
        anew: at the earliest: since the router's first run, or since it was away.
        since: of those that were never heard of, by what their documents are called.
        source: where it stands.
    """

    subject: str = WATCH
    anew: datetime
    since: Mapping[str, datetime]
    source: Source


def reads(item: Item) -> bool:
    """Whether the router wrote it, of a source or of all."""
    return find_text(item.body, own_objects.KEY) in (own_objects.SOURCE, own_objects.WATCH)


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """What it says; nothing where it does not say of what."""
    if (anew := find_time(item.body, "anew")) is not None:
        ids = find(item.body, "since")
        written = {str(id): find_time(ids, str(id)) for id in ids} if isinstance(ids, Mapping) else {}
        since = {id: instant for id, instant in written.items() if instant is not None}
        yield WatchFact(anew=anew, since=since, source=source_of(item))
        return
    kind, name = find_text(item.body, "kind") or "", (find_text(item.body, "subject") or "").lower()
    if kind not in tuple(CoverageSourceKind) or not name:
        return
    source = CoverageSource(CoverageSourceKind(kind), name, find_text(item.body, "plan") or "")
    heard = LastHeard(
        source=source,
        subscription=find_text(item.body, "subscription"),
        posture=find_time(item.body, "posture"),
        snapshot=find_time(item.body, "snapshot"),
        healthy=find_time(item.body, "healthy"),
        alert=find_time(item.body, "alert"),
        real_alert=find_time(item.body, "real_alert"),
        by_watcher=last_of_each_watcher(_alerts_in(item)),
    )
    yield SourceFact(subject=_subject(source), heard=heard, source=source_of(item))


def _alerts_in(item: Item) -> Iterator[HeardAlert]:
    for one in objects_at(item.body, "by_watcher"):
        at, type = find_time(one, "at"), find_text(one, "type")
        if at is not None and type is not None:
            yield HeardAlert(at, type)


def _subject(source: CoverageSource) -> str:
    match source.kind:
        case CoverageSourceKind.SUBSCRIPTION:
            return subscription_subject(source.subject)
        case CoverageSourceKind.CLUSTER | CoverageSourceKind.WORKLOAD:
            return source.subject
        case _:
            return source.id
