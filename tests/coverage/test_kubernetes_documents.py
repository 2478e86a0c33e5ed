"""What kubectl, the API server and shells make of answers of a cluster; which nodes can have a sensor; lines for kubectl."""

import json
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.documents import read_document
from router.coverage.kubernetes.commands import ASK_CLUSTER, ASK_CONSTRAINTS, UNNAMED, at_cluster
from router.coverage.kubernetes.nodes import Node, find_obstacle, find_uncoverable, read_node
from router.coverage.readers.kubernetes import KubernetesFact, facts_in
from router.coverage.remedies import command_line
from router.coverage.verdicts import Verdict, Workload, gap, unknown
from router.domain.coverage import Rung, WorkloadKind
from router.domain.errors import BadFile
from tests.coverage import builders as az
from tests.coverage.kubernetes_builders import affinity, affinity_of, labelled_node, node_of_image, taint
from tests.examples import some_of


def _runs(*texts: str | bytes) -> Verdict:
    data = [text if isinstance(text, bytes) else text.encode() for text in texts]
    documents = [read_document(one, f"{number}.json", "payments") for number, one in enumerate(data)]
    return az.verdict(az.judged(*documents), "payments", Rung.SENSOR_RUNNING)


def _typed(kind: str, *items: az.Json, **metadata: object) -> str:
    """A list of one kind, as `kubectl get --raw` answers it: its items do not say their kind."""
    plain = [{key: value for key, value in one.items() if key not in ("kind", "apiVersion")} for one in items]
    version = "apps/v1" if kind == "DaemonSetList" else "v1"
    return json.dumps({"apiVersion": version, "kind": kind, "metadata": metadata, "items": plain})


SENSOR, NODES = json.dumps(az.kubectl(*az.sensor())), json.dumps(az.kubectl(*az.nodes()))


def test_a_document_of_another_shape_is_refused_in_one_sentence(subtests: pytest.Subtests) -> None:
    """A table, what was cut off, what is nearly JSON: it names the file and the command that prints what is read."""
    request = {"method": "GET", "uri": "https://management.azure.com/subscriptions"}
    no_json, recording = "(is no JSON at line 1|holds several answers)", "is a recording or a batch of requests"
    for text, said in {
        **dict.fromkeys(("NAME READY", '{"a": 1', "1,2", "[1 2]"), no_json),
        "": "is empty",
        f"{SENSOR}\n{NODES}": "holds several answers; write each to a file of its own",
        '{"data": {"columns": [{"name": "id"}], "rows": [["x"]]}}': "is a table of Resource Graph; ask with `az graph query",
        '{"responses": {"200": {"body": {"value": []}}}}': f"{recording}; ask .* with `az rest ",
        '{"responses": [{"httpStatusCode": 403, "content": {}}]}': recording,
        json.dumps([{"request": request, "response": {"body": {}}}]): recording,
        json.dumps([{**request, "body": {"value": []}}]): recording,
    }.items():
        with subtests.test(text=text), pytest.raises(BadFile, match=f"^answer.json: {said}[^\n]*$"):
            read_document(text.encode(), "answer.json")


def test_answers_are_read_however_they_are_written() -> None:
    """Lists of one kind, whose items take their kind from it, pages, null; Windows PowerShell puts a mark before them."""
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le"):
        mark = "\ufeff" if encoding == "utf-16-le" else ""
        assert _runs((mark + SENSOR).encode(encoding), (mark + NODES).encode(encoding)).state is az.COVERED
    assert _runs(_typed("DaemonSetList", *az.sensor()), _typed("NodeList", *az.nodes())).state is az.COVERED
    assert _runs(_typed("DaemonSetList", az.daemon_set("x", image="x")), NODES).state is az.GAP
    empty = '{"apiVersion": "apps/v1", "kind": "DaemonSetList", "metadata": {}, "items": %s}'
    assert {_runs(empty % items, NODES).state for items in ("[]", "null")} == {az.GAP}
    for name, value, state in (
        ("continue", "eyJ2", az.UNKNOWN),
        ("remainingItemCount", 7, az.UNKNOWN),
        ("remainingItemCount", 0, az.COVERED),
    ):
        assert _runs(SENSOR, _typed("NodeList", *az.nodes(), **{name: value})).state is state


def _asks(said: str) -> az.Json:
    key, operator, *values = said.split()
    return {"key": key, "operator": operator, "values": values}


def _read(body: az.Json) -> Node:
    (item,) = az.document(body).items
    (fact,) = facts_in(item)
    assert isinstance(fact, KubernetesFact)
    return read_node(fact)


