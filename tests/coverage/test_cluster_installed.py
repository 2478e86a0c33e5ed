"""Whether a sensor was deployed to a cluster, what left it out, and what would answer it."""

from __future__ import annotations

import pytest

from router.coverage.kubernetes.commands import ASK_CLUSTER
from router.coverage.verdicts import CoverageState, Verdict
from router.domain.coverage import Rung
from tests.coverage.builders import (
    CLUSTER,
    IN_PAYMENTS,
    SUBSCRIPTION,
    Json,
    daemon_set,
    document,
    judged,
    kubectl,
    managed_cluster,
    nodes,
    resource,
    sensor,
    verdict,
)
from tests.coverage.kubernetes_builders import collector, pod, publisher

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN
BOTH = (Rung.SENSOR_INSTALLED, Rung.SENSOR_RUNNING)
INSTALL = "az aks update --enable-defender --name payments --resource-group RESOURCE_GROUP"
ASK = f"{ASK_CLUSTER} {IN_PAYMENTS} > payments.json"
PROXY = daemon_set("kube-proxy", image="mcr.microsoft.com/oss/kubernetes/kube-proxy:v1.34")
DARK = kubectl(*sensor(ready=0), *nodes())
LIVE = kubectl(*sensor(), *nodes())
ENABLE = f"az aks update --enable-defender --resource-group rg --name payments --subscription {SUBSCRIPTION}"


def on(rung: Rung, *documents: Json, name: str = "payments") -> Verdict:
    """What documents say of a cluster on a rung; all of them are of that cluster."""
    named = [document(one, f"{number}.json", name) for number, one in enumerate(documents)]
    return verdict(judged(*named), name, rung)


def excluded(**tags: str) -> Json:
    """A cluster with tags."""
    return managed_cluster(tags=tags)


def stopped() -> Json:
    """A cluster that is stopped."""
    return resource(CLUSTER, "Microsoft.ContainerService/managedClusters", {"powerState": {"code": "Stopped"}})


def extension(state: str, **fields: object) -> Json:
    """Defender's extension of a cluster."""
    id = f"{CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions/defender"
    properties = {"extensionType": "Microsoft.AzureDefender.Kubernetes", "provisioningState": state, **fields}
    return resource(id, "Microsoft.KubernetesConfiguration/extensions", properties)


@pytest.mark.parametrize("has_sensor", [True, False])
def test_what_azure_wishes_says_nothing_of_what_is_in_the_cluster(has_sensor: bool) -> None:
    """A sensor from Helm needs no profile, and a profile does not make a sensor run."""
    for rung in BOTH:
        found = on(rung, managed_cluster(has_sensor=has_sensor))
        assert found.state is UNKNOWN
        assert found.remedy == ASK
        assert "give payments=payments.json" in found.remarks
        assert on(rung, managed_cluster(has_sensor=has_sensor), LIVE).state is COVERED


def test_a_profile_that_a_projection_left_out_asks_for_nothing_and_against_nothing() -> None:
    """Its absence is no answer."""
    cut = resource(CLUSTER, "Microsoft.ContainerService/managedClusters", {"addonProfiles": {}})
    assert not any("security profile" in one for one in on(Rung.SENSOR_INSTALLED, cut).remarks)
    asked = on(Rung.SENSOR_INSTALLED, managed_cluster(has_sensor=False))
    assert any("security profile of the cluster does not ask" in one for one in asked.remarks)


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        (kubectl(), "0.json, whose list is empty"),
        ({"apiVersion": "apps/v1", "kind": "DaemonSetList", "items": []}, "0.json, whose list is empty"),
        (kubectl(PROXY), "sensor is in 0.json"),
    ],
)
def test_a_list_without_a_daemon_set_of_defender_is_a_gap(listed: Json, said: str) -> None:
    """It says which file."""
    for rung in BOTH:
        found = on(rung, listed)
        assert found.state is GAP
        assert said in found.reason
        assert found.remedy == INSTALL
        assert on(rung, listed, managed_cluster()).remedy == ENABLE


SHOP = daemon_set("logger", namespace="shop", image="x")


@pytest.mark.parametrize(
    ("documents", "state"),
    [
        ([kubectl(SHOP)], UNKNOWN),
        ([kubectl(SHOP, *nodes())], UNKNOWN),
        ([kubectl(SHOP), kubectl(daemon_set("logger", namespace="web", image="x"))], UNKNOWN),
        ([kubectl(SHOP), kubectl(PROXY)], GAP),
        ([kubectl(SHOP, pod("node-0", "web", namespace="web"))], GAP),
        ([kubectl(daemon_set("x", namespace="mdc", image="x"))], GAP),
    ],
)
def test_a_list_of_one_namespace_shows_a_sensor_only_where_one_is_deployed(
    documents: list[Json], state: CoverageState
) -> None:
    """`kubectl get daemonsets -n shop` has no DaemonSet of Defender in any cluster."""
    for rung in BOTH:
        found = on(rung, *documents)
        assert found.state is state
        assert found.remedy == (INSTALL if state is GAP else ASK)


