"""Whether the sensor of a cluster runs: as many are ready as nodes can have one, else why, and the line that mends it."""

import json
import shlex
from collections.abc import Iterable

from hypothesis import given, settings

from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung
from tests.coverage import builders as az
from tests.coverage import kubernetes_builders as k8s
from tests.coverage.builders import COVERED, GAP, NOT_COVERABLE, UNKNOWN, Json, judged, kubectl, nodes, sensor, verdict
from tests.coverage.kubernetes_builders import collector, failed_create, namespace, pod, pods, publisher, running, taint
from tests.coverage.worlds import COVERABLE, ClusterWorld, cluster_worlds
from tests.examples import some_of

THREE = ("node-0", "node-1", "node-2")
OLD, WINDOWS = k8s.node_of_image("old", "Ubuntu 18.04.6 LTS", "5.3.9"), az.node("win", system="windows")
GPU = az.node("gpu", taints=[taint("sku", "gpu")])
BEARS_GPU = {"tolerations": [{"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"}]}
RETIRED = {"nodeSelector": {"agentpool": "retired"}}
PROXY = az.daemon_set("kube-proxy", image="proxy")
CRASHING = pod("node-2", waiting="CrashLoopBackOff", restarts=57)


def last(*taints: Json) -> list[Json]:
    """Three nodes, of which the last one has taints."""
    return [*nodes(2), az.node("node-2", taints=taints)]


def labelled_pods(*owners: Json) -> list[Json]:
    """Pods that have the labels of the collector's, and other owners or none."""
    return [pod(name, metadata={"labels": {"dsName": k8s.COLLECTOR}, "ownerReferences": owners}) for name in THREE]


COUNTLESS = collector(status={"numberReady": None})
NEWER = collector(metadata={"generation": 4})
GOING = {"deletionTimestamp": "2026-11-25T00:00:00Z"}

REST = [publisher(), *nodes()]
LIVE = [*sensor(), *nodes()]

