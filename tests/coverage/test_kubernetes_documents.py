"""What kubectl, the API server and shells make of the answers of a cluster."""

from __future__ import annotations

import json

import pytest

from router.coverage.documents import read_document
from router.coverage.facts import Source
from router.coverage.kubernetes.daemon_sets import read_pod
from router.coverage.kubernetes.nodes import read_node
from router.coverage.readers.kubernetes import KubernetesFact, without_ballast
from router.coverage.verdicts import CoverageState, Verdict
from router.domain.coverage import Rung
from router.domain.errors import BadFile
from tests.coverage.builders import Json, daemon_set, judged, kubectl, node, nodes, sensor, verdict
from tests.coverage.kubernetes_builders import affinity, taint

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN


def _runs(*texts: str | bytes) -> Verdict:
    data = [text if isinstance(text, bytes) else text.encode() for text in texts]
    documents = [read_document(one, f"{number}.json", "payments") for number, one in enumerate(data)]
    return verdict(judged(*documents), "payments", Rung.SENSOR_RUNNING)


def _typed(kind: str, *items: Json, **metadata: object) -> str:
    """A list of one kind, as `kubectl get --raw` answers it: its items do not say their kind."""
    plain = [{key: value for key, value in one.items() if key not in ("kind", "apiVersion")} for one in items]
    version = "apps/v1" if kind == "DaemonSetList" else "v1"
    return json.dumps({"apiVersion": version, "kind": kind, "metadata": metadata, "items": plain})


SENSOR, NODES = json.dumps(kubectl(*sensor())), json.dumps(kubectl(*nodes()))


@pytest.mark.parametrize("text", ["NAME READY", '{"a": 1', "1,2", "[1 2]"])
def test_what_is_not_json_is_refused(text: str) -> None:
    """A table, what was cut off, and what is nearly JSON."""
    with pytest.raises(BadFile, match=r"^answer\.json: (is no JSON at line 1|holds several answers)"):
        read_document(text.encode(), "answer.json")


REQUEST = {"method": "GET", "uri": "https://management.azure.com/subscriptions"}
OTHER_SHAPES = {
    "": "is empty",
    f"{SENSOR}\n{NODES}": "holds several answers; write each to a file of its own",
    '{"data": {"columns": [{"name": "id"}], "rows": [["x"]]}}': "is a table of Resource Graph; ask with `az graph query",
    '{"responses": {"200": {"body": {"value": []}}}}': "is a recording or a batch of requests; ask .* with `az rest ",
    '{"responses": [{"httpStatusCode": 403, "content": {}}]}': "is a recording or a batch of requests",
    json.dumps([{"request": REQUEST, "response": {"body": {}}}]): "is a recording or a batch of requests",
    json.dumps([{**REQUEST, "body": {"value": []}}]): "is a recording or a batch of requests",
}


@pytest.mark.parametrize("text", OTHER_SHAPES)
def test_a_document_of_another_shape_is_refused_in_one_sentence(text: str) -> None:
    """It names the file and the command that prints what is read."""
    with pytest.raises(BadFile, match=f"^answer.json: {OTHER_SHAPES[text]}[^\n]*$"):
        read_document(text.encode(), "answer.json")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_windows_powershell_writes_answers_after_a_mark(encoding: str) -> None:
    """`>` makes UTF-16, and `Out-File -Encoding utf8` puts a mark before UTF-8."""
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    assert _runs((mark + SENSOR).encode(encoding), (mark + NODES).encode(encoding)).state is COVERED


def test_lists_of_one_kind_are_read_as_lists_of_any() -> None:
    """Their items take their kind from the list."""
    assert _runs(_typed("DaemonSetList", *sensor()), _typed("NodeList", *nodes())).state is COVERED
    assert _runs(_typed("DaemonSetList", daemon_set("x", image="x")), NODES).state is GAP


@pytest.mark.parametrize("items", ["[]", "null"])
def test_a_list_without_items_is_an_answer(items: str) -> None:
    """The API server writes null for it where it was never filled."""
    empty = f'{{"apiVersion": "apps/v1", "kind": "DaemonSetList", "metadata": {{}}, "items": {items}}}'
    assert _runs(empty, NODES).state is GAP


@pytest.mark.parametrize(
    ("metadata", "state"),
    [({"continue": "eyJ2"}, UNKNOWN), ({"remainingItemCount": 7}, UNKNOWN), ({"remainingItemCount": 0}, COVERED)],
)
def test_a_page_is_no_whole_list(metadata: dict[str, object], state: CoverageState) -> None:
    """It says that there is more, or how much."""
    assert _runs(SENSOR, _typed("NodeList", *nodes(), **metadata)).state is state


ENDED = {
    "name": "main",
    "ready": False,
    "restartCount": 3,
    "state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
}
WAITING = {"name": "main", "restartCount": 1, "state": {"waiting": {"reason": "ErrImagePull", "message": "no route"}}}
UNSCHEDULED = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]
FIELD = {"key": "metadata.name", "operator": "In", "values": ["node-1"]}


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        ({"phase": "Running", "containerStatuses": [ENDED]}, "OOMKilled"),
        ({"initContainerStatuses": [WAITING]}, "ErrImagePull"),
        ({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}, "Evicted"),
        ({"phase": "Pending", "conditions": UNSCHEDULED}, "Unschedulable"),
        ({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}, ""),
    ],
)
def test_nothing_that_is_asked_of_a_pod_or_a_node_is_left_out_of_memory(status: Json, trouble: str) -> None:
    """What is never asked is, such as the settings of containers."""
    metadata = {
        "namespace": "mdc",
        "labels": {"any/Label": "x"},
        "deletionTimestamp": "2026-11-25T00:00:00Z",
        "ownerReferences": [{"kind": "DaemonSet", "name": "collector", "uid": "1", "controller": True}],
        "managedFields": [{}],
    }
    spec = {**affinity(fields=[FIELD]), "containers": [{"env": [{"name": "a", "value": "b"}]}]}
    pod = {"metadata": metadata, "spec": spec, "status": {**status, "podIP": "10.0.0.1"}}
    slim = without_ballast("Pod", pod)
    assert "env" not in str(slim)
    assert "podIP" not in str(slim)
    assert read_pod(_fact("Pod", slim)) == read_pod(_fact("Pod", pod))
    assert (read_pod(_fact("Pod", slim)).trouble, read_pod(_fact("Pod", slim)).node) == (trouble, "node-1")
    body = node("node-1", system="linux", taints=[taint("sku", "gpu")], pool="gpu")
    assert read_node(_fact("Node", without_ballast("Node", body))) == read_node(_fact("Node", body))


def _fact(kind: str, body: Json) -> KubernetesFact:
    return KubernetesFact(
        given=None, kind=kind, name="one", namespace="mdc", body=body, source=Source(document="one.json")
    )