def test_a_daemon_set_chooses_nodes_by_their_labels(subtests: pytest.Subtests) -> None:
    """As Kubernetes does: terms are alternatives, what stands in a term is not, and an empty term fits nothing."""
    found = _read(labelled_node("node", {"kubernetes.io/os": "linux", "agentpool": "apps", "cores": "8"}))
    preferred: az.Json = {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}}
    fits = ["agentpool In apps system", "agentpool NotIn system", "agentpool Exists", "cores Gt 7", "cores Lt 9"]
    fits += ["absent NotIn apps", "absent DoesNotExist"]
    misses = ["agentpool In system", "agentpool NotIn apps", "agentpool DoesNotExist", "agentpool Gt 1"]
    misses += ["cores Gt 8", "cores Lt 8", "absent Exists"]
    four, two, eight = ({"matchExpressions": [_asks(f"cores In {many}")]} for many in (4, 2, 8))
    chosen: list[az.Json] = [{}, {"nodeSelector": {"agentpool": "apps"}}, {"nodeName": "node"}, preferred]
    chosen += [*(affinity(_asks(one)) for one in fits), affinity(fields=[_asks("metadata.name In node")])]
    chosen += [affinity_of([four, eight])]
    left_out: list[az.Json] = [{"nodeSelector": {"agentpool": "apps", "cores": "4"}}, {"nodeName": "another"}]
    left_out += [*(affinity(_asks(one)) for one in misses), affinity(fields=[_asks("metadata.name In another")])]
    left_out += [affinity(_asks("agentpool In apps"), _asks("cores In 4"))]
    left_out += [affinity_of([four, two]), affinity_of([]), affinity_of([{}])]
    for templates, is_chosen in ((chosen, True), (left_out, False)):
        for template in templates:
            with subtests.test(template=template):
                assert (find_obstacle(found, template) is None) is is_chosen


def test_a_taint_keeps_pods_off_that_do_not_tolerate_it(subtests: pytest.Subtests) -> None:
    """Beside its own tolerations a DaemonSet has those that its controller adds."""

    def bears(**fields: str) -> az.Json:
        return {"tolerations": [fields]}

    gpu, evicting = taint("sku", "gpu"), taint("sku", "gpu", "NoExecute")
    pressures = ("disk-pressure", "memory-pressure", "pid-pressure")
    added = ("not-ready", "unreachable", *pressures, "unschedulable", "network-unavailable")
    cases: list[tuple[bool, *tuple[tuple[list[az.Json], az.Json], ...]]] = [
        (True, ([gpu], bears(key="sku", value="gpu")), ([gpu], bears(key="sku", operator="Exists"))),
        (True, ([gpu], bears(operator="Exists")), ([evicting], bears(operator="Exists", effect="NoExecute"))),
        (True, ([taint("sku", "gpu", "PreferNoSchedule")], {})),
        (True, *(([taint(f"node.kubernetes.io/{name}")], {}) for name in added)),
        (False, ([gpu], {}), ([evicting], {}), ([gpu], bears(key="sku", operator="Equal", value="cpu"))),
        (False, ([gpu], bears(operator="Exists", effect="NoExecute"))),
        (False, ([gpu, taint("team", "red")], bears(key="sku", operator="Exists"))),
        (False, ([taint("node.kubernetes.io/out-of-service")], {})),
    ]
    for is_chosen, *some in cases:
        for taints, template in some:
            with subtests.test(taints=taints, template=template):
                obstacle = find_obstacle(_read(az.node("node", taints=taints)), template)
                assert (obstacle is None) is is_chosen
                assert obstacle is None or obstacle.taint is not None


