"""Manifests of coverage, each showing only what the test is about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from router.coverage.expected.manifest import NO_MANIFEST, CoverageManifest, Excuse, Expectation, WorkloadSelector
from router.coverage.verdicts import CoverageException
from router.domain.coverage import Rung, WorkloadKind
from tests.coverage.builders import NOW, SUBSCRIPTION


def cluster_id(name: str, subscription: str = SUBSCRIPTION) -> str:
    """The id of an AKS cluster."""
    return (
        f"/subscriptions/{subscription}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/{name}"
    )


def expects(
    *names: str,
    kinds: Iterable[WorkloadKind] = (WorkloadKind.CLUSTER,),
    subscriptions: Iterable[str] = ("*",),
    rungs: Iterable[Rung] | None = (Rung.SENSOR_RUNNING,),
    number: int = 1,
) -> Expectation:
    """An entry that expects workloads of these names on some rungs."""
    return Expectation(
        selects=WorkloadSelector(kinds=frozenset(kinds), names=names or ("*",), subscriptions=tuple(subscriptions)),
        rungs=None if rungs is None else frozenset(rungs),
        number=number,
    )


def excuses(
    *names: str,
    kinds: Iterable[WorkloadKind] = (),
    rungs: Iterable[Rung] = (),
    ends: datetime = NOW + timedelta(days=1),
    owner: str = "platform@example.com",
) -> Excuse:
    """An exception for workloads of these names."""
    return Excuse(
        selects=WorkloadSelector(kinds=frozenset(kinds), names=names or ("*",)),
        rungs=frozenset(rungs),
        exception=CoverageException(owner=owner, reason="rebuilt", ends=ends),
        number=1,
    )


def manifest_of(*expectations: Expectation, excused: Iterable[Excuse] = ()) -> CoverageManifest:
    """A manifest that somebody wrote."""
    return CoverageManifest(
        expectations=expectations or NO_MANIFEST.expectations, excuses=tuple(excused), is_given=True
    )
