"""The subscriptions, clusters and plans that coverage.yaml expects to be heard of, and the excuses of their silence. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from router.coverage.expected.manifest import (
    EVERY_NAME,
    CoverageManifest,
    Excuses,
    Expectation,
    NamedWorkloads,
    SelectorIndex,
    named_workload,
)
from router.coverage.verdicts import Workload
from router.domain.coverage import Rung, WorkloadKind
from router.domain.coverage_sources import CoverageSource, CoverageSourceKind, LastHeard
from router.domain.patterns import glob_pattern, is_glob
from router.domain.resources import is_guid, parse_resource_id
from router.domain.source_turns import RUNGS

_SOURCES = frozenset({WorkloadKind.SUBSCRIPTION, WorkloadKind.CLUSTER})
"""The kinds of workloads that are sources themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedSource:
    """A source that may be silent for `within`, and the number of the entry that expects it, from 1; 0 without entries.

    The workload is the subscription or cluster, as the manifest calls it; of a plan its subscription. `subscription` is the one
    whose snapshots speak of it; None while that is not known.
    """

    source: CoverageSource
    workload: Workload
    subscription: str | None
    within: timedelta
    entry: int

    @property
    def rung(self) -> Rung:
        """The rung that its silence puts in doubt."""
        return RUNGS[self.source.kind]


@dataclass(frozen=True, slots=True)
class ExpectedSources:
    """The sources that a manifest expects, given what was heard of so far.

    Attributes:
        unmatched: a line for each name or pattern that fits nothing so far, or several things.
        known_by_now: ids of clusters that the manifest names, which are heard of by the ids of their resources by now.
    """

    by_id: Mapping[str, ExpectedSource] = field(default_factory=dict)
    unmatched: tuple[str, ...] = ()
    known_by_now: frozenset[str] = frozenset()


def expected_sources(manifest: CoverageManifest, heard: Iterable[LastHeard]) -> ExpectedSources:
    """Return the sources that a manifest expects; none without a manifest.

    A subscription is expected if the manifest names it, or a cluster in it, which is heard of through it. A pattern expects
    each subscription and cluster that it fits as soon as one is heard of.
    """
    return _Expecting(manifest, heard).sources() if manifest.is_given else ExpectedSources()