TRAPS: tuple[tuple[object, str, *tuple[list[Json], ...]], ...] = (
    (COVERED, "all 3 nodes", [*LIVE], [*LIVE, *pods(THREE)]),
    (COVERED, "the one node", [*sensor(ready=1, desired=1), *nodes(1)]),
    (GAP, "ready on 2 of 3 nodes", [*sensor(ready=2), *nodes()]),
    # Zero is as many as zero.
    (GAP, "chooses none of them", [collector(0, pod=RETIRED), *REST], [collector(0), *REST]),
    (GAP, "chooses 2 of them", [collector(2), *REST]),
    # A taint keeps a DaemonSet off a node, which is then not desired; some of them pods may ignore.
    (GAP, "node gpu: it does not tolerate the taint sku=gpu:NoSchedule", [*LIVE, GPU]),
    (COVERED, "all 4 nodes", [collector(4, pod=BEARS_GPU), publisher(4, pod=BEARS_GPU), *nodes(), GPU]),
    (GAP, k8s.PUBLISHER, [collector(4, pod=BEARS_GPU), *REST, GPU]),
    (COVERED, "", [*LIVE, GPU, *pods([*THREE, "gpu"])]),
    # Collector and publisher are both needed, in one namespace.
    (GAP, "no publisher of Defender is among the DaemonSets of kube-system", [collector(), *nodes()]),
    (GAP, "no publisher", [collector(), publisher(namespace="mdc"), *nodes()]),
    (GAP, "no collector of Defender", [*REST], [publisher()]),
    (GAP, f"{k8s.PUBLISHER} in kube-system is ready on 0", [collector(), publisher(ready=0), *nodes()]),
    # The status may be old or absent; pods that are ready say more.
    (UNKNOWN, "generation 1, its specification of 4", [NEWER, *REST]),
    (COVERED, "", [collector(metadata={"generation": 4}, status={"observedGeneration": 4}), *REST]),
    (UNKNOWN, "", [collector(status={"observedGeneration": None}), *REST]),
    (UNKNOWN, "does not say on how many", [{**collector(), "status": {"observedGeneration": 1}}, *REST]),
    (COVERED, "", [NEWER, *REST, *pods(THREE)]),
    (COVERED, "", [{**collector(), "status": {}}, *REST, *pods(THREE)]),
    (GAP, "deleted", [collector(metadata=GOING), *REST]),
    # The list of nodes may not have all of them.
    (UNKNOWN, "nobody asked which nodes", sensor()),
    (GAP, "ready on 2 of the 3 nodes that it chooses", sensor(ready=2)),
    (
        UNKNOWN,
        "DaemonSet kube-proxy in kube-system is to be on 4 nodes, and the list of them has 3",
        [*sensor(), az.daemon_set("kube-proxy", image="proxy", desired=4, ready=4), *nodes()],
    ),
    (COVERED, "", [*sensor(), PROXY, *nodes()]),
    (UNKNOWN, "on 1 more than the nodes", [*sensor(), *nodes(2)]),
    (GAP, "node node-2: the node is NotReady", [*sensor(ready=2), *nodes(2), k8s.silent_node("node-2")]),
    (UNKNOWN, "NotReady", [*sensor(), *nodes(2), k8s.silent_node("node-2")]),
    # Nodes that cannot have a sensor.
    (COVERED, "not coverable: node win is a Windows node", [*LIVE, WINDOWS], [*sensor(desired=4), *nodes(), WINDOWS]),
    (COVERED, "node aci is a virtual node", [*LIVE, az.node("aci", type="virtual-kubelet")]),
    (COVERED, "Fargate", [*LIVE, k8s.labelled_node("f", {"eks.amazonaws.com/compute-type": "fargate"})]),
    (COVERED, "not coverable: node old is a node whose kernel 5.3.9", [*LIVE, OLD]),
    (COVERED, "older than 5.4", [*sensor(ready=4, desired=4), *nodes(), OLD]),
    (UNKNOWN, "does not say on which", [*sensor(desired=4), *nodes(), OLD]),
    (COVERED, "", [*sensor(desired=4), *nodes(), OLD, *pods(THREE)]),
    (GAP, "node node-2: it has no pod", [*sensor(desired=4), *nodes(), OLD, *pods(["node-0", "node-1", "old"])]),
    (GAP, "ready on 3 of 4", [*LIVE, k8s.node_of_image("new", "Nobody's Linux 1")]),
    (NOT_COVERABLE, "Windows", [*sensor(ready=0, desired=0), WINDOWS], [PROXY, WINDOWS]),
    # Pods say on which nodes it runs; those of another DaemonSet, or of a node that is gone, say nothing.
    (
        GAP,
        "node node-2: pod microsoft-defender-collector-ds-node-2 is ImagePullBackOff",
        [*sensor(ready=2), *nodes(), *pods(THREE[:2]), pod("node-2", waiting="ImagePullBackOff")],
    ),
    (GAP, "after 57 restarts", [*LIVE, CRASHING]),
    (GAP, "node node-2: it has no pod there", [*sensor(ready=2), *nodes(), *pods(THREE[:2])]),
    (GAP, "node node-2: it has no pod there", [*sensor(ready=3), *nodes(), *pods([*THREE[:2], "gone"])]),
    (UNKNOWN, "", [collector(metadata={"uid": "new", "generation": 4}), *REST, *pods(THREE, uid="old")]),
    (GAP, "is being deleted", [COUNTLESS, *REST, *pods(THREE, metadata={"deletionTimestamp": "now"})]),
    (
        UNKNOWN,
        "does not say on how many",
        [COUNTLESS, *REST, *labelled_pods({"kind": "ReplicaSet", "name": "microsoft-defender-collector-misc"})],
    ),
    (COVERED, "", [COUNTLESS, *REST, *labelled_pods()]),
    (COVERED, "", [*LIVE, pod("node-0", "shop", is_ready=False)]),
    (GAP, "ready on 2 of 3", [*sensor(ready=2), *nodes(), *pods(THREE)]),
    # One of two deployments is enough.
    (COVERED, "a sensor is in mdc, too, and is covered", [*sensor(), *sensor(namespace="mdc"), *nodes()]),
    (COVERED, "a sensor is in kube-system, too, and is gap", [*sensor(ready=0), *sensor(namespace="mdc"), *nodes()]),
    (GAP, "a sensor is in mdc, too, and is gap", [*sensor(ready=2), *sensor(namespace="mdc", ready=2), *nodes()]),
    # What explains decides nothing.
    (COVERED, "", [*LIVE, failed_create()], [collector(status={"numberMisscheduled": 2}), *REST]),
    (COVERED, "refuses pods of the sensor that are made anew", [*LIVE, namespace(enforce="restricted")]),
)
"""Clusters in which "as many are ready as are desired" may be wrong: the state, what the verdict says, and objects."""


