"""Why the pods of a sensor are not made: what is said, from which event, and which line mends it."""

from __future__ import annotations

import pytest

from router.coverage.verdicts import CoverageState, Verdict
from tests.coverage.builders import IN_PAYMENTS, Json, nodes
from tests.coverage.kubernetes_builders import (
    COLLECTOR,
    PUBLISHER,
    collector,
    failed_create,
    namespace,
    new_event,
    pod,
    publisher,
    running,
)

LABEL = "pod-security.kubernetes.io/enforce"
DESCRIBE = f"kubectl describe daemonset {COLLECTOR} -n kube-system {IN_PAYMENTS}"
ADMIT = f"kubectl label namespace kube-system {LABEL}=privileged --overwrite {IN_PAYMENTS}"


def dark(*others: Json) -> Verdict:
    """A cluster of which no collector was made, and what else is known of it."""
    found = running(collector(ready=0, current=0), publisher(), *nodes(), *others)
    assert found.state is CoverageState.GAP
    return found


@pytest.mark.parametrize("event", [failed_create(), new_event()], ids=["v1", "events.k8s.io/v1"])
@pytest.mark.parametrize("level", ["baseline", "restricted"])
def test_pod_security_is_named_with_its_level_and_label(event: Json, level: str) -> None:
    """By the label where it is known; the event alone is enough to name the level."""
    both = dark(event, namespace(enforce=level))
    assert f"Pod Security refuses its pods at level baseline, by the label {LABEL}={level}" in both.reason
    assert both.remedy == ADMIT
    assert {"message", "note"} & {one.field for one in both.evidence}
    assert f"metadata.labels[{LABEL}]" in {one.field for one in both.evidence}
    assert dark(event).reason.endswith("Pod Security refuses its pods at level baseline")
    assert dark(event).remedy == ADMIT


def test_a_level_is_the_reason_where_the_events_have_gone() -> None:
    """Events live for an hour, labels stay."""
    found = dark(namespace(enforce="restricted"))
    assert f"at level restricted, by the label {LABEL}=restricted of the namespace kube-system" in found.reason
    assert found.remedy == ADMIT


@pytest.mark.parametrize(
    "other",
    [
        namespace(warn="restricted", audit="restricted"),
        namespace(enforce="privileged", warn="baseline"),
        namespace(enforce_version="latest"),
        namespace("mdc", enforce="restricted"),
        failed_create(owner="kube-proxy"),
        failed_create(namespace="mdc"),
        {**failed_create(), "reason": "FailedPlacement"},
        {**failed_create(), "involvedObject": {"kind": "ReplicaSet", "name": COLLECTOR, "namespace": "kube-system"}},
    ],
)
def test_what_does_not_block_is_not_the_reason(other: Json) -> None:
    """To warn and to audit refuse nothing; other namespaces and other objects say nothing of this one."""
    assert dark(other).reason == dark().reason
    assert "Pod Security" not in dark(other).reason


def test_an_event_of_a_daemon_set_that_was_deleted_is_not_the_reason() -> None:
    """It has another uid; where either does not say its uid, the name is enough."""
    for uid, is_reason in (("new", True), (None, True), ("old", False)):
        objects = [collector(ready=0, current=0, metadata={"uid": "new"}), publisher(), *nodes()]
        assert ("Pod Security" in running(*objects, failed_create(uid=uid)).reason) is is_reason


def test_pods_that_are_there_and_not_ready_were_not_refused() -> None:
    """Then the label is not why they are not ready."""
    found = running(collector(ready=0), publisher(), *nodes(), namespace(enforce="baseline"), failed_create())
    assert found.state is CoverageState.GAP
    assert "Pod Security" not in found.reason


@pytest.mark.parametrize(
    "message",
    [
        'admission webhook "validation.gatekeeper.sh" denied the request: [no-host-path] hostPath is forbidden',
        'pods is forbidden: unable to validate against any security context constraint: [provider "anyuid": no]',
        "",
        "x" * 301,
    ],
)
def test_the_api_servers_own_words_say_why_no_pod_is_made(message: str) -> None:
    """As the event has them; the line shows the DaemonSet with its events."""
    found = dark(failed_create(message))
    said = message if len(message) < 300 else f"{message[:300]}…"
    assert found.reason.endswith(f': its pods cannot be made ("{said}")')
    assert found.remedy == DESCRIBE


@pytest.mark.parametrize(
    "status",
    [
        {
            "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no memory"}
            ]
        },
        {
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "no memory"}}}],
        },
        {"phase": "Failed", "reason": "Evicted", "message": "no memory"},
    ],
)
def test_what_the_cluster_says_of_a_pod_that_is_not_ready_is_evidence(status: Json) -> None:
    """The word in its state does not tell which resource is short, or which registry refused it."""
    waiting = {**pod("node-2"), "status": status}
    found = running(collector(ready=2), publisher(), *nodes(), waiting)
    assert any("no memory" in one.value for one in found.evidence)


def test_the_latest_event_is_the_reason() -> None:
    """In whatever order they stand."""
    early, late = failed_create(time="2026-11-24T08:00:00Z"), failed_create("late", time="2026-11-24T09:00:00Z")
    for events in ((early, late), (late, early)):
        assert '"late"' in dark(*events).reason


def test_names_in_a_line_are_quoted_for_the_shell() -> None:
    """Whoever names a namespace must not run anything."""
    evil = "kube-system; rm -rf ~"
    objects = [collector(ready=0, current=0, namespace=evil), publisher(namespace=evil), *nodes()]
    found = running(*objects, failed_create(namespace=evil))
    assert (
        found.remedy == f"kubectl label namespace 'kube-system; rm -rf ~' {LABEL}=privileged --overwrite {IN_PAYMENTS}"
    )


def test_the_part_that_is_blocked_is_named() -> None:
    """A publisher that is refused leaves collectors that are ready and send nothing."""
    found = running(collector(), publisher(ready=0, current=0), *nodes(), failed_create(owner=PUBLISHER))
    assert found.state is CoverageState.GAP
    assert f"{PUBLISHER} in kube-system is ready on 0 of 3 nodes that can have it: Pod Security" in found.reason
    assert COLLECTOR not in found.reason
