"""That a plan is said to be on only where it is, by an oracle that knows the estate and not its documents."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.expected.manifest import CoverageManifest
from router.coverage.verdicts import CoverageState
from router.domain.coverage import Rung, WorkloadKind
from tests.coverage.builders import CLUSTER, REGISTRY, judged
from tests.coverage.estates import MANIFESTS, Estate, estates
from tests.examples import some_of


@given(estates(), st.data(), st.sampled_from(MANIFESTS))
@settings(max_examples=some_of(100))
def test_what_is_covered_is_on(estate: Estate, data: st.DataObject, manifest: CoverageManifest) -> None:
    """Whatever part of the answers is given, no plan is said to be on for a resource for which it is not."""
    documents = estate.documents()
    some = data.draw(st.sets(st.sampled_from(sorted(documents))))
    is_on = (estate.own or estate.tier) == "Standard"
    is_old = estate.deprecated and estate.id in (CLUSTER, REGISTRY) and estate.own is None
    result = judged(*(documents[name] for name in sorted(some)), manifest=manifest)
    for workload, rung, verdict in result.assessed.verdicts():
        if rung is Rung.PLAN and verdict.state is CoverageState.COVERED and workload.subject == estate.id.lower():
            assert workload.kind is not WorkloadKind.SUBSCRIPTION
            assert is_on or is_old
