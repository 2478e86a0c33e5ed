"""The last row of a cluster's sensor: evidence that it ran then, which covers nothing by itself."""

from __future__ import annotations

import pytest

from router.coverage.verdicts import CoverageState, Verdict
from router.domain.coverage import Rung
from tests.coverage.builders import (
    CLUSTER,
    document,
    eks_cluster,
    gke_cluster,
    judged,
    kubectl,
    last_row,
    managed_cluster,
    nodes,
    sensor,
    verdict,
)
from tests.coverage.machine_builders import ago

EKS = "arn:aws:eks:eu-west-1:123456789012:cluster/checkout"
GKE = "//container.googleapis.com/projects/shop-prod/locations/europe-west1/clusters/carts"


def running(*documents: object, name: str = "payments") -> Verdict:
    """What is known of a cluster's sensor."""
    return verdict(judged(*documents), name, Rung.SENSOR_RUNNING)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (last_row(CLUSTER, hours=2), "the last row of its sensor is 2 hours old, and says nothing of its other nodes"),
        (last_row(CLUSTER, hours=24), "the last row of its sensor is 1 day old, and says nothing of its other nodes"),
        (last_row(CLUSTER, hours=24, seconds=1), "the last row of its sensor is 1 day old"),
        (last_row(CLUSTER.upper(), days=9), "the last row of its sensor is 9 days old"),
    ],
)
def test_a_cluster_that_nobody_asked_says_when_its_sensor_last_sent_a_row(row: object, said: str) -> None:
    """It stays unknown: some node sent it, and the others may be dark."""
    found = running(managed_cluster(), document([row], "rows"))
    assert (found.state, found.reason) == (CoverageState.UNKNOWN, f"nobody asked the cluster itself; {said}")
    assert found.evidence[-1].document == "rows [0]"
    assert found.remedy == running(managed_cluster()).remedy


def test_the_last_of_several_workspaces_counts() -> None:
    """And none that came at a time to come, which no clock that is right has written."""
    rows = [last_row(CLUSTER, days=3), last_row(CLUSTER, hours=5), last_row(CLUSTER, days=-2)]
    assert "is 5 hours old" in running(managed_cluster(), rows).reason


@pytest.mark.parametrize(("cluster", "of", "name"), [(EKS, eks_cluster(), "checkout"), (GKE, gke_cluster(), "carts")])
def test_clusters_of_other_clouds_are_known_by_their_own_names(cluster: str, of: object, name: str) -> None:
    """As `aws` and `gcloud` print them."""
    assert "is 2 hours old" in running(of, [last_row(cluster, hours=2)], name=name).reason


def test_what_kubectl_says_counts() -> None:
    """A row of one node mends no other one, and one that is old takes nothing away."""
    asked = document(kubectl(*sensor(), *nodes()), given="payments")
    dark = document(kubectl(*sensor(ready=0), *nodes()), given="payments")
    old, new = [last_row(CLUSTER, days=9)], [last_row(CLUSTER, hours=1)]
    assert running(managed_cluster(), asked, old).state is CoverageState.COVERED
    found = running(managed_cluster(), dark, new)
    assert found.state is CoverageState.GAP
    assert "the last row of its sensor is 1 hour old" in found.remarks


def test_a_tag_alone_is_no_gap_where_the_sensor_sent_rows_today() -> None:
    """Somebody brought it by Helm; yesterday's rows do not show that."""
    tagged = managed_cluster(tags={"ms_defender_container_exclude_sensors": "true"})
    assert running(tagged).state is CoverageState.GAP
    assert running(tagged, [last_row(CLUSTER, hours=1)]).state is CoverageState.UNKNOWN
    assert running(tagged, [last_row(CLUSTER, hours=25)]).state is CoverageState.GAP


@pytest.mark.parametrize(
    "row",
    [
        {"AzureResourceId": CLUSTER, "last": "yesterday"},
        {"AzureResourceId": CLUSTER, "last": None},
        {"AzureResourceId": CLUSTER},
        {"AzureResourceId": "", "last": ago(hours=1)},
        {"AzureResourceId": [CLUSTER], "last": ago(hours=1)},
        {"AzureResourceId": CLUSTER, "last": 5},
    ],
)
def test_a_row_that_does_not_say_when_or_of_what_says_nothing(row: object) -> None:
    """Nor does it raise."""
    assert running(managed_cluster(), [row]).reason == "nobody asked the cluster itself"
