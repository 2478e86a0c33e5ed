"""Clusters in which "as many are ready as are desired" is wrong, each with its other side."""

from __future__ import annotations

from dataclasses import dataclass

from router.coverage.verdicts import CoverageState
from tests.coverage.builders import Json, daemon_set, node, nodes, sensor
from tests.coverage.kubernetes_builders import (
    COLLECTOR,
    PUBLISHER,
    collector,
    failed_create,
    labelled_node,
    namespace,
    node_of_image,
    pod,
    pods,
    publisher,
    silent_node,
    taint,
)

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN
NOT_COVERABLE = CoverageState.NOT_COVERABLE
THREE = ("node-0", "node-1", "node-2")


@dataclass(frozen=True, slots=True)
class Trap:
    """Objects of a cluster, and what is known of it.

    Attributes:
        title: what it is about.
        objects: the objects.
        state: whether the sensor runs.
        said: what the verdict must say, in its reason or a remark.
    """

    title: str
    objects: list[Json]
    state: CoverageState
    said: str = ""


OLD = node_of_image("old", "Ubuntu 18.04.6 LTS", "5.3.9")
GPU = node("gpu", taints=[taint("sku", "gpu")])
BEARS_GPU = {"tolerations": [{"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"}]}
RETIRED = {"nodeSelector": {"agentpool": "retired"}}

DEPLOYED, ORPHANS = (
    [pod(name, metadata={"labels": {"dsName": COLLECTOR}, "ownerReferences": owners}) for name in THREE]
    for owners in ([{"kind": "ReplicaSet", "name": "microsoft-defender-collector-misc-5d4"}], [])
)

