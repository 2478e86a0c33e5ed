"""The lines that mend a cluster's sensor: they mend, they break nothing beside it, and no name in them is an option."""

from __future__ import annotations

import json
import shlex

import pytest

from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung
from tests.coverage.builders import (
    Json,
    daemon_set,
    document,
    judged,
    kubectl,
    managed_cluster,
    node,
    nodes,
    verdict,
)
from tests.coverage.kubernetes_builders import (
    COLLECTOR,
    PUBLISHER,
    affinity,
    collector,
    failed_create,
    namespace,
    part,
    pod,
    pods,
    publisher,
    running,
    taint,
)


def _remedy(*objects: Json) -> list[str]:
    found = running(*objects, *nodes())
    assert found.remedy is not None
    *words, option, context = shlex.split(found.remedy)
    assert (option, context) == ("--context", "payments")
    return words


@pytest.mark.parametrize("label", ["agentpool", "example.com/pool", "a~b"])
def test_of_a_node_selector_only_the_label_goes_that_no_node_has(label: str) -> None:
    """Without the others its pods would go to nodes of Windows, or of another processor."""
    wanted = {"kubernetes.io/os": "linux", label: "retired"}
    words = _remedy(collector(0, pod={"nodeSelector": wanted}), publisher())
    assert words[:4] == ["kubectl", "patch", "daemonset", "microsoft-defender-collector-ds"]
    escaped = label.replace("~", "~0").replace("/", "~1")
    path = f"/spec/template/spec/nodeSelector/{escaped}"
    assert json.loads(words[-1]) == [{"op": "remove", "path": path}]


@pytest.mark.parametrize(
    "template",
    [
        {"nodeSelector": {"kubernetes.io/arch": "amd64"}},
        affinity({"key": "type", "operator": "In", "values": ["real"]}),
    ],
)
def test_what_keeps_it_off_nodes_on_which_it_cannot_run_is_not_removed(template: Json) -> None:
    """An affinity names virtual nodes, too, and no image runs on another processor: a person decides, and has it opened."""
    words = _remedy(collector(0, pod=template), publisher())
    assert words == ["kubectl", "edit", "daemonset", COLLECTOR, "-n", "kube-system"]


MANAGED = {"labels": {"addonmanager.kubernetes.io/mode": "Reconcile"}}
GPU = {"kubernetes.azure.com/agentpool": "gpu"}


def _of_aks(*objects: Json) -> Verdict:
    azure, files = (
        document(managed_cluster(), "clusters.json"),
        document(kubectl(*objects), "payments.json", "payments"),
    )
    return verdict(judged(azure, files), "payments", Rung.SENSOR_RUNNING)


@pytest.mark.parametrize(
    ("taints", "left"),
    [
        ([taint("sku", "gpu")], ""),
        ([taint("sku", "gpu"), taint("spot", "", "PreferNoSchedule")], "spot:PreferNoSchedule"),
    ],
)
def test_of_a_daemon_set_that_aks_sets_back_what_lasts_is_said(taints: list[Json], left: str) -> None:
    """A patch of it would not. The node pool keeps its other taints."""
    found = _of_aks(collector(2, metadata=MANAGED), publisher(3), *nodes(2), node("gpu-1", taints=taints, **GPU))
    group, subscription = shlex.split(found.remedy or "")[6:8], shlex.split(found.remedy or "")[8:10]
    assert shlex.split(found.remedy or "") == [
        *("az", "aks", "nodepool", "update", "--cluster-name", "payments", *group, *subscription),
        *("--name", "gpu", "--node-taints", left),
    ]
    assert (group[0], subscription[0]) == ("--resource-group", "--subscription")
    assert any("AKS undoes a patch" in one and "addonmanager.kubernetes.io/mode" in one for one in found.remarks)


def test_of_a_daemon_set_that_nothing_sets_back_the_patch_stays() -> None:
    """As where Helm installed it."""
    words = _remedy(collector(2), publisher(3), *nodes(2), node("gpu-1", taints=[taint("sku", "gpu")]))
    assert words[:3] == ["kubectl", "patch", "daemonset"]


def test_a_node_selector_that_aks_sets_back_is_set_back_by_aks() -> None:
    """It has the sensor deployed anew."""
    template = {"nodeSelector": {"agentpool": "retired"}}
    found = _of_aks(collector(0, metadata=MANAGED, pod=template), publisher(), *nodes())
    assert (found.remedy or "").startswith("az aks update --enable-defender ")


