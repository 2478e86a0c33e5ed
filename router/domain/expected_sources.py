"""Which sources coverage.yaml expects to be heard of: subscriptions, clusters, and plans in subscriptions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from router.domain.coverage import Workload, WorkloadKind
from router.domain.coverage_manifest import EVERY_NAME, CoverageManifest, Expectation, workload_called
from router.domain.coverage_selectors import NamedWorkloads, SelectorIndex
from router.domain.coverage_sources import CoverageSource, CoverageSourceKind, LastHeard
from router.domain.globs import glob_pattern, is_glob
from router.domain.resource_names import is_guid
from router.domain.resources import parse_resource_id

_SOURCES = frozenset({WorkloadKind.SUBSCRIPTION, WorkloadKind.CLUSTER})
"""The kinds of workloads that are sources themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedSource:
    """A source that must not be silent for longer than it may.

    Attributes:
        source: the source.
        workload: the subscription or cluster, as the manifest calls it; of a plan its subscription.
        subscription: the id of the subscription whose snapshots speak of it; None where nobody knows it yet.
        within: how long it may be silent.
        entry: which entry of the manifest expects it, from 1; 0 where the manifest has no entries.
    """

    source: CoverageSource
    workload: Workload
    subscription: str | None
    within: timedelta
    entry: int


class UnmatchedPattern(NamedTuple):
    """Something in the manifest that names nothing of which anything was ever heard.

    Attributes:
        entry: which entry of the manifest it is in, from 1.
        key: under which key: `name` or `subscription`.
        pattern: the pattern.
        doubt: why nobody knows what it means of what was heard of; empty where it fits nothing.
    """

    entry: int
    key: str
    pattern: str
    doubt: str = ""

    def __str__(self) -> str:
        """What people read of it."""
        why = self.doubt or f"{self.pattern!r} fits nothing that was ever heard of"
        return f"coverage.yaml expect[{self.entry - 1}].{self.key}: {why}"


@dataclass(frozen=True, slots=True)
class ExpectedSources:
    """What a manifest expects to be heard of, given what was heard of so far.

    Attributes:
        by_id: the sources by their ids.
        unmatched: the patterns that fit nothing so far.
        known_by_now: ids of clusters that the manifest names, which are heard of by the ids of their resources by now.
    """

    by_id: Mapping[str, ExpectedSource] = field(default_factory=dict)
    unmatched: tuple[UnmatchedPattern, ...] = ()
    known_by_now: frozenset[str] = frozenset()


def expected_sources(manifest: CoverageManifest, heard: Iterable[LastHeard]) -> ExpectedSources:
    """The sources that a manifest expects; none where nobody wrote one.

    A subscription is one where the manifest names it, and where a cluster that is one is in it: the cluster is heard of
    through it. A pattern expects each subscription and cluster that it fits as soon as anything is heard of that.
    """
    return _Expecting(manifest, heard).sources() if manifest.is_given else ExpectedSources()


