"""What the router itself knows: when sources were last heard of, what came of drills, tags, and what messages said. Pure.

A state gives it as documents of the gate, all of one name: of an estate there may be thousands of facts. A drill prints one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from copy import replace
from datetime import datetime

from msgspec.structs import asdict

from router.coverage.documents import CoverageDocument, Item, Refusal
from router.coverage.facts import CoverageFact, Source, item_source, subscription_subject
from router.coverage.fields import find, find_list, find_text, find_time, objects_at
from router.coverage.verdicts import CoverageEvidence
from router.coverage.workloads import OFF_CLUSTERS, OFF_MACHINES, excluding, subscription_fact
from router.destinations.wording.masking import masked
from router.domain.coverage_sources import CoverageSourceKind, LastHeard
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.readable import timestamp
from router.domain.silent_sources import KnownSource, SourceWatch
from router.domain.values import Value
from router.store.codec import EPOCH
from router.store.documents import find_tags_in, find_value

READ_KINDS = (DocumentKind.FACT, DocumentKind.TAGS, DocumentKind.SILENT_SOURCES)
"""The kinds of stored documents that say something of coverage."""

KEY, DRILL = "alertRouter", "drill"
"""The key under which an object that the router wrote says what it is, and what it says of a drill."""

NO_INSTANT = ""
"""When something was known that does not say it: it has an age, which is not known."""

_EMPTY = "holds no facts of coverage yet: a router that takes recommendations in writes them"


def documents_of_state(
    name: str, stored: Sequence[StoredDocument], sources: Sequence[KnownSource] = ()
) -> Iterator[CoverageDocument]:
    """The documents of a state, all of one name, so that they count as one; at least one."""
    heard = tuple(source_fact(f"{name} {one.heard.source.id}", one.heard) for one in sources if one.heard.last)
    yield CoverageDocument(name=name, facts=heard, why_empty="" if stored or heard else _EMPTY)
    since = {one.heard.source.id: one.since for one in sources if one.since is not None}
    for document in stored:
        yield _document(name, document, since)


def _document(name: str, stored: StoredDocument, since: Mapping[str, datetime]) -> CoverageDocument:
    where = f"{name} {stored.id}"
    if stored.kind is DocumentKind.TAGS and (tags := find_tags_in(stored)) is not None:
        # Those that keep a sensor off: of an estate few of a hundred thousand.
        off = {id: one for id, one in tags.items() if excluding(one.tags, OFF_CLUSTERS | OFF_MACHINES)}
        read = {id: Source(document=f"{name} tags of {id}", known_at=one.read.isoformat()) for id, one in off.items()}
        facts = (StoredTagsFact(subject=id.lower(), tags=one.tags, source=read[id]) for id, one in off.items())
        return CoverageDocument(name=name, facts=tuple(facts))
    if stored.kind is DocumentKind.SILENT_SOURCES and (watch := find_value(SourceWatch, stored.body)) is not None:
        source = Source(document=where, known_at=watch.taken.isoformat())
        return CoverageDocument(name=name, facts=(WatchFact(anew=watch.anew, since=since, source=source),))
    if stored.kind is DocumentKind.FACT:
        with suppress(ValueError, RecursionError):
            value = json.loads(stored.body)
            # Many objects, or one alone. They say what was heard, and never that it is all there is.
            listed = value if isinstance(value, list) else [value]
            at = [f"{where} [{number}]" if isinstance(value, list) else where for number in range(len(listed))]
            found = zip(listed, at, strict=True)
            items = [Item(body=one, document=at, known_at=NO_INSTANT) for one, at in found if isinstance(one, Mapping)]
            return CoverageDocument(name=name, items=tuple(items))
    return CoverageDocument(name=name, refusals=(Refusal(where, f"{stored.id} is damaged and cannot be read"),))


EVERY_SOURCE = "sources"
"""What facts about all sources are found under."""

_LONGEST = 1_000_000
"""Seconds from which on a hop cannot have taken that long."""


class SourceFact(CoverageFact, kw_only=True):
    """When a source was last heard of; the instants need not be possible. The subject of a plan or an owner is its own id."""

    heard: LastHeard

    def shows(self, field: str, instant: datetime) -> CoverageEvidence:
        """The evidence that it was heard of then, which is when that was known."""
        at = timestamp(instant)
        return CoverageEvidence(self.source.document, field, at, known_at=at)


class WatchFact(CoverageFact, kw_only=True):
    """From when on the sweep counts the silence of sources at the earliest; of those that were never heard of, by their ids."""

    subject: str = EVERY_SOURCE
    anew: datetime
    since: Mapping[str, datetime]


class StoredTagsFact(CoverageFact, kw_only=True):
    """The tags of a resource as they were read once: they prove neither that it is still there nor that it has no others."""

    tags: Mapping[str, str]


class DrillStep(Value):
    """A hop of a drill or a destination; without seconds it did not come to its end, or does not say it."""

    name: str
    seconds: float | None
    verdict: str | None


class DrillFact(CoverageFact, kw_only=True):
    """What came of a drill in a subscription.

    Attributes:
        exercise: what was raised: the bundle of sample alerts, else the plan.
        cluster: the context of the cluster whose test alert was raised.
        verdict: `passed`, `failed` or `not proven`.
        left_out: the names of the destinations that it was not to prove.
    """

    subject: str
    exercise: str
    cluster: str | None
    machine: str | None
    ended: datetime | None
    verdict: str
    reason: str
    failed_hop: str | None
    hops: tuple[DrillStep, ...]
    destinations: tuple[DrillStep, ...]
    left_out: tuple[str, ...]

    @property
    def about(self) -> str:
        """What it was about, in words."""
        within = self.cluster or self.machine
        return f"{self.exercise or 'an unnamed bundle'}{f' at {within}' if within else ''}"


def drill_object(one: DrillFact) -> dict[str, object]:
    """Return what came of a drill, as JSON."""
    return {
        "subscription": one.subject.rpartition("/")[2],
        "exercise": one.exercise,
        "cluster": one.cluster,
        "machine": one.machine,
        "ended": timestamp(one.ended) if one.ended is not None else None,
        "verdict": one.verdict,
        "reason": masked(one.reason),
        "failed_hop": one.failed_hop,
        "hops": list(map(asdict, one.hops)),
        "destinations": list(map(asdict, one.destinations)),
    }


def drills_in(stored: Sequence[StoredDocument]) -> list[dict[str, object]]:
    """Return what came of the drills that documents say, the latest first."""
    items = (item for one in stored for item in _document("", one, {}).items)
    found = [fact for item in items for fact in read_drill(item) if isinstance(fact, DrillFact)]
    return [drill_object(one) for one in sorted(found, key=lambda one: one.ended or EPOCH, reverse=True)]


def source_fact(document: str, heard: LastHeard) -> SourceFact:
    """When a source was last heard of, as a fact. No file says it, since people may write files."""
    match heard.source.kind:
        case CoverageSourceKind.SUBSCRIPTION:
            subject = subscription_subject(heard.source.subject)
        case CoverageSourceKind.CLUSTER | CoverageSourceKind.WORKLOAD:
            subject = heard.source.subject
        case _:
            subject = heard.source.id
    return SourceFact(subject=subject, heard=heard, source=Source(document=document, known_at=NO_INSTANT))


def read_drill(item: Item) -> Iterator[CoverageFact]:
    """What came of a drill; nothing of what does not say of which subscription it was."""
    body = item.body
    subscription, verdict = find_text(body, "subscription"), (find_text(body, "verdict") or "").lower()
    if find_text(body, KEY) != DRILL or not subscription or not verdict:
        return
    name = subscription.lower().removeprefix("/subscriptions/")
    ended = find_text(body, "ended") or NO_INSTANT
    yield subscription_fact(name, item_source(item))
    yield DrillFact(
        subject=subscription_subject(name),
        exercise=find_text(body, "bundle") or find_text(body, "plan") or "",
        cluster=find_text(body, "cluster"),
        machine=find_text(body, "machine"),
        ended=find_time(body, "ended"),
        verdict=verdict,
        reason=find_text(body, "reason") or "",
        failed_hop=find_text(body, "failed_hop"),
        hops=tuple(_step(one, "hop") for one in objects_at(body, "hops")),
        destinations=tuple(_step(one, "name") for one in objects_at(body, "destinations")),
        left_out=tuple(str(one) for one in find_list(body, "left_out") or ()),
        source=replace(item_source(item, ended), known_at=ended),
    )


def _step(step: Mapping[str, object], name: str) -> DrillStep:
    seconds = find(step, "seconds")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds < _LONGEST:
        seconds = None
    return DrillStep(find_text(step, name) or "", seconds, find_text(step, "verdict"))