def test_a_node_that_is_not_known_to_be_unsupported_is_to_have_a_sensor() -> None:
    """What no list names must not pass unseen: what is not coverable fails no gate. On some no sensor can be by design."""
    for image, kernel, is_coverable in (
        *(("Ubuntu 22.04.5 LTS", "5.15.0-1091-azure", True), ("Ubuntu 24.04.1 LTS", "6.8.0-1021-azure", True)),
        *(("Ubuntu 16.04.7 LTS", "5.4.0", True), ("Ubuntu 14.04.6 LTS", "5.4.0", False)),
        *(("Ubuntu 20.04", "5.3.18", False), ("Ubuntu 20.04", "5.10.1", True), ("Ubuntu 20.04", "10.0", True)),
        *(("CBL-Mariner/Linux", "5.15.186", True), ("Microsoft Azure Linux 3.0", "6.6.92", True)),
        *(("Debian GNU/Linux 9 (stretch)", "5.4.0", False), ("Debian GNU/Linux 11 (bullseye)", "5.10.0", True)),
        ("Red Hat Enterprise Linux 8.10 (Ootpa)", "5.4.1", True),
        ("Red Hat Enterprise Linux 7.9", "5.4.1", False),
        ("Red Hat Enterprise Linux CoreOS 416.94", "5.14.0", True),
        ("Bottlerocket OS 1.20.3 (aws-k8s-1.29)", "6.1.92", True),
        ("Container-Optimized OS from Google", "6.1.90", True),
        ("Flatcar Container Linux by Kinvolk 3815.2.5", "6.1.96", False),
        ("SUSE Linux Enterprise Server 15 SP5", "5.14.21", False),
        *(("A Linux of tomorrow", "7.0", True), ("", "", True)),
    ):
        assert (find_uncoverable(_read(node_of_image("node", image, kernel))) is None) is is_coverable, image
    for body, reason in (
        (az.node("win", system="windows"), "a Windows node"),
        (labelled_node("win", {"kubernetes.io/os": "windows"}), "a Windows node"),
        (labelled_node("aci", {"type": "virtual-kubelet"}), "a virtual node"),
        (az.node("aci", taints=[taint("virtual-kubelet.io/provider", "azure")]), "a virtual node"),
        (labelled_node("fargate", {"eks.amazonaws.com/compute-type": "fargate"}), "a Fargate node"),
        (labelled_node("ec2", {"eks.amazonaws.com/compute-type": "ec2"}), None),
        *((az.node("gk3-shop-pool-1"), "a node of GKE Autopilot"), (az.node("gke-shop-pool-1"), None)),
        ({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "bare"}}, None),
    ):
        found = find_uncoverable(_read(body))
        assert (found and found.reason) == reason, body


LABEL = "kubectl label namespace kube-system a=b --overwrite"


def cluster(name: str, id: str | None = None) -> Workload:
    """A cluster of that name."""
    return Workload(kind=WorkloadKind.CLUSTER, name=name, id=id, subject=(id or name).lower())


def mended(line: str, name: str = "payments", id: str | None = None) -> str | None:
    """A line that mends a gap of a cluster."""
    return at_cluster(gap("it is dark", remedy=line), cluster(name, id)).remedy


def test_a_line_for_kubectl_ends_with_the_context_that_is_called_as_the_cluster() -> None:
    """It would else change the current one. Each answer goes into a file, and it is said how it is given."""
    assert mended(f"az aks show\n{LABEL}") == f"az aks show\n{LABEL} --context payments"
    assert mended("az aks update --name payments") == "az aks update --name payments"
    assert at_cluster(gap("it is dark"), cluster("payments")).remedy is None
    id = "/subscriptions/1/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/payments"
    assert mended(LABEL) == mended(LABEL, id) == f"{LABEL} --context payments"
    for id, context in {
        "arn:aws:eks:eu-west-1:1:cluster/payments": "arn:aws:eks:eu-west-1:1:cluster/payments",
        "container.googleapis.com/projects/p/locations/europe-west1/clusters/payments": "gke_p_europe-west1_payments",
        "container.googleapis.com/projects/p/zones/europe-west1-b/clusters/payments": "gke_p_europe-west1-b_payments",
    }.items():
        assert mended(LABEL, "payments", id) == f"{LABEL} --context {context}"
    one, two, unnamed = (
        at_cluster(unknown("nobody asked", remedy=line), cluster(name))
        for line, name in (
            (ASK_CLUSTER, "payments"),
            (f"{ASK_CLUSTER}\n{ASK_CONSTRAINTS}", "payments"),
            (ASK_CLUSTER, UNNAMED),
        )
    )
    assert one.remedy == f"{ASK_CLUSTER} --context payments > payments.json"
    assert one.remarks == ("give payments=payments.json",)
    assert two.remedy == f"{one.remedy}\n{ASK_CONSTRAINTS} --context payments > payments.constraints.json"
    assert two.remarks == ("give payments=payments.json payments=payments.constraints.json",)
    assert mended(LABEL, UNNAMED) == LABEL
    assert (unnamed.remedy, unnamed.remarks) == (
        f"{ASK_CLUSTER} > unnamed-cluster.json",
        ("give unnamed-cluster.json",),
    )


TEXTS = st.text(st.sampled_from("a-'\"\\ \n>$`;") | st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=some_of(200))
@given(names=st.lists(TEXTS, min_size=1, max_size=3), cluster_name=TEXTS.filter(lambda name: name.strip() != ""))
def test_what_is_quoted_in_a_line_stays_what_it_is(names: list[str], cluster_name: str) -> None:
    """No name is an option or a command; also where it has lines of its own, of which one looks like a line for kubectl."""
    words = ["kubectl", "describe", "pod", *names, "x\nkubectl get pods -o json\ny"]
    found = shlex.split(mended(command_line(*words), cluster_name) or "")
    context = cluster_name.rpartition("/")[2] if cluster_name.startswith("/") else cluster_name
    assert found == [*words, *([f"--context={context}"] if context.startswith("-") else ["--context", context])]