def test_each_trap_in_what_is_ready_and_desired_is_seen(hold: az.Hold) -> None:
    """How an answer is given is said only where one is asked for. Nodes are counted by what is known of them."""
    hold(running, *TRAPS)
    answered = "give payments=payments.json"
    assert [answered in running(*some).remarks for some in (sensor(), sensor(ready=2), LIVE)] == [True, False, False]
    for objects, counts in (
        ([*sensor(ready=2), *nodes()], {COVERED: 2, GAP: 1}),
        ([collector(ready=2), publisher(ready=1), *nodes()], {COVERED: 1, GAP: 2}),
        ([collector(), *nodes()], {GAP: 3}),
        ([*sensor(ready=2), *nodes(2)], {UNKNOWN: 2}),
        ([*sensor(ready=4, desired=4), *nodes(), OLD], {COVERED: 3, NOT_COVERABLE: 1}),
        ([*sensor(), *nodes(2), k8s.silent_node("node-2")], {COVERED: 2, UNKNOWN: 1}),
        (sensor(), None),
    ):
        assert running(*objects).counts == counts, objects


@settings(max_examples=some_of(150))
@given(cluster_worlds())
def test_a_cluster_is_covered_exactly_if_its_sensor_is_ready_on_each_node_that_can_have_it(world: ClusterWorld) -> None:
    """By an oracle that knows the cluster itself, and not what is printed of it."""
    named = [az.document(value, f"{name}.json", "payments") for name, value in world.documents.items()]
    found = verdict(judged(az.managed_cluster(), *named), "payments", Rung.SENSOR_RUNNING)
    assert (found.state is COVERED) is world.is_covered, found.reason
    coverable = [kind for kind in world.kinds if kind in COVERABLE]
    if not coverable:
        assert found.state in (NOT_COVERABLE, UNKNOWN)
    elif not world.is_covered:
        assert (found.state, bool(found.remedy)) == (GAP, True)
    if found.counts:
        assert sum(found.counts.values()) == len(world.kinds)
        assert found.counts.get(COVERED, 0) >= (len(coverable) if world.is_covered else 0)


def test_two_documents_that_contradict_each_other_are_worth_the_worse_one() -> None:
    """In either order, of DaemonSets, nodes and pods. One node by its name does not say that there are no others."""
    tainted, crashing = last(taint("sku", "gpu")), [pod("node-2", waiting="CrashLoopBackOff")]
    for healthy, ill in ((sensor(), sensor(ready=1)), (nodes(), tainted), (pods(THREE), crashing)):
        for documents in ((healthy, ill), (ill, healthy)):
            found = k8s.running_in(kubectl(*LIVE), *(kubectl(*one) for one in documents))
            assert found.state is GAP
            assert any("say different things of" in remark for remark in found.remarks)
    listed = kubectl(*sensor(desired=2, ready=2), *nodes(2))
    windows, linux = kubectl(az.node("node-2", system="windows")), kubectl(az.node("node-2"))
    assert k8s.running_in(listed, windows).state is COVERED
    for both in ((windows, linux), (linux, windows)):
        assert k8s.running_in(listed, *both).state is GAP
    one = kubectl(*sensor(ready=1, desired=1))
    assert (k8s.running_in(one, nodes(1)[0]).state, k8s.running_in(one, kubectl(*nodes(1))).state) == (UNKNOWN, COVERED)


LABEL = "pod-security.kubernetes.io/enforce"
ADMIT = f"kubectl label namespace kube-system {LABEL}=privileged --overwrite {az.IN_PAYMENTS}"
NONE_MADE = [collector(ready=0, current=0), *REST]


def dark(*others: Json) -> Verdict:
    """A cluster of which no collector was made, and what else is known of it."""
    found = running(*NONE_MADE, *others)
    assert found.state is GAP
    return found


