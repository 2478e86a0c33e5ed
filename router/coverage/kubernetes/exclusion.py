"""Clusters that a tag leaves out, and clusters that are stopped. Pure.

A tag keeps Azure from installing the sensor. A sensor that is there already stays, and Helm installs one all the same.
https://learn.microsoft.com/azure/defender-for-cloud/defender-for-containers-exclude-cluster
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from router.coverage.facts import CoverageCase, ResourceFact
from router.coverage.kubernetes.mends import delete_tag
from router.coverage.stored import StoredTagsFact
from router.coverage.verdicts import CoverageEvidence, CoverageState, Verdict, Workload, not_coverable
from router.coverage.workloads import OFF_CLUSTERS, excluding


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A tag that keeps the sensor off a cluster, as it is written, and where it stands."""

    name: str
    value: str
    shown: CoverageEvidence

    @property
    def tag(self) -> str:
        """What it is called where it is spoken of."""
        return f"{self.name}={self.value}"


def find_exclusions(case: CoverageCase) -> Iterator[Exclusion]:
    """The tags that keep the sensor off a cluster, as often as documents show them."""
    for resource in case.about(ResourceFact):
        for name, value in excluding(resource.tags or {}, OFF_CLUSTERS).items():
            yield Exclusion(name, value, resource.source.shows(f"tags.{name}", value))
    for stored in case.about(StoredTagsFact):
        # A tag that was read long ago may have been taken off since.
        if not stored.source.is_stale(case.now, case.expectation.heard_within):
            for name, value in excluding(stored.tags, OFF_CLUSTERS).items():
                yield Exclusion(name, value, stored.source.shows(f"tags.{name}", value))


def find_exclusion(case: CoverageCase) -> Exclusion | None:
    """The first tag that keeps the sensor off a cluster; None where no document shows one."""
    return next(find_exclusions(case), None)


def find_stopped(case: CoverageCase) -> Verdict | None:
    """The verdict on a cluster that is stopped; None where no document says that it is, or one says that it is not."""
    said = [fact for fact in case.about(ResourceFact) if fact.is_stopped is not None]
    if not said or not all(fact.is_stopped for fact in said):
        return None
    return not_coverable("the cluster is stopped", said[0].source.shows("properties.powerState.code", "Stopped"))


def left_out(verdict: Verdict, exclusion: Exclusion, workload: Workload, *, is_running: bool) -> Verdict:
    """A verdict that is not covered, of a cluster with a tag: the tag is the reason where no sensor is seen to run."""
    if is_running:
        remark = f"the tag {exclusion.tag} keeps Azure from installing the sensor"
        return replace(verdict, remarks=(*verdict.remarks, remark))
    return replace(
        verdict,
        state=CoverageState.GAP,
        reason=f"the tag {exclusion.tag} leaves the cluster out, and {verdict.reason}",
        evidence=(exclusion.shown, *verdict.evidence),
        remedy=delete_tag(workload, exclusion.name, exclusion.value) or verdict.remedy,
    )
