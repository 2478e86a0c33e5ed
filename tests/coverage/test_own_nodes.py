"""A sensor is held against the nodes of its own cluster, and of no other."""

from __future__ import annotations

import pytest

from router.coverage.verdicts import CoverageState
from router.domain.coverage import Rung
from router.domain.errors import BadUsage
from tests.coverage.builders import (
    CLUSTER,
    SUBSCRIPTION,
    Json,
    document,
    judged,
    kubectl,
    managed_cluster,
    node,
    nodes,
    pricing,
    sensor,
    verdict,
)
from tests.coverage.kubernetes_builders import as_object, pod

MACHINE_0 = "providers/Microsoft.Compute/virtualMachineScaleSets/aks-nodepool1-vmss/virtualMachines/0"


def test_a_healthy_cluster_never_covers_the_dark_one_beside_it() -> None:
    """Files that say their clusters are judged apart."""
    result = judged(
        document(kubectl(*sensor(), *nodes()), "healthy.json", "healthy"),
        document(kubectl(*sensor(ready=0), *nodes()), "dark.json", "dark"),
    )
    assert verdict(result, "healthy", Rung.SENSOR_RUNNING).state is CoverageState.COVERED
    assert verdict(result, "dark", Rung.SENSOR_RUNNING).state is CoverageState.GAP


def test_a_file_without_a_name_belongs_to_the_one_cluster_of_the_call() -> None:
    """It needs no name where there is nothing to confuse."""
    result = judged(managed_cluster(), kubectl(*sensor()), kubectl(*nodes()))
    assert verdict(result, "payments", Rung.SENSOR_RUNNING).state is CoverageState.COVERED


def test_a_file_without_a_name_covers_none_of_several_clusters() -> None:
    """It is said which file says nothing, and how to name it."""
    other = managed_cluster(
        "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/lending"
    )
    result = judged(managed_cluster(), other, kubectl(*sensor(), *nodes()))
    for name in ("payments", "lending"):
        assert verdict(result, name, Rung.SENSOR_RUNNING).state is CoverageState.UNKNOWN
    assert [name for name, _ in result.unused] == ["3.json"]


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (kubectl(pod("node-0", "web", namespace="shop")), "does not say which cluster it is of; write NAME=FILE"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}, "says nothing of what is judged"),
        ({"apiVersion": "example.com/v1", "kind": "Sensor"}, "says nothing of what is judged"),
    ],
)
def test_what_says_nothing_of_a_cluster_makes_none(other: Json, reason: str) -> None:
    """Else an unrelated file would be one more workload that is unknown."""
    alone, both = judged(pricing("Containers")), judged(pricing("Containers"), other)
    assert both.assessed == alone.assessed
    assert both.unused == (("2.json", reason),)


@pytest.mark.parametrize("name", ["nodes of payments.json", "nodes[1].json"])
def test_a_file_is_called_by_its_whole_name(name: str) -> None:
    """Also where there are blanks and brackets in it."""
    result = judged(managed_cluster(), managed_cluster(CLUSTER + "2"), document(kubectl(*nodes()), name))
    assert [unused for unused, _ in result.unused] == [name]


@pytest.mark.parametrize(("first", "second"), [("payments", "payments"), ("payments", "lending")])
def test_the_uid_of_kube_system_tells_clusters_apart(first: str, second: str) -> None:
    """Two clusters under one name, or one under two, would cover each other, so both are refused."""
    uids = ("a", "b") if first == second else ("a", "a")
    documents = [
        document(_namespace(uid), f"{number}.json", name)
        for number, (uid, name) in enumerate(zip(uids, (first, second), strict=True), 1)
    ]
    with pytest.raises(BadUsage, match=r"2\.json.*1\.json"):
        judged(*documents)


