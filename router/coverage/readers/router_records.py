"""What the router itself wrote: when sources were last heard of, what came of drills, and tags that keep a sensor off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, item_source, subscription_subject
from router.coverage.fields import find, find_list, find_text, find_time, objects_at
from router.coverage.stored import DRILL, KEY, NO_INSTANT, SOURCE, TAGS, WATCH
from router.coverage.verdicts import CoverageEvidence
from router.coverage.workloads import subscription_fact
from router.domain.coverage_sources import CoverageSourceKind, LastHeard
from router.domain.readable import timestamp
from router.domain.source_turns import SourceWatch

EVERY_SOURCE = "sources"
"""What facts about all sources are found under."""

_LONGEST = 1_000_000
"""Seconds from which on a hop cannot have taken that long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFact(CoverageFact):
    """When a source was last heard of; the instants need not be possible. The subject of a plan or an owner is its own id."""

    heard: LastHeard

    def shows(self, field: str, instant: datetime) -> CoverageEvidence:
        """The evidence that it was heard of then, which is when that was known."""
        at = timestamp(instant)
        return CoverageEvidence(self.source.document, field, at, known_at=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchFact(CoverageFact):
    """From when on the sweep counts the silence of sources.

    Attributes:
        anew: at the earliest: since the router's first run, or since it was away.
        since: of those that were never heard of, by what their documents are called.
    """

    subject: str = EVERY_SOURCE
    anew: datetime
    since: Mapping[str, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTagsFact(CoverageFact):
    """The tags of a resource as they were read once: they prove neither that it is still there nor that it has no others."""

    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DrillStep:
    """A hop of a drill or a destination; without seconds it did not come to its end, or does not say it."""

    name: str
    seconds: float | None
    verdict: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillFact(CoverageFact):
    """What came of a drill in a subscription.

    Attributes:
        exercise: what was raised: the bundle of sample alerts, else the plan.
        cluster: the context of the cluster whose test alert was raised.
        machine: the id of the machine on which one was raised.
        verdict: `passed`, `failed` or `not proven`.
        failed_hop: the hop that nothing came over.
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


def read_own_object(item: Item) -> Iterator[CoverageFact]:
    """What an object says that the router wrote; nothing where it does not say of what."""
    match find_text(item.body, KEY):
        case value if value == SOURCE:
            yield from _source(item)
        case value if value == WATCH and isinstance(watch := item.body.get(WATCH), SourceWatch):
            since = cast("Mapping[str, datetime]", item.body["since"])
            yield WatchFact(anew=watch.anew, since=since, source=item_source(item))
        case value if value == DRILL:
            yield from _drill(item)
        case value if value == TAGS:
            resource, tags = find_text(item.body, "resource"), find(item.body, "tags")
            if resource and isinstance(tags, Mapping):
                texts = {str(name): str(value) for name, value in tags.items()}
                yield StoredTagsFact(subject=resource.lower(), tags=texts, source=item_source(item))


def _source(item: Item) -> Iterator[CoverageFact]:
    heard = item.body.get(SOURCE)
    if isinstance(heard, LastHeard):
        match heard.source.kind:
            case CoverageSourceKind.SUBSCRIPTION:
                subject = subscription_subject(heard.source.subject)
            case CoverageSourceKind.CLUSTER | CoverageSourceKind.WORKLOAD:
                subject = heard.source.subject
            case _:
                subject = heard.source.id
        yield SourceFact(subject=subject, heard=heard, source=item_source(item))


def _drill(item: Item) -> Iterator[CoverageFact]:
    body = item.body
    subscription, verdict = find_text(body, "subscription"), (find_text(body, "verdict") or "").lower()
    if not subscription or not verdict:
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