class _Expecting:
    """Finds the sources of one manifest; of several entries that fit one, the first counts."""

    def __init__(self, manifest: CoverageManifest, heard: Iterable[LastHeard]) -> None:
        self._entries = manifest.expectations
        self._index = SelectorIndex(entry.selects for entry in self._entries)
        known = [workload for one in heard if (workload := _workload_of(one)) is not None]
        self._subscriptions = [one for one in known if one.kind is WorkloadKind.SUBSCRIPTION]
        self._clusters = [one for one in known if one.kind is WorkloadKind.CLUSTER]
        self._known = NamedWorkloads(known)
        # One that an entry names and another one calls by its id is one source, before anything is heard of it, too.
        self._named_by_id: dict[str, list[Workload]] = {}
        clusters = [one.selects for one in self._entries if one.selects.kinds == {WorkloadKind.CLUSTER}]
        for id in (name for one in clusters for name in one.named if name.startswith("/")):
            cluster = workload_called(WorkloadKind.CLUSTER, id)
            self._named_by_id.setdefault(cluster.name.lower(), []).append(cluster)
        self._found: dict[str, ExpectedSource] = {}
        self._in: dict[int, dict[str, None]] = {position: {} for position in range(len(self._entries))}
        self._unmatched: list[UnmatchedPattern] = []
        self._known_by_now: set[str] = set()

    def sources(self) -> ExpectedSources:
        for position, entry in enumerate(self._entries):
            self._add_named(position, entry)
        for workload in (*self._subscriptions, *self._clusters):
            if (first := self._first_for(workload)) is not None:
                self._add(workload, first)
        for position, entry in enumerate(self._entries):
            for subscription in self._in[position]:
                self._add_plans(subscription, entry)
        return ExpectedSources(self._found, tuple(self._unmatched), frozenset(self._known_by_now - self._found.keys()))

    def _add_named(self, position: int, entry: Expectation) -> None:
        """Adds what an entry names, whether it was ever heard of or not."""
        selects = entry.selects
        for pattern in selects.subscriptions:
            if pattern == EVERY_NAME:
                continue
            fitting = (
                [one.name for one in self._subscriptions if _fits(pattern, one.name)] if is_glob(pattern) else [pattern]
            )
            for id in fitting:
                self._add(workload_called(WorkloadKind.SUBSCRIPTION, id), position)
            if not fitting:
                self._unmatched.append(UnmatchedPattern(entry.number, "subscription", pattern))
        if not selects.kinds or not selects.kinds <= _SOURCES:
            return
        for name in selects.names:
            if name != EVERY_NAME:
                self._add_called(name, position, entry)

    def _add_called(self, name: str, position: int, entry: Expectation) -> None:
        if is_glob(name):
            if not self._known.has(entry.selects, name):
                self._unmatched.append(UnmatchedPattern(entry.number, "name", name))
            return
        (kind,) = entry.selects.kinds
        workload = workload_called(kind, name, entry.selects.subscription)
        doubt = self._known.doubt(entry.selects, name, kind)
        if kind is WorkloadKind.SUBSCRIPTION and not is_guid(workload.name):
            # Messages have no other name of a subscription than its id.
            self._unmatched.append(UnmatchedPattern(entry.number, "name", name))
        elif doubt:
            self._unmatched.append(UnmatchedPattern(entry.number, "name", name, doubt))
        elif kind is WorkloadKind.CLUSTER and doubt is not None:
            self._known_by_now.add(_source_of(workload).id)
        elif not any(entry.selects.fits_but_for_its_name(one) for one in self._named_by_id.get(name.lower(), ())):
            self._add(workload, position)

    def _add(self, workload: Workload, position: int) -> None:
        """Adds a subscription or cluster that an entry names or fits, and the subscription of a cluster."""
        first = self._first_for(workload)
        counts = position if first is None else first
        source = _source_of(workload)
        if source.id not in self._found:
            self._found[source.id] = self._expected(source, workload, workload.subscription, self._entries[counts])
        if workload.subscription is not None:
            self._in[position].setdefault(workload.subscription)
            self._in[counts].setdefault(workload.subscription)
            if workload.kind is WorkloadKind.CLUSTER:
                own = workload_called(WorkloadKind.SUBSCRIPTION, workload.subscription)
                self._add(own, counts)

    def _add_plans(self, subscription: str, entry: Expectation) -> None:
        workload = workload_called(WorkloadKind.SUBSCRIPTION, subscription)
        for plan in entry.plans:
            source = CoverageSource(CoverageSourceKind.PLAN, subscription, plan)
            if source.id not in self._found:
                self._found[source.id] = self._expected(source, workload, subscription, entry)

    def _first_for(self, workload: Workload) -> int | None:
        return next(iter(self._index.positions(workload)), None)

    def _expected(
        self, source: CoverageSource, workload: Workload, subscription: str | None, entry: Expectation
    ) -> ExpectedSource:
        return ExpectedSource(
            source=source, workload=workload, subscription=subscription, within=entry.heard_within, entry=entry.number
        )


def _workload_of(heard: LastHeard) -> Workload | None:
    """The subscription or cluster that was heard of; None for anything else."""
    kind, subject, _ = heard.source
    if kind is CoverageSourceKind.SUBSCRIPTION:
        return workload_called(WorkloadKind.SUBSCRIPTION, subject)
    if kind is not CoverageSourceKind.CLUSTER:
        return None
    subscription = parse_resource_id(subject).subscription or heard.subscription
    return Workload(
        kind=WorkloadKind.CLUSTER,
        name=subject.rpartition("/")[2],
        id=subject,
        subscription=subscription.lower() if subscription else None,
        subject=subject,
    )


def _source_of(workload: Workload) -> CoverageSource:
    if workload.kind is WorkloadKind.SUBSCRIPTION:
        return CoverageSource(CoverageSourceKind.SUBSCRIPTION, workload.subscription or workload.name)
    return CoverageSource(CoverageSourceKind.CLUSTER, workload.subject)


def _fits(glob: str, text: str) -> bool:
    return bool(glob_pattern(glob).match(text))