class _Expecting:
    """The search for the sources of a manifest; of several entries that fit one, the first counts."""

    def __init__(self, manifest: CoverageManifest, heard: Iterable[LastHeard]) -> None:
        self._entries = manifest.expectations
        self._index = SelectorIndex(entry.selects for entry in self._entries)
        known = [workload for one in heard if (workload := _find_workload(one)) is not None]
        self._subscriptions = [one for one in known if one.kind is WorkloadKind.SUBSCRIPTION]
        self._clusters = [one for one in known if one.kind is WorkloadKind.CLUSTER]
        self._known = NamedWorkloads(known)
        # One that an entry names and another one calls by its id is one source, before anything is heard of it, too.
        self._named_by_id: dict[str, list[Workload]] = {}
        clusters = [one.selects for one in self._entries if one.selects.kinds == {WorkloadKind.CLUSTER}]
        for id in (name for one in clusters for name in one.named if name.startswith("/")):
            cluster = named_workload(WorkloadKind.CLUSTER, id)
            self._named_by_id.setdefault(cluster.name.lower(), []).append(cluster)
        self._found: dict[str, ExpectedSource] = {}
        self._in: dict[int, dict[str, None]] = {position: {} for position in range(len(self._entries))}
        self._unmatched: list[str] = []
        self._known_by_now: set[str] = set()

    def sources(self) -> ExpectedSources:
        for position, entry in enumerate(self._entries):
            self._add_named(position, entry)
        for workload in (*self._subscriptions, *self._clusters):
            if (first := self._first_for(workload)) is not None:
                self._add(workload, first)
        for position, entry in enumerate(self._entries):
            for subscription in self._in[position]:
                workload = named_workload(WorkloadKind.SUBSCRIPTION, subscription)
                for plan in entry.plans:
                    self._expect(CoverageSource(CoverageSourceKind.PLAN, subscription, plan), workload, entry)
        return ExpectedSources(self._found, tuple(self._unmatched), frozenset(self._known_by_now - self._found.keys()))

    def _add_named(self, position: int, entry: Expectation) -> None:
        """Add what an entry names, whether it was ever heard of or not."""
        selects = entry.selects
        for pattern in selects.subscriptions:
            if pattern == EVERY_NAME:
                continue
            fitting = [pattern]
            if is_glob(pattern):
                fits = glob_pattern(pattern).match
                fitting = [one.name for one in self._subscriptions if fits(one.name)]
            for id in fitting:
                self._add(named_workload(WorkloadKind.SUBSCRIPTION, id), position)
            if not fitting:
                self._doubt(entry, "subscription", pattern)
        if selects.kinds and selects.kinds <= _SOURCES:
            for name in selects.names:
                if is_glob(name):
                    if name != EVERY_NAME and not self._known.has(selects, name):
                        self._doubt(entry, "name", name)
                else:
                    self._add_called(name, position, entry)

    def _add_called(self, name: str, position: int, entry: Expectation) -> None:
        (kind,) = entry.selects.kinds
        workload = named_workload(kind, name, entry.selects.subscription)
        doubt = self._known.find_doubt(entry.selects, name, kind)
        if doubt or (kind is WorkloadKind.SUBSCRIPTION and not is_guid(workload.name)):
            # Messages have no other name of a subscription than its id.
            self._doubt(entry, "name", name, doubt if kind is not WorkloadKind.SUBSCRIPTION else None)
        elif kind is WorkloadKind.CLUSTER and doubt is not None:
            self._known_by_now.add(_source_for(workload).id)
        elif not any(entry.selects.fits_without_name(one) for one in self._named_by_id.get(name.lower(), ())):
            self._add(workload, position)

    def _doubt(self, entry: Expectation, key: str, pattern: str, why: str | None = None) -> None:
        why = why or f"{pattern!r} fits nothing that was ever heard of"
        self._unmatched.append(f"coverage.yaml expect[{entry.number - 1}].{key}: {why}")

    def _add(self, workload: Workload, position: int) -> None:
        """Add a subscription or cluster, and the subscription of a cluster."""
        first = self._first_for(workload)
        counts = position if first is None else first
        self._expect(_source_for(workload), workload, self._entries[counts])
        if workload.subscription is not None:
            self._in[position].setdefault(workload.subscription)
            self._in[counts].setdefault(workload.subscription)
            if workload.kind is WorkloadKind.CLUSTER:
                self._add(named_workload(WorkloadKind.SUBSCRIPTION, workload.subscription), counts)

    def _first_for(self, workload: Workload) -> int | None:
        return next(iter(self._index.positions(workload)), None)

    def _expect(self, source: CoverageSource, workload: Workload, entry: Expectation) -> None:
        if source.id not in self._found:
            self._found[source.id] = ExpectedSource(
                source=source,
                workload=workload,
                subscription=workload.subscription,
                within=entry.heard_within,
                entry=entry.number,
            )


def _find_workload(heard: LastHeard) -> Workload | None:
    """Return the subscription or cluster that was heard of; None for anything else."""
    kind, subject, _ = heard.source
    if kind is CoverageSourceKind.SUBSCRIPTION:
        return named_workload(WorkloadKind.SUBSCRIPTION, subject)
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


def _source_for(workload: Workload) -> CoverageSource:
    if workload.kind is WorkloadKind.SUBSCRIPTION:
        return CoverageSource(CoverageSourceKind.SUBSCRIPTION, workload.subscription or workload.name)
    return CoverageSource(CoverageSourceKind.CLUSTER, workload.subject)


def silence_excuses(manifest: CoverageManifest, sources: Iterable[ExpectedSource]) -> Excuses:
    """Return the exceptions from the rungs that silence puts in doubt; a plan is excused as its subscription is."""
    return Excuses(manifest, NamedWorkloads(one.workload for one in sources))


def numbers_about_silence(manifest: CoverageManifest) -> frozenset[int]:
    """Return the numbers of the exceptions that name the rung on which a source of the manifest may be silent.

    Without a state it is not known whether they excuse anything.
    """
    sources = expected_sources(manifest, ()).by_id.values()
    excuses = silence_excuses(manifest, sources)
    found = ((one, excuse) for one in sources for excuse in excuses.about(one.workload))
    return frozenset(excuse.number for one, excuse in found if one.rung in excuse.rungs)
