"""The lines that mend a cluster's sensor: they mend, they break nothing beside it, and no name in them is an option."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.coverage.builders import Json, nodes
from tests.coverage.kubernetes_builders import (
    affinity,
    collector,
    failed_create,
    namespace,
    part,
    pod,
    publisher,
    running,
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
def test_what_keeps_it_off_nodes_on_which_it_cannot_run_is_shown_and_not_removed(template: Json) -> None:
    """An affinity names virtual nodes, too, and no image runs on another processor."""
    words = _remedy(collector(0, pod=template), publisher())
    assert words[:2] == ["kubectl", "get"]
    assert words[-1].startswith("jsonpath={.spec.template.spec.")


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
