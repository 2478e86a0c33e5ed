"""When each source was last heard of, and how long it may be silent: what a report says of the stream itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from router.coverage.assess import Assessed
from router.coverage.expected.manifest import HEARD_WITHIN, CoverageManifest
from router.coverage.expected.sources import ExpectedSource, SilenceExcuses, expected_sources
from router.coverage.facts import Facts
from router.coverage.recommendations import find_healthy_rows
from router.coverage.stored import EVERY_SOURCE, SourceFact, WatchFact
from router.coverage.verdicts import CoverageException
from router.domain.clocks import is_possible
from router.domain.coverage import WorkloadKind
from router.domain.coverage_sources import CoverageSource, CoverageSourceKind, LastHeard

_HELD = (CoverageSourceKind.SUBSCRIPTION, CoverageSourceKind.CLUSTER, CoverageSourceKind.PLAN)
"""What a weekly snapshot speaks of; silence of alerts is normal."""


@dataclass(frozen=True, slots=True)
class ReportedSource:
    """A source as a report shows it.

    Attributes:
        name: what people call it; of a plan its subscription.
        is_expected: whether the manifest expects it or, where there is none, it is judged: so it is shown though it was never
            heard of.
        within: how long it may be silent; None for what may be silent for ever.
        is_silent: whether it has been for longer; None if its silence says nothing, as of a cluster whose
            subscription has no snapshots that bring healthy rows.
    """

    name: str
    heard: LastHeard
    is_expected: bool
    within: timedelta | None
    is_silent: bool | None
    exception: CoverageException | None = None

    @property
    def title(self) -> str:
        """What people call it, with what it is."""
        source = self.heard.source
        return f"plan {source.plan} of {self.name}" if source.plan else f"{source.kind} {self.name}"


def reported_sources(
    facts: Facts, assessed: Assessed, manifest: CoverageManifest, now: datetime
) -> tuple[ReportedSource, ...]:
    """Every source that was heard of, and those that are expected; none where nothing was heard."""
    heard = _last_heard(facts, now)
    if not heard:
        return ()
    if manifest.is_given:
        expected = {one.source: one for one in expected_sources(manifest, heard.values()).by_id.values()}
    else:
        expected = {one.source: one for one in _judged(assessed)}
    names = {one.source: one.workload.name for one in _judged(assessed)}
    excuses = SilenceExcuses(manifest, expected.values())
    sources = sorted({*heard, *expected}, key=lambda one: (list(CoverageSourceKind).index(one.kind), one))
    return tuple(
        _excused(one, expected.get(one.heard.source), excuses, now)
        for one in (
            _reported(heard.get(source), source, expected.get(source), names.get(source, source.subject), facts, now)
            for source in sources
        )
    )


def _reported(
    heard: LastHeard | None,
    source: CoverageSource,
    expected: ExpectedSource | None,
    name: str,
    facts: Facts,
    now: datetime,
) -> ReportedSource:
    heard = heard or LastHeard(source=source, subscription=expected.subscription if expected is not None else None)
    within = expected.within if expected is not None else HEARD_WITHIN
    return ReportedSource(
        name=name,
        heard=heard,
        is_expected=expected is not None,
        within=within if source.kind in _HELD else None,
        is_silent=_is_silent(heard, within, facts, now),
    )


def _excused(
    one: ReportedSource, expected: ExpectedSource | None, excuses: SilenceExcuses, now: datetime
) -> ReportedSource:
    if one.is_silent is False or expected is None:
        return one
    excuse = excuses.find(expected, now)
    return replace(one, exception=excuse.exception) if excuse is not None else one


def _is_silent(heard: LastHeard, within: timedelta, facts: Facts, now: datetime) -> bool | None:
    """Only posture counts, from the same instant as for the finding that it is silent, where a sweep wrote that down.

    Of a cluster and a plan silence says something where its subscription's snapshots speak. Of a source that was never heard of
    that is not known until the router has run for long enough.
    """
    if heard.source.kind not in _HELD:
        return None
    since = _counted_from(heard, facts, now)
    if since is not None and now - since <= within:
        return False
    if since is None and not _has_run_for(within, facts, now):
        return None
    is_subscription = heard.source.kind is CoverageSourceKind.SUBSCRIPTION
    return (
        True if is_subscription or find_healthy_rows(facts, heard.subscription or "", now, within) is not None else None
    )


def _counted_from(heard: LastHeard, facts: Facts, now: datetime) -> datetime | None:
    """From when on its silence counts; None where it was never heard of, and no sweep looked for it."""
    watches = facts.about(WatchFact, EVERY_SOURCE)
    begun = [since for one in watches for since in (one.anew, one.since.get(heard.source.id)) if since is not None]
    known = [one for one in (heard.posture, *begun) if one is not None and is_possible(one, now)]
    return max(known, default=None)


def _has_run_for(long: timedelta, facts: Facts, now: datetime) -> bool:
    """Whether anything was heard so long ago."""
    instants = (one for fact in facts.every(SourceFact) for one in (fact.heard.posture, fact.heard.alert))
    return any(one is not None and is_possible(one, now) and now - one > long for one in instants)


def _last_heard(facts: Facts, now: datetime) -> Mapping[CoverageSource, LastHeard]:
    found: dict[CoverageSource, LastHeard] = {}
    for fact in facts.every(SourceFact):
        heard = fact.heard.possible_at(now)
        known = found.get(heard.source)
        found[heard.source] = heard if known is None else known.joined(heard)
    return found


def _judged(assessed: Assessed) -> Iterator[ExpectedSource]:
    """The subscriptions and clusters that are judged, as sources."""
    for row in assessed.rows:
        workload = row.workload
        if workload.kind is WorkloadKind.SUBSCRIPTION and workload.subscription is not None:
            source = CoverageSource(CoverageSourceKind.SUBSCRIPTION, workload.subscription)
        elif workload.kind is WorkloadKind.CLUSTER:
            source = CoverageSource(CoverageSourceKind.CLUSTER, workload.subject)
        else:
            continue
        yield ExpectedSource(
            source=source, workload=workload, subscription=workload.subscription, within=HEARD_WITHIN, entry=0
        )
