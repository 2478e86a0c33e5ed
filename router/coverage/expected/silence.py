"""The sources that coverage.yaml expects to be heard of, which of them are silent, and which speak again. Pure.

Silence counts from the last recommendation that spoke of a source; alerts come when something happens, which may be never. It
is judged at the hub's time up to which everything was taken in, so that nothing is told of what still waits to be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import replace
from datetime import datetime, timedelta
from itertools import islice

from router.coverage.expected.manifest import (
    EVERY_NAME,
    HEARD_WITHIN,
    CoverageManifest,
    Excuses,
    Expectation,
    NamedWorkloads,
    SelectorIndex,
    find_exception,
    named_workload,
)
from router.coverage.verdicts import Workload
from router.domain.clocks import is_possible
from router.domain.coverage import Rung, WorkloadKind
from router.domain.coverage_sources import CoverageSource, CoverageSourceKind, LastHeard
from router.domain.patterns import glob_pattern, is_glob
from router.domain.readable import timestamp
from router.domain.resources import is_guid, parse_resource_id
from router.domain.silent_sources import (
    AT_ONCE,
    DOWN,
    RUNGS,
    KnownSource,
    SourceLook,
    SourceState,
    SourceTurn,
    SourceWatch,
)
from router.domain.values import Value

_SOURCES = frozenset({WorkloadKind.SUBSCRIPTION, WorkloadKind.CLUSTER})
"""The kinds of workloads that are sources themselves."""


class ExpectedSource(Value, kw_only=True):
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


class ExpectedSources(Value):
    """The sources that a manifest expects, given what was heard of so far.

    Attributes:
        unmatched: a line for each name or pattern that fits nothing so far, or several things.
        known_by_now: ids of clusters that the manifest names, which are heard of by the ids of their resources by now.
    """

    by_id: Mapping[str, ExpectedSource] = {}
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


OFTEN = timedelta(hours=1)
"""How often the time up to which the hub is taken in is written."""

SETTLING = timedelta(days=1)
"""How long the clusters and plans of a subscription are left alone after its snapshots begin to bring Healthy rows: rows of one
snapshot follow each other within a day."""

GONE = timedelta(hours=1)
"""How long a source may be missing from the manifest before it is resolved: workers with older rules may run so long."""

KEPT = timedelta(days=400)
"""How long after it was last heard of a pattern expects a source."""


def look_at(
    manifest: CoverageManifest,
    before: SourceWatch | None,
    known: Mapping[str, KnownSource],
    until: datetime,
    now: datetime,
    lost: datetime | None = None,
) -> SourceLook:
    """Look at all sources, up to the hub's time `until` which all was taken in. `before` is None at the first look.

    `known` has each subscription, cluster and plan by its id, and `lost` is when events were last declared lost.
    """
    heard = [one.heard for one in known.values() if one.heard.last is not None and until - one.heard.last <= KEPT]
    sources = expected_sources(manifest, heard)
    was_away = before is None or not is_possible(before.taken, now) or until - before.taken > DOWN
    anew = until if was_away or before is None else before.anew
    watch = SourceWatch(anew=max(anew, lost or anew), taken=until, unmatched=sources.unmatched)
    judge = _Judge(manifest, sources, known, watch, now)
    standing = {id: judge.standing(id) for id in sorted({*known, *sources.by_id})}
    made = {id: turn for id, one in standing.items() if (turn := judge.find_turn(id, one)) is not None}
    silent = [
        one.heard.source.kind
        for id, one in standing.items()
        if (made[id].state is SourceState.SILENT if id in made else one.silent_since is not None)
    ]
    turns = {
        id: replace(one, others=silent.count(one.source.kind) - 1) if one.state is SourceState.SILENT else one
        for id, one in islice(made.items(), AT_ONCE)
    }
    after = {id: one.after(turns[id]) if id in turns else one for id, one in standing.items()}
    changed = {id: one for id, one in after.items() if one != known.get(id)}
    is_same = (
        before is not None and replace(before, taken=until) == watch and timedelta() <= until - before.taken < OFTEN
    )
    return SourceLook(watch, tuple(turns.values()), changed, bool(changed) or not is_same)


class _Judge:
    """Judges one source after the other: how it stands, and which turn it makes."""

    def __init__(
        self,
        manifest: CoverageManifest,
        sources: ExpectedSources,
        known: Mapping[str, KnownSource],
        watch: SourceWatch,
        now: datetime,
    ) -> None:
        self._until, self._now = watch.taken, now
        self._expected, self._known_by_now = sources.by_id, sources.known_by_now
        self._excuses = silence_excuses(manifest, self._expected.values())
        unheard = {
            id: KnownSource(heard=LastHeard(source=one.source, subscription=one.subscription))
            for id, one in self._expected.items()
        }
        self._known = {**unheard, **known}
        self._heard = {id: one.heard.possible_at(now) for id, one in self._known.items()}
        # The silence of a source that was never heard of counts from when it was first expected.
        self._begins: dict[str, datetime] = {}
        for id in self._expected:
            begin = self._heard[id].posture or self._instant(self._known[id].since)
            self._begins[id] = max(begin, watch.anew)
        self._silent = {id for id, one in self._expected.items() if self._until - self._begins[id] > one.within}
        speakers = {_find_speaker(one) or "" for one in self._expected.values()}
        self._healthy = {
            id: self._instant(self._known[id].healthy_since) for id in speakers if self._brings_healthy_rows(id)
        }

    def _instant(self, known: datetime | None) -> datetime:
        """Return a known instant; the present one if there is none, or none that a clock can have shown."""
        return known if known is not None and is_possible(known, self._now) else self._until

    def _brings_healthy_rows(self, id: str) -> bool:
        """Return whether a subscription speaks, and its snapshots also tell of what is well."""
        one, heard = self._expected.get(id), self._heard.get(id)
        if one is None or heard is None or heard.snapshot is None or heard.healthy is None or id in self._silent:
            return False
        is_late = self._until - heard.snapshot > max(one.within, HEARD_WITHIN)
        return heard.snapshot - heard.healthy <= one.within and not is_late

    def standing(self, id: str) -> KnownSource:
        """Return a source as it stands now, before any turn."""
        one = self._known[id]
        is_unheard = id in self._expected and self._heard[id].posture is None
        return replace(
            one,
            since=self._instant(one.since) if is_unheard else None,
            healthy_since=self._healthy.get(id),
            missing_since=self._instant(one.missing_since) if self._is_missing(id, one) else None,
        )

    def _is_missing(self, id: str, one: KnownSource) -> bool:
        """Return whether the manifest no longer expects a silent source, or lets it be silent for longer than until now."""
        expected = self._expected.get(id)
        if one.silent_since is None or expected is None:
            return one.silent_since is not None
        is_longer = one.allowed is not None and one.allowed < expected.within
        return is_longer and self._until - one.silent_since <= expected.within and not self._is_heard_again(id, one)

    def _is_heard_again(self, id: str, one: KnownSource) -> bool:
        posture = self._heard[id].posture
        return posture is not None and one.silent_since is not None and posture > one.silent_since

    def find_turn(self, id: str, one: KnownSource) -> SourceTurn | None:
        """Return the turn that a source makes now, if any."""
        expected = self._expected.get(id)
        excuse = None
        if expected is not None:
            excuse = find_exception(self._excuses.about(expected.workload), expected.rung, self._now)
        if one.silent_since is None:
            is_told = expected is not None and id in self._silent and excuse is None and not self._is_unknown(expected)
            if expected is None or not is_told:
                return None
            return replace(
                self._turn(one, SourceState.SILENT, last=self._heard[id].posture),
                since=self._begins[id],
                within=expected.within,
                entry=expected.entry,
                name=expected.workload.name,
                subscription=expected.subscription,
            )
        if expected is not None and id not in self._silent and self._is_heard_again(id, one):
            return self._turn(one, SourceState.SPEAKS, last=self._heard[id].posture)
        if excuse is not None:
            words = f"{timestamp(excuse.ends)} by {excuse.owner}"
            return replace(self._turn(one, SourceState.EXCUSED), excuse=words)
        if id in self._known_by_now:
            return self._turn(one, SourceState.SPEAKS, last=self._until)
        is_gone = one.missing_since is not None and self._until - one.missing_since > GONE
        return self._turn(one, SourceState.UNEXPECTED) if is_gone else None

    def _is_unknown(self, one: ExpectedSource) -> bool:
        """Return whether the silence of a cluster or plan says nothing, since its subscription brings no Healthy rows."""
        if one.source.kind is CoverageSourceKind.SUBSCRIPTION:
            return False
        held = self._healthy.get(_find_speaker(one) or "")
        return held is None or self._until - held <= SETTLING

    def _turn(self, one: KnownSource, state: SourceState, last: datetime | None = None) -> SourceTurn:
        return SourceTurn(
            source=one.heard.source,
            number=one.turn + 1,
            state=state,
            at=self._until,
            last=last,
            since=one.silent_since or self._until,
            name=one.name,
            subscription=one.heard.subscription,
        )


def _find_speaker(one: ExpectedSource) -> str | None:
    """Return the id of the subscription through which a cluster or plan is heard of; None for other sources."""
    if one.source.kind is CoverageSourceKind.SUBSCRIPTION or one.subscription is None:
        return None
    return CoverageSource(CoverageSourceKind.SUBSCRIPTION, one.subscription).id