def test_pod_security_is_named_with_its_level_and_label(hold: az.Hold) -> None:
    """By the label, or by the event alone. What keeps both parts out is said once; a publisher alone is named."""
    refuses = "Pod Security refuses its pods at level"
    for event in (failed_create(), k8s.new_event()):
        hold(running, (GAP, f"{refuses} baseline", ADMIT, [*NONE_MADE, event]))
        for level in ("baseline", "restricted"):
            both = [*NONE_MADE, event, namespace(enforce=level)]
            hold(running, (GAP, f"{refuses} baseline, by the label {LABEL}={level}", ADMIT, both))
            fields = {one.field for one in running(*both).evidence}
            assert {"message", "note"} & fields and f"metadata.labels[{LABEL}]" in fields
    labelled = [*NONE_MADE, namespace(enforce="restricted")]
    by_label = f"at level restricted, by the label {LABEL}=restricted of the namespace kube-system"
    hold(running, (GAP, by_label, ADMIT, labelled))
    assert running(*labelled).counts == {GAP: 3}
    of_both = running(
        collector(ready=0, current=0), publisher(ready=1, current=1), *nodes(), namespace(enforce="baseline")
    )
    assert of_both.reason.count("Pod Security") == 1
    assert of_both.reason.endswith(
        f"{k8s.PUBLISHER} in kube-system is ready on 1 of 3 nodes that can have it, for the same reason"
    )
    of_one = running(collector(), publisher(ready=0, current=0), *nodes(), failed_create(owner=k8s.PUBLISHER))
    assert f"{k8s.PUBLISHER} in kube-system is ready on 0 of 3 nodes that can have it: Pod Security" in of_one.reason
    assert (of_one.state, k8s.COLLECTOR in of_one.reason) == (GAP, False)


def test_what_does_not_block_is_not_the_reason() -> None:
    """To warn and to audit refuse nothing; nor do other namespaces, objects and uids, or where pods are there."""
    of_set = {"kind": "ReplicaSet", "name": k8s.COLLECTOR, "namespace": "kube-system"}
    for other in (
        *(namespace(warn="restricted", audit="restricted"), namespace(enforce="privileged", warn="baseline")),
        namespace(enforce_version="latest"),
        namespace("mdc", enforce="restricted"),
        failed_create(owner="kube-proxy"),
        *(failed_create(namespace="mdc"), {**failed_create(), "reason": "FailedPlacement"}),
        {**failed_create(), "involvedObject": of_set},
    ):
        assert dark(other).reason == dark().reason
        assert "Pod Security" not in dark(other).reason
    for uid, is_reason in (("new", True), (None, True), ("old", False)):
        objects = [collector(ready=0, current=0, metadata={"uid": "new"}), *NONE_MADE[1:], failed_create(uid=uid)]
        assert ("Pod Security" in running(*objects).reason) is is_reason
    there = running(collector(ready=0), *REST, namespace(enforce="baseline"), failed_create())
    assert (there.state, "Pod Security" in there.reason) == (GAP, False)


def test_the_clusters_own_words_say_why_no_pod_is_made_or_ready() -> None:
    """As the latest event has them, or the condition of a pod that waits; of a pod that is there they are evidence."""
    describe = f"kubectl describe daemonset {k8s.COLLECTOR} -n kube-system {az.IN_PAYMENTS}"
    denied = 'admission webhook "validation.gatekeeper.sh" denied the request: [no-host-path] hostPath is forbidden'
    for message, said in ((denied, denied), ("", ""), ("x" * 301, f"{'x' * 300}…")):
        found = dark(failed_create(message))
        assert (found.reason.endswith(f': its pods cannot be made ("{said}")'), found.remedy) == (True, describe)
    early, late = failed_create(time="2026-11-24T08:00:00Z"), failed_create("late", time="2026-11-24T09:00:00Z")
    assert '"late"' in dark(early, late).reason and '"late"' in dark(late, early).reason
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no memory"}
    states = [{"waiting": {"reason": "ErrImagePull", "message": "no memory"}}, {"terminated": {"reason": "OOMKilled"}}]
    pulled, killed = ([{"name": "main", "ready": False, "restartCount": 3, "state": state}] for state in states)
    for trouble, status in (
        ("Unschedulable", {"phase": "Pending", "conditions": [unscheduled]}),
        ("ErrImagePull", {"conditions": [{"type": "Ready", "status": "False"}], "containerStatuses": pulled}),
        ("ErrImagePull", {"initContainerStatuses": pulled}),
        ("OOMKilled after 3 restarts", {"phase": "Running", "containerStatuses": killed}),
        ("Evicted", {"phase": "Failed", "reason": "Evicted", "message": "no memory"}),
    ):
        found = running(collector(ready=2), *REST, {**pod("node-2"), "status": status})
        assert f"pod {k8s.COLLECTOR}-node-2 is {trouble}" in found.reason, found.reason
        assert any("no memory" in one.value for one in found.evidence) or trouble.startswith("OOM")
    message = "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]."
    field = {"key": "metadata.name", "operator": "In", "values": ["node-2"]}
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    for spec in (k8s.affinity(fields=[field]), {}):
        waiting = {**pod("node-2"), "spec": spec, "status": {"phase": "Pending", "conditions": [condition]}}
        others = [*pods(["node-0", "node-1"]), pod("node-2", k8s.PUBLISHER)]
        found = running(collector(ready=2), *REST, *others, waiting)
        assert found.reason.endswith(f"node node-2: pod {k8s.COLLECTOR}-node-2 is Unschedulable: {message}")


