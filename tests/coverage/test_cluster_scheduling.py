"""Which nodes a DaemonSet chooses, and which of them can have a sensor at all."""

from __future__ import annotations

import pytest

from router.coverage.kubernetes.nodes import Node, find_obstacle, find_uncoverable, read_node
from router.coverage.readers.kubernetes import KubernetesFact, facts_in
from tests.coverage.builders import Json, document, node
from tests.coverage.kubernetes_builders import (
    affinity,
    affinity_of,
    labelled_node,
    node_of_image,
    taint,
)

LABELS = {"kubernetes.io/os": "linux", "agentpool": "apps", "cores": "8"}


def _asks(key: str, operator: str, *values: str) -> Json:
    return {"key": key, "operator": operator, "values": list(values)}


def _term(key: str, value: str) -> Json:
    return {"matchExpressions": [_asks(key, "In", value)]}


def _tolerates(**fields: str) -> Json:
    return {"tolerations": [fields]}


@pytest.mark.parametrize(
    ("template", "is_chosen"),
    [
        ({}, True),
        ({"nodeSelector": {"agentpool": "apps"}}, True),
        ({"nodeSelector": {"agentpool": "apps", "cores": "4"}}, False),
        ({"nodeName": "node"}, True),
        ({"nodeName": "another"}, False),
        (affinity(_asks("agentpool", "In", "apps", "system")), True),
        (affinity(_asks("agentpool", "In", "system")), False),
        (affinity(_asks("agentpool", "NotIn", "system")), True),
        (affinity(_asks("agentpool", "NotIn", "apps")), False),
        (affinity(_asks("absent", "NotIn", "apps")), True),
        (affinity(_asks("agentpool", "Exists")), True),
        (affinity(_asks("absent", "Exists")), False),
        (affinity(_asks("absent", "DoesNotExist")), True),
        (affinity(_asks("agentpool", "DoesNotExist")), False),
        (affinity(_asks("cores", "Gt", "7")), True),
        (affinity(_asks("cores", "Gt", "8")), False),
        (affinity(_asks("cores", "Lt", "9")), True),
        (affinity(_asks("cores", "Lt", "8")), False),
        (affinity(_asks("agentpool", "Gt", "1")), False),
        (affinity(_asks("agentpool", "In", "apps"), _asks("cores", "In", "4")), False),
        (affinity(fields=[_asks("metadata.name", "In", "node")]), True),
        (affinity(fields=[_asks("metadata.name", "In", "another")]), False),
        (affinity_of([_term("cores", "4"), _term("cores", "8")]), True),
        (affinity_of([_term("cores", "4"), _term("cores", "2")]), False),
        (affinity_of([]), False),
        (affinity_of([{}]), False),
        ({"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}}, True),
    ],
)
def test_a_daemon_set_chooses_nodes_by_their_labels(template: Json, is_chosen: bool) -> None:
    """As Kubernetes does: terms are alternatives, what stands in a term is not, and an empty term fits nothing."""
    obstacle = find_obstacle(_node(labelled_node("node", LABELS)), template)
    assert (obstacle is None) is is_chosen


@pytest.mark.parametrize(
    ("taints", "template", "is_chosen"),
    [
        ([taint("sku", "gpu")], {}, False),
        ([taint("sku", "gpu", "NoExecute")], {}, False),
        ([taint("sku", "gpu", "PreferNoSchedule")], {}, True),
        ([taint("sku", "gpu")], _tolerates(key="sku", value="gpu"), True),
        ([taint("sku", "gpu")], _tolerates(key="sku", operator="Equal", value="cpu"), False),
        ([taint("sku", "gpu")], _tolerates(key="sku", operator="Exists"), True),
        ([taint("sku", "gpu")], _tolerates(operator="Exists"), True),
        ([taint("sku", "gpu")], _tolerates(operator="Exists", effect="NoExecute"), False),
        ([taint("sku", "gpu", "NoExecute")], _tolerates(operator="Exists", effect="NoExecute"), True),
        ([taint("sku", "gpu"), taint("team", "red")], _tolerates(key="sku", operator="Exists"), False),
        *(
            ([taint(f"node.kubernetes.io/{name}")], {}, True)
            for name in (
                *("not-ready", "unreachable", "disk-pressure", "memory-pressure", "pid-pressure"),
                *("unschedulable", "network-unavailable"),
            )
        ),
        ([taint("node.kubernetes.io/out-of-service")], {}, False),
    ],
)
def test_a_taint_keeps_pods_off_that_do_not_tolerate_it(taints: list[Json], template: Json, is_chosen: bool) -> None:
    """Beside its own tolerations a DaemonSet has those that its controller adds."""
    obstacle = find_obstacle(_node(node("node", taints=taints)), template)
    assert (obstacle is None) is is_chosen
    if obstacle is not None:
        assert obstacle.taint is not None


@pytest.mark.parametrize(
    ("image", "kernel", "is_coverable"),
    [
        ("Ubuntu 22.04.5 LTS", "5.15.0-1091-azure", True),
        ("Ubuntu 24.04.1 LTS", "6.8.0-1021-azure", True),
        ("Ubuntu 16.04.7 LTS", "5.4.0", True),
        ("Ubuntu 14.04.6 LTS", "5.4.0", False),
        ("Ubuntu 20.04", "5.3.18", False),
        ("Ubuntu 20.04", "5.10.1", True),
        ("Ubuntu 20.04", "10.0", True),
        ("CBL-Mariner/Linux", "5.15.186", True),
        ("Microsoft Azure Linux 3.0", "6.6.92", True),
        ("Debian GNU/Linux 9 (stretch)", "5.4.0", False),
        ("Debian GNU/Linux 11 (bullseye)", "5.10.0", True),
        ("Red Hat Enterprise Linux 8.10 (Ootpa)", "5.4.1", True),
        ("Red Hat Enterprise Linux 7.9", "5.4.1", False),
        ("Red Hat Enterprise Linux CoreOS 416.94", "5.14.0", True),
        ("Bottlerocket OS 1.20.3 (aws-k8s-1.29)", "6.1.92", True),
        ("Container-Optimized OS from Google", "6.1.90", True),
        ("Flatcar Container Linux by Kinvolk 3815.2.5", "6.1.96", False),
        ("SUSE Linux Enterprise Server 15 SP5", "5.14.21", False),
        ("A Linux of tomorrow", "7.0", True),
        ("", "", True),
    ],
)
def test_a_node_that_is_not_known_to_be_unsupported_is_to_have_a_sensor(
    image: str, kernel: str, is_coverable: bool
) -> None:
    """What no list names must not pass unseen: what is not coverable fails no gate."""
    assert (find_uncoverable(_node(node_of_image("node", image, kernel))) is None) is is_coverable


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (node("win", system="windows"), "a Windows node"),
        (labelled_node("win", {"kubernetes.io/os": "windows"}), "a Windows node"),
        (labelled_node("aci", {"type": "virtual-kubelet"}), "a virtual node"),
        (node("aci", taints=[taint("virtual-kubelet.io/provider", "azure")]), "a virtual node"),
        (labelled_node("fargate", {"eks.amazonaws.com/compute-type": "fargate"}), "a Fargate node"),
        (labelled_node("ec2", {"eks.amazonaws.com/compute-type": "ec2"}), None),
        (node("gk3-shop-pool-1"), "a node of GKE Autopilot"),
        (node("gke-shop-pool-1"), None),
        ({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "bare"}}, None),
    ],
)
def test_no_sensor_can_be_on_some_nodes(body: Json, reason: str | None) -> None:
    """By design, and not because something went wrong."""
    found = find_uncoverable(_node(body))
    assert (found and found.reason) == reason


def _node(body: Json) -> Node:
    (item,) = document(body).items
    (fact,) = facts_in(item)
    assert isinstance(fact, KubernetesFact)
    return read_node(fact)
