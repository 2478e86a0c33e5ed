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


@pytest.mark.parametrize(
    "template",
    [
        {"nodeSelector": {"kubernetes.io/arch": "amd64"}},
        {"nodeSelector": {"agentpool": "retired"}},
        {"nodeName": "another"},
        affinity({"key": "type", "operator": "In", "values": ["real"]}),
    ],
)
def test_what_keeps_it_off_nodes_on_which_it_cannot_run_is_not_removed(template: Json) -> None:
    """An affinity names virtual nodes, too, and no image runs on another processor: a person decides, and has it opened."""
    words = _remedy(collector(0, pod=template), publisher())
    assert words == ["kubectl", "edit", "daemonset", COLLECTOR, "-n", "kube-system"]


MANAGED = {"labels": {"addonmanager.kubernetes.io/mode": "Reconcile"}}


def _of_aks(*objects: Json) -> Verdict:
    azure, files = (
        document(managed_cluster(), "clusters.json"),
        document(kubectl(*objects), "payments.json", "payments"),
    )
    return verdict(judged(azure, files), "payments", Rung.SENSOR_RUNNING)


def test_of_a_daemon_set_that_aks_sets_back_no_patch_is_proposed() -> None:
    """It would not last."""
    found = _of_aks(
        collector(2, metadata=MANAGED), publisher(3), *nodes(2), node("gpu-1", taints=[taint("sku", "gpu")])
    )
    assert found.remedy == "kubectl describe node gpu-1 --context payments"
    assert any("AKS undoes a patch" in one and "addonmanager.kubernetes.io/mode" in one for one in found.remarks)


def test_of_a_daemon_set_that_nothing_sets_back_the_patch_stays() -> None:
    """As where Helm installed it; tolerations that are there stay."""
    value = {"key": "sku", "effect": "NoSchedule", "operator": "Exists"}
    for template, end, added in (({}, "", [value]), ({"tolerations": []}, "/-", value)):
        words = _remedy(
            collector(2, pod=template), publisher(3), *nodes(2), node("gpu-1", taints=[taint("sku", "gpu")])
        )
        assert words[:4] == ["kubectl", "patch", "daemonset", COLLECTOR]
        path = f"/spec/template/spec/tolerations{end}"
        assert json.loads(words[-1]) == [{"op": "add", "path": path, "value": added}]


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


@pytest.mark.parametrize("is_meant", [True, False])
def test_a_pod_that_waits_says_why_and_for_which_node(is_meant: bool) -> None:
    """In the words of its own condition."""
    message = "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]."
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
    assert found.reason.endswith(f"node node-2: pod {COLLECTOR}-node-2 is Unschedulable: {message}")


EVIL = "--server=https://example.com"


@pytest.mark.parametrize(
    "objects",
    [
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
    """Whoever may name an object would else have the engineer's kubectl send its token to them."""
    words = _remedy(*objects)
    assert all(words[number - 1] == "-n" for number, word in enumerate(words) if word == EVIL)