def remedy(*objects: Json) -> list[str]:
    """The words of the line that mends a cluster."""
    *words, option, context = shlex.split(running(*objects).remedy or "")
    assert (option, context) == ("--context", "payments")
    return words


def test_a_patch_is_proposed_where_nothing_sets_it_back() -> None:
    """As where Helm installed it. What AKS sets back AKS mends; what keeps it off nodes where it cannot run is not removed."""
    gpu = [*nodes(2), az.node("gpu-1", taints=[taint("sku", "gpu")])]
    value = {"key": "sku", "effect": "NoSchedule", "operator": "Exists"}
    for template, end, added in (({}, "", [value]), ({"tolerations": []}, "/-", value)):
        words = remedy(collector(2, pod=template), publisher(3), *gpu)
        assert words[:4] == ["kubectl", "patch", "daemonset", k8s.COLLECTOR]
        path = f"/spec/template/spec/tolerations{end}"
        assert json.loads(words[-1]) == [{"op": "add", "path": path, "value": added}]
    managed = {"labels": {"addonmanager.kubernetes.io/mode": "Reconcile"}}

    def of_aks(objects: Iterable[Json]) -> Verdict:
        files = az.document(kubectl(*objects), "payments.json", "payments")
        return az.known(az.managed_cluster(), files, of="payments", on=Rung.SENSOR_RUNNING)

    found = of_aks([collector(2, metadata=managed), publisher(3), *gpu])
    assert found.remedy == f"kubectl describe node gpu-1 {az.IN_PAYMENTS}"
    assert any("AKS undoes a patch" in one and "addonmanager.kubernetes.io/mode" in one for one in found.remarks)
    anew = of_aks([collector(0, metadata=managed, pod=RETIRED), *REST])
    assert (anew.remedy or "").startswith("az aks update --enable-defender ")
    real = k8s.affinity({"key": "type", "operator": "In", "values": ["real"]})
    for off in ({"nodeSelector": {"kubernetes.io/arch": "amd64"}}, RETIRED, {"nodeName": "another"}, real):
        words = remedy(collector(0, pod=off), *REST)
        assert words == ["kubectl", "edit", "daemonset", k8s.COLLECTOR, "-n", "kube-system"]


def test_no_name_is_a_command_or_an_option_of_kubectl() -> None:
    """Whoever may name an object would else have the engineer's shell run it, or kubectl send its token to them."""
    evil = "kube-system; rm -rf ~"
    objects = [collector(ready=0, current=0, namespace=evil), publisher(namespace=evil), *nodes()]
    found = running(*objects, failed_create(namespace=evil))
    assert found.remedy == f"kubectl label namespace '{evil}' {LABEL}=privileged --overwrite {az.IN_PAYMENTS}"
    option = "--server=https://example.com"
    ill = [collector(ready=2), publisher()]
    for some in (
        [k8s.part(option, ready=0, current=0), publisher()],
        [*ill, pod("node-2", is_ready=False, metadata={"name": option})],
        [*ill, pod("node-2", waiting="CrashLoopBackOff", restarts=3, metadata={"name": option})],
        [collector(ready=0, current=0, namespace=option), namespace(option, enforce="baseline")],
        [k8s.part(option, 0, pod=RETIRED), publisher()],
    ):
        words = remedy(*some, *nodes())
        assert all(words[number - 1] == "-n" for number, word in enumerate(words) if word == option)
