"""When each source was last heard of, and how long it may be silent: what a report says of the stream itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from router.coverage.assess import Assessed
from router.coverage.expected.manifest import HEARD_WITHIN, CoverageManifest, find_exception
from router.coverage.expected.silence import ExpectedSource, expected_sources, silence_excuses
from router.coverage.facts import Facts
from router.coverage.recommendations import find_healthy_rows
from router.coverage.stored import EVERY_SOURCE, SourceFact, WatchFact
from router.coverage.verdicts import CoverageException
from router.domain.clocks import is_possible
from router.domain.coverage import WorkloadKind
from router.domain.coverage_sources import CoverageSource, CoverageSourceKind, LastHeard
from router.domain.silent_sources import RUNGS
from router.domain.values import Value


class ReportedSource(Value, kw_only=True):
    """A source as a report shows it.

    Attributes:
        name: what people call it; of a plan its subscription.
        is_expected: whether the manifest expects it or, where there is none, it is judged: so it is shown though it was never
            heard of.
        within: how long it may be silent; None for what may be silent for ever, as no weekly snapshot speaks of it.
        is_silent: whether it has been for longer; None if its silence says nothing, as of a cluster whose
            subscription has no snapshots that bring healthy rows.
    """

    name: str
    heard: LastHeard
    is_expected: bool
    within: timedelta | None
    is_silent: bool | None
    exception: CoverageException | None

    @property
    def title(self) -> str:
        """What people call it, with what it is."""
        source = self.heard.source
        return f"plan {source.plan} of {self.name}" if source.plan else f"{source.kind} {self.name}"


def reported_sources(
    facts: Facts, assessed: Assessed, manifest: CoverageManifest, now: datetime
) -> Iterator[ReportedSource]:
    """Yield every source that was heard of, and those that are expected; none where nothing was heard."""
    heard: dict[CoverageSource, LastHeard] = {}
    for fact in facts.every(SourceFact):
        last = fact.heard.possible_at(now)
        heard[last.source] = last.joined(heard.get(last.source, last))
    if not heard:
        return
    judged = list(_judged(assessed))
    found = expected_sources(manifest, heard.values()).by_id.values() if manifest.is_given else judged
    expected = {one.source: one for one in found}
    names = {one.source: one.workload.name for one in judged}
    excuses, kinds = silence_excuses(manifest, expected.values()), list(CoverageSourceKind)
    for source in sorted({*heard, *expected}, key=lambda one: (kinds.index(one.kind), one)):
        one = expected.get(source)
        within = (one.within if one is not None else HEARD_WITHIN) if source.kind in RUNGS else None
        unheard = LastHeard(source=source, subscription=one.subscription if one is not None else None)
        last = heard.get(source, unheard)
        is_silent = _is_silent(last, within, facts, now) if within is not None else None
        exception = None
        if one is not None and is_silent is not False:
            exception = find_exception(excuses.about(one.workload), one.rung, now)
        yield ReportedSource(
            name=names.get(source, source.subject),
            heard=last,
            is_expected=one is not None,
            within=within,
            is_silent=is_silent,
            exception=exception,
        )


def _is_silent(heard: LastHeard, within: timedelta, facts: Facts, now: datetime) -> bool | None:
    """Only posture counts, from the same instant as for the finding that it is silent, where a sweep wrote that down.

    Of a cluster and a plan silence says something where its subscription's snapshots speak. Of a source that was never heard of
    that is not known until the router has run for long enough.
    """
    watches = facts.about(WatchFact, EVERY_SOURCE)
    begun = (heard.posture, *(since for one in watches for since in (one.anew, one.since.get(heard.source.id))))
    since = max((one for one in begun if one is not None and is_possible(one, now)), default=None)
    if since is not None and now - since <= within:
        return False
    ever = (at for fact in facts.every(SourceFact) for at in (fact.heard.posture, fact.heard.alert) if at is not None)
    if since is None and not any(now - at > within for at in ever):
        return None
    if heard.source.kind is CoverageSourceKind.SUBSCRIPTION:
        return True
    return True if find_healthy_rows(facts, heard.subscription or "", now, within) is not None else None


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