TRAPS = [
    Trap("ready on every node", [*sensor(), *nodes()], COVERED, "all 3 nodes"),
    Trap("on one node", [*sensor(ready=1, desired=1), *nodes(1)], COVERED, "the one node"),
    Trap("ready on one fewer", [*sensor(ready=2), *nodes()], GAP, "ready on 2 of 3 nodes"),
    # Zero is as many as zero.
    Trap("wants no node", [collector(0, pod=RETIRED), publisher(), *nodes()], GAP, "chooses none of them"),
    Trap("wants no node, for no reason", [collector(0), publisher(), *nodes()], GAP, "chooses none of them"),
    Trap("wants fewer nodes", [collector(2), publisher(), *nodes()], GAP, "chooses 2 of them"),
    # A taint keeps a DaemonSet off a node, which is then not desired.
    Trap("taint", [*sensor(), *nodes(), GPU], GAP, "node gpu: it does not tolerate the taint sku=gpu:NoSchedule"),
    Trap(
        "toleration", [collector(4, pod=BEARS_GPU), publisher(4, pod=BEARS_GPU), *nodes(), GPU], COVERED, "all 4 nodes"
    ),
    Trap("only one part tolerates", [collector(4, pod=BEARS_GPU), publisher(), *nodes(), GPU], GAP, PUBLISHER),
    Trap(
        "a taint that pods may ignore",
        [*sensor(), *nodes(2), node("node-2", taints=[taint("a", "", "PreferNoSchedule")])],
        COVERED,
    ),
    Trap(
        "cordoned", [*sensor(), *nodes(2), node("node-2", taints=[taint("node.kubernetes.io/unschedulable")])], COVERED
    ),
    Trap(
        "out of service",
        [*sensor(desired=2, ready=2), *nodes(2), node("node-2", taints=[taint("out-of-service")])],
        GAP,
    ),
    # Collector and publisher.
    Trap(
        "no publisher", [collector(), *nodes()], GAP, "no publisher of Defender is among the DaemonSets of kube-system"
    ),
    Trap("no collector", [publisher(), *nodes()], GAP, "no collector of Defender"),
    Trap("no collector, and nobody asked for the nodes", [publisher()], GAP, "no collector of Defender"),
    Trap(
        "blocked publisher",
        [collector(), publisher(ready=0), *nodes()],
        GAP,
        f"{PUBLISHER} in kube-system is ready on 0",
    ),
    Trap("parts in two namespaces", [collector(), publisher(namespace="mdc"), *nodes()], GAP, "no publisher"),
    Trap("anti-malware is off", [*sensor(), *nodes()], COVERED),
    # The status.
    Trap(
        "stale",
        [collector(metadata={"generation": 4}), publisher(), *nodes()],
        UNKNOWN,
        "generation 1, its specification of 4",
    ),
    Trap(
        "not stale",
        [collector(metadata={"generation": 4}, status={"observedGeneration": 4}), publisher(), *nodes()],
        COVERED,
    ),
    Trap("never observed", [collector(status={"observedGeneration": None}), publisher(), *nodes()], UNKNOWN),
    Trap(
        "stale, and its pods are ready",
        [collector(metadata={"generation": 4}), publisher(), *nodes(), *pods(THREE)],
        COVERED,
    ),
    Trap(
        "no status",
        [{**collector(), "status": {"observedGeneration": 1}}, publisher(), *nodes()],
        UNKNOWN,
        "does not say on how many",
    ),
    Trap(
        "no status, and its pods are ready",
        [{**collector(), "status": {}}, publisher(), *nodes(), *pods(THREE)],
        COVERED,
    ),
    Trap(
        "being deleted",
        [collector(metadata={"deletionTimestamp": "2026-11-25T00:00:00Z"}), publisher(), *nodes()],
        GAP,
        "deleted",
    ),
    # The list of nodes.
    Trap("nobody asked for the nodes", sensor(), UNKNOWN, "nobody asked which nodes"),
    Trap(
        "not ready, and nobody asked for the nodes", sensor(ready=2), GAP, "ready on 2 of the 3 nodes that it chooses"
    ),
    Trap(
        "another one is on more nodes than were given",
        [*sensor(), daemon_set("kube-proxy", image="proxy", desired=4, ready=4), *nodes()],
        UNKNOWN,
        "DaemonSet kube-proxy in kube-system is to be on 4 nodes, and the list of them has 3",
    ),
    Trap(
        "another one is on as many", [*sensor(), daemon_set("kube-proxy", image="proxy", desired=3), *nodes()], COVERED
    ),
    Trap("more are wanted than there are nodes", [*sensor(), *nodes(2)], UNKNOWN, "on 1 more than the nodes"),
    Trap(
        "a node is silent, and no pod is ready there",
        [*sensor(ready=2), *nodes(2), silent_node("node-2")],
        GAP,
        "node node-2: the node is NotReady",
    ),
    Trap(
        "a node is silent, and a pod is said to be ready there",
        [*sensor(), *nodes(2), silent_node("node-2")],
        UNKNOWN,
        "NotReady",
    ),
    # Nodes that cannot have a sensor.
    Trap(
        "Windows",
        [*sensor(), *nodes(), node("win", system="windows")],
        COVERED,
        "not coverable: node win is a Windows node",
    ),
    Trap(
        "Windows, chosen all the same", [*sensor(ready=3, desired=4), *nodes(), node("win", system="windows")], COVERED
    ),
    Trap("virtual", [*sensor(), *nodes(), node("aci", type="virtual-kubelet")], COVERED, "node aci is a virtual node"),
    Trap(
        "virtual by its taint",
        [*sensor(), *nodes(), node("aci", taints=[taint("virtual-kubelet.io/provider", "azure")])],
        COVERED,
    ),
    Trap(
        "Fargate",
        [*sensor(), *nodes(), labelled_node("f", {"eks.amazonaws.com/compute-type": "fargate"})],
        COVERED,
        "Fargate",
    ),
    Trap("old kernel", [*sensor(), *nodes(), OLD], COVERED, "not coverable: node old is a node whose kernel 5.3.9"),
    Trap(
        "ready on one fewer than it chooses, and one is old",
        [*sensor(desired=4), *nodes(), OLD],
        UNKNOWN,
        "does not say on which",
    ),
    Trap("the old one lacks it", [*sensor(desired=4), *nodes(), OLD, *pods(THREE)], COVERED),
    Trap(
        "another one lacks it",
        [*sensor(desired=4), *nodes(), OLD, *pods(["node-0", "node-1", "old"])],
        GAP,
        "node node-2: it has no pod",
    ),
    Trap("ready on the old one, too", [*sensor(ready=4, desired=4), *nodes(), OLD], COVERED, "older than 5.4"),
    Trap("unknown system", [*sensor(), *nodes(), node_of_image("new", "Nobody's Linux 1")], GAP, "ready on 3 of 4"),
    Trap("Windows alone", [*sensor(ready=0, desired=0), node("win", system="windows")], NOT_COVERABLE, "Windows"),
    Trap(
        "Windows alone, and no sensor",
        [daemon_set("kube-proxy", image="proxy"), node("win", system="windows")],
        NOT_COVERABLE,
    ),
    # Pods.
    Trap("every pod is ready", [*sensor(), *nodes(), *pods(THREE)], COVERED),
    Trap(
        "a pod is not ready",
        [*sensor(ready=2), *nodes(), *pods(THREE[:2]), pod("node-2", waiting="ImagePullBackOff")],
        GAP,
        "node node-2: pod microsoft-defender-collector-ds-node-2 is ImagePullBackOff",
    ),
    Trap(
        "a pod crashes, and the status does not say it yet",
        [*sensor(), *nodes(), pod("node-2", waiting="CrashLoopBackOff", restarts=57)],
        GAP,
        "after 57 restarts",
    ),
    Trap("a node has no pod", [*sensor(ready=2), *nodes(), *pods(THREE[:2])], GAP, "node node-2: it has no pod there"),
    Trap(
        "a pod is on a node that is gone",
        [*sensor(ready=3), *nodes(), *pods([*THREE[:2], "gone"])],
        GAP,
        "node node-2: it has no pod there",
    ),
    Trap(
        "a pod of a DaemonSet that was deleted",
        [collector(metadata={"uid": "new", "generation": 4}), publisher(), *nodes(), *pods(THREE, uid="old")],
        UNKNOWN,
    ),
    Trap(
        "a pod that is being deleted",
        [
            collector(status={"numberReady": None}),
            publisher(),
            *nodes(),
            *pods(THREE, metadata={"deletionTimestamp": "now"}),
        ],
        GAP,
        "is being deleted",
    ),
    Trap(
        "pods of a Deployment have the same labels",
        [collector(status={"numberReady": None}), publisher(), *nodes(), *DEPLOYED],
        UNKNOWN,
        "does not say on how many",
    ),
    Trap(
        "pods that nothing owns have the same labels",
        [collector(status={"numberReady": None}), publisher(), *nodes(), *ORPHANS],
        COVERED,
    ),
    Trap("pods of others say nothing", [*sensor(), *nodes(), pod("node-0", "shop", is_ready=False)], COVERED),
    Trap(
        "pods are ready where the status counts fewer",
        [*sensor(ready=2), *nodes(), *pods(THREE)],
        GAP,
        "ready on 2 of 3",
    ),
    Trap("a taint came after the pods", [*sensor(), *nodes(), GPU, *pods([*THREE, "gpu"])], COVERED),
    # Two deployments.
    Trap(
        "two sensors",
        [*sensor(), *sensor(namespace="mdc"), *nodes()],
        COVERED,
        "a sensor is in mdc, too, and is covered",
    ),
    Trap(
        "one of two runs",
        [*sensor(ready=0), *sensor(namespace="mdc"), *nodes()],
        COVERED,
        "a sensor is in kube-system, too, and is gap",
    ),
    Trap("none of two runs", [*sensor(ready=2), *sensor(namespace="mdc", ready=2), *nodes()], GAP, "too, and is gap"),
    # What explains decides nothing.
    Trap("an old event", [*sensor(), *nodes(), failed_create()], COVERED),
    Trap(
        "a level that refuses",
        [*sensor(), *nodes(), namespace(enforce="restricted")],
        COVERED,
        "refuses pods of the sensor that are made anew",
    ),
    Trap(
        "misscheduled",
        [collector(status={"numberMisscheduled": 2}), publisher(), *nodes()],
        COVERED,
    ),
]