EKS = "arn:aws:eks:eu-west-1:111122223333:cluster/ledger"
GKE = "gke_contoso-pay_europe-west4_ledger"


@pytest.mark.parametrize(
    ("name", "provider", "context"),
    [(EKS, "", EKS), (GKE, "", GKE), ("ledger", "aws:///eu-west-1a/i-0123", "ledger"), ("ledger", "k3s://a", "ledger")],
)
def test_a_sensor_that_is_missing_elsewhere_is_installed_by_azure_arc(name: str, provider: str, context: str) -> None:
    """The line says how, and does not ask for the file that is at hand."""
    some = [{**one, "spec": {"providerID": provider}} for one in nodes()]
    found = judged(document(kubectl(*some, daemon_set("kube-proxy", image="proxy")), "ledger.json", name))
    for rung in (Rung.SENSOR_INSTALLED, Rung.SENSOR_RUNNING):
        connect, create = (shlex.split(one) for one in (verdict(found, name, rung).remedy or "").split("\n"))
        assert connect[:5] == ["az", "connectedk8s", "connect", "--name", "ledger"]
        assert connect[-2:] == ["--kube-context", context]
        assert create[:3] == ["az", "k8s-extension", "create"]
        assert "microsoft.azuredefender.kubernetes" in create


@pytest.mark.parametrize("provider", ["azure:///subscriptions/x/resourceGroups/mc", ""])
def test_a_sensor_that_is_missing_in_a_cluster_of_azure_is_enabled(provider: str) -> None:
    """Also where no document of Azure's names the cluster: its nodes do, or its name is as Azure has it."""
    some = [{**one, "spec": {"providerID": provider}} for one in nodes()]
    found = judged(document(kubectl(*some, daemon_set("kube-proxy", image="proxy")), "payments.json", "payments"))
    remedy = verdict(found, "payments", Rung.SENSOR_INSTALLED).remedy
    assert remedy == "az aks update --enable-defender --name payments --resource-group RESOURCE_GROUP"


AFFINE = "2 node(s) didn't satisfy plugin(s) [NodeAffinity]"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            f"0/3 nodes are available: 1 Insufficient cpu, {AFFINE}. preemption: 0/3 nodes are available",
            "Insufficient cpu",
        ),
        (
            f"0/3 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, {AFFINE}.",
            "Insufficient cpu, Insufficient memory",
        ),
        ("0/1 nodes are available: 1 Too many pods.", "Too many pods"),
        ("no memory", "no memory"),
    ],
)
@pytest.mark.parametrize("is_meant", [True, False])
def test_a_pod_that_waits_says_why_and_for_which_node(message: str, said: str, is_meant: bool) -> None:
    """In the words of its own condition, without those of nodes that it is not meant for."""
    field = {"key": "metadata.name", "operator": "In", "values": ["node-2"]}
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    waiting = {
        **pod("node-2"),
        "spec": affinity(fields=[field]) if is_meant else {},
        "status": {"phase": "Pending", "conditions": [condition]},
    }
    found = running(
        collector(ready=2), publisher(), *nodes(), *pods(["node-0", "node-1"]), pod("node-2", PUBLISHER), waiting
    )
    assert found.reason.endswith(f"node node-2: pod {COLLECTOR}-node-2 is Unschedulable: {said}")


EVIL = "--server=https://example.com"


@pytest.mark.parametrize(
    "objects",
    [
        [
            collector(3, ready=0, current=0),
            publisher(),
            failed_create(f"ValidatingAdmissionPolicy '{EVIL}' with binding 'x' denied request"),
        ],
        [collector(3, ready=0, current=0), publisher(), failed_create(f"exceeded quota: {EVIL}")],
        [part(EVIL, ready=0, current=0), publisher()],
        [collector(ready=2), publisher(), pod("node-2", is_ready=False, metadata={"name": EVIL})],
        [
            collector(ready=2),
            publisher(),
            pod("node-2", waiting="CrashLoopBackOff", restarts=3, metadata={"name": EVIL}),
        ],
        [collector(ready=0, current=0, namespace=EVIL), namespace(EVIL, enforce="baseline")],
        [
            part(EVIL, 0, pod={"nodeSelector": {"agentpool": "retired"}}),
            publisher(),
        ],
    ],
)
def test_no_name_is_an_option_of_kubectl(objects: list[Json]) -> None:
    """Whoever may write an event would else have the engineer's kubectl send its token to them."""
    words = _remedy(*objects)
    assert all(words[number - 1] == "-n" for number, word in enumerate(words) if word == EVIL)