@pytest.mark.parametrize(
    "answer",
    [
        PROXY,
        {**kubectl(PROXY), "metadata": {"continue": "token"}},
        kubectl(*nodes()),
        {"apiVersion": "v1", "kind": "PodList", "items": []},
    ],
)
def test_what_is_no_whole_list_of_daemon_sets_proves_no_absence(answer: Json) -> None:
    """One by its name, the first of several pages, and lists of something else."""
    for rung in BOTH:
        assert on(rung, answer).state is UNKNOWN


def test_a_dark_sensor_is_installed_and_does_not_run() -> None:
    """That it was deployed is all that this rung proves."""
    assert on(Rung.SENSOR_INSTALLED, DARK).state is COVERED
    assert on(Rung.SENSOR_RUNNING, DARK).state is GAP


def test_a_publisher_alone_is_no_sensor() -> None:
    """Nor is a collector that is being deleted."""
    going = collector(metadata={"deletionTimestamp": "2026-11-25T00:00:00Z"})
    for objects in ([publisher()], [going, publisher()]):
        assert on(Rung.SENSOR_INSTALLED, kubectl(*objects)).state is GAP
    assert on(Rung.SENSOR_INSTALLED, kubectl(collector())).state is COVERED


@pytest.mark.parametrize(
    "name",
    [
        "ms_defender_container_exclude_sensors",
        "MS_Defender_Container_Exclude_Sensors",
        "ms_defender_container_exclude_agents",
        "ms_defender_e2e_discovery_exclude",
    ],
)
def test_a_tag_that_leaves_a_cluster_out_is_the_reason(name: str) -> None:
    """Unless its sensor is seen to run: then somebody manages it by Helm."""
    for value in ("true", "True"):
        for rung in BOTH:
            found = on(rung, excluded(**{name: value}))
            assert found.state is GAP
            assert found.reason.startswith(f"the tag {name}={value} leaves the cluster out")
            assert found.remedy == f"az tag update --resource-id {CLUSTER} --operation Delete --tags {name}={value}"
            live = on(rung, excluded(**{name: value}), LIVE)
            assert live.state is COVERED
        dark = on(Rung.SENSOR_RUNNING, excluded(**{name: value}), DARK)
        assert f"the tag {name}={value} leaves the cluster out" in dark.reason
        partly = on(Rung.SENSOR_RUNNING, excluded(**{name: value}), kubectl(*sensor(ready=2), *nodes()))
        assert partly.state is GAP
        assert partly.reason.startswith("DaemonSet ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ms_defender_container_exclude_sensors", "false"),
        ("ms_defender_container_exclude_sensors", ""),
        ("ms_defender_container_exclude_azurepolicy", "true"),
        ("exclude", "true"),
    ],
)
def test_another_tag_leaves_nothing_out(name: str, value: str) -> None:
    """Only these names, and only where they say so."""
    for rung in BOTH:
        assert on(rung, excluded(**{name: value})).state is UNKNOWN


def test_a_cluster_that_is_stopped_is_not_coverable() -> None:
    """Unless a sensor is seen to run, or another document says that it is not stopped."""
    for rung in BOTH:
        assert on(rung, stopped()).state is CoverageState.NOT_COVERABLE
        assert on(rung, stopped(), managed_cluster()).state is UNKNOWN
        assert on(rung, stopped(), LIVE).state is COVERED
    assert on(Rung.SENSOR_RUNNING, stopped(), DARK).state is CoverageState.NOT_COVERABLE
    assert on(Rung.SENSOR_RUNNING, stopped(), kubectl(*sensor(ready=1), *nodes())).state is GAP


def test_the_extension_of_azure_arc_installs_a_sensor() -> None:
    """It says nothing of whether the sensor runs."""
    assert on(Rung.SENSOR_INSTALLED, extension("Succeeded")).state is COVERED
    assert on(Rung.SENSOR_INSTALLED, extension("Succeeded"), kubectl()).state is COVERED
    assert on(Rung.SENSOR_RUNNING, extension("Succeeded"), kubectl()).state is GAP
    assert on(Rung.SENSOR_RUNNING, extension("Succeeded")).state is UNKNOWN
    failed = on(Rung.SENSOR_INSTALLED, extension("Failed", errorInfo={"message": "no egress"}))
    assert failed.state is GAP
    assert "no egress" in failed.reason
    assert on(Rung.SENSOR_INSTALLED, extension("Creating")).state is UNKNOWN
    assert on(Rung.SENSOR_INSTALLED, extension("Failed"), extension("Succeeded")).state is GAP


def test_the_file_that_is_asked_for_is_named_after_the_cluster() -> None:
    """Whatever a cluster is called, the line runs only what it says."""
    found = on(Rung.SENSOR_RUNNING, kubectl(*nodes()), name="../prod; rm -rf ~")
    assert found.remedy is not None
    assert found.remedy == f"{ASK_CLUSTER} --context '../prod; rm -rf ~' > prod-rm-rf.json"