def test_the_uid_of_a_node_tells_clusters_apart() -> None:
    """A loop in which kubectl stayed at one cluster writes the healthy one under every name."""
    answer = kubectl(*sensor(), *(_node(str(number)) for number in range(3)))
    documents = [document(answer, f"{name}.json", name) for name in ("payments", "lending")]
    with pytest.raises(BadUsage, match=r"lending\.json items\[2\].*payments\.json items\[2\].*node node-0"):
        judged(*documents)
    assert judged(documents[0], document(answer, "again.json", "payments"))


GROUP = "MC_rg_payments_westeurope"


@pytest.mark.parametrize("given", ["payments", None])
@pytest.mark.parametrize(
    ("where", "is_own"),
    [
        (f"azure:///subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP.lower()}/{MACHINE_0}", True),
        (f"azure:///subscriptions/{SUBSCRIPTION}/resourceGroups/mc_rg_lending_westeurope/{MACHINE_0}", False),
        (f"azure:///subscriptions/22222222/resourceGroups/{GROUP}/{MACHINE_0}", False),
        ("aws:///eu-west-1a/i-0123456789abcdef0", False),
        ("gce://shop-prod/europe-west1-b/gke-carts-1", False),
        ("kind://docker/kind/kind-control-plane", True),
        ("azure:///subscriptions/0/x", True),
        ("", True),
    ],
)
def test_nodes_of_another_cluster_are_refused(where: str, is_own: bool, given: str | None) -> None:
    """Azure says in which group a cluster's nodes are, and each node where it is; what says neither is believed."""
    cluster = managed_cluster()
    properties = {**as_object(cluster, "properties"), "nodeResourceGroup": GROUP}
    answer = document(kubectl(*sensor(), *(_node(str(number), where) for number in range(3))), "answer.json", given)
    documents = {**cluster, "properties": properties}, answer
    if is_own:
        assert verdict(judged(*documents), "payments", Rung.SENSOR_RUNNING).state is CoverageState.COVERED
        return
    with pytest.raises(BadUsage, match="is not of the cluster payments: node node-0 is in "):
        judged(*documents)


EKS = "arn:aws:eks:eu-west-1:123456789012:cluster/shop"
GKE = "gke_shop-prod_europe-west1_carts"


@pytest.mark.parametrize(
    ("name", "where", "is_own"),
    [
        (EKS, "aws:///eu-west-1a/i-0123456789abcdef0", True),
        (EKS, "aws:///us-east-1a/i-0123456789abcdef0", False),
        (EKS, "gce://shop-prod/europe-west1-b/gke-carts-1", False),
        (EKS, f"azure:///subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/{MACHINE_0}", False),
        (EKS, "eks-hybrid:///eu-west-1/shop/mi-0123456789abcdef0", True),
        (EKS, "", True),
        (GKE, "gce://shop-prod/europe-west1-b/gke-carts-1", True),
        (f"{GKE.replace('west1', 'west1-c')}", "gce://shop-prod/europe-west1-b/gke-carts-1", True),
        (GKE, "gce://shop-test/europe-west1-b/gke-carts-1", False),
        (GKE, "gce://shop-prod/us-west1-b/gke-carts-1", False),
        (GKE, "gce://shop-prod", False),
        (GKE, "aws:///eu-west-1a/i-0123456789abcdef0", False),
    ],
)
def test_nodes_of_another_region_are_not_those_of_a_cluster_in_another_cloud(
    name: str, where: str, is_own: bool
) -> None:
    """A context that leads elsewhere than it is called; the ARN names the region, and a context of GKE its project, too."""
    answer = document(kubectl(*sensor(), *(_node(str(number), where) for number in range(3))), "answer.json", name)
    if is_own:
        assert verdict(judged(answer), name, Rung.SENSOR_RUNNING).state is CoverageState.COVERED
        return
    with pytest.raises(BadUsage, match=r"is not of the cluster .+: node node-0 is in "):
        judged(answer)


def _node(number: str, where: str = "") -> Json:
    body = node(f"node-{number}")
    metadata = {**as_object(body, "metadata"), "uid": f"uid-{number}-{where}"}
    return {**body, "metadata": metadata, "spec": {"providerID": where}}


def _namespace(uid: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "uid": uid}}
