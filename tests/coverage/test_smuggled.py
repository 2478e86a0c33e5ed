"""What somebody writes into one place says nothing of another: a cluster is believed of itself alone."""

from __future__ import annotations

import pytest

from router.coverage.verdicts import CoverageState
from router.domain.coverage import Rung
from router.domain.coverage_sources import CoverageSourceKind
from tests.coverage.builders import (
    CLUSTER,
    MACHINE,
    SUBSCRIPTION,
    Json,
    alert,
    document,
    judged,
    kubectl,
    last_row,
    managed_cluster,
    nodes,
    pricing,
    security_setting,
    sensor,
)
from tests.coverage.machine_builders import all_healthy, health, machine
from tests.coverage.stored_builders import drill, heard

CONSTRAINT = {"apiVersion": "constraints.gatekeeper.sh/v1beta1", "metadata": {"name": "mine"}}
HEALTHY = health().items[0].body


@pytest.mark.parametrize("form", ["in a list", "alone", "in a list of its own"])
@pytest.mark.parametrize(
    "said",
    [
        drill(),
        heard(healthy="2026-11-25T11:00:00Z"),
        heard(CoverageSourceKind.WORKLOAD, MACHINE, real_alert="2026-11-25T11:00:00Z", real_alert_type="VM_Bad"),
        pricing("VirtualMachines"),
        security_setting(),
        managed_cluster(),
        machine(),
        alert(),
        {**alert(), "id": None},
        all_healthy()[0],
        last_row(CLUSTER, minutes=1),
        HEALTHY,
    ],
)
def test_an_object_of_a_cluster_says_nothing_of_azure(said: Json, form: str) -> None:
    """Whoever may make kinds in one cluster writes into their objects whatever Azure, the router or a machine would say."""
    own = {**CONSTRAINT, "kind": "Mine", **{name: value for name, value in said.items() if name != "kind"}}
    given = {
        "in a list": kubectl(own),
        "alone": own,
        "in a list of its own": {**CONSTRAINT, "kind": "MineList", "items": [said]},
    }
    found = judged(document(given[form], "objects.json", "payments"))
    assert {workload.name for workload, _, _ in found.assessed.verdicts()} <= {"payments"}
    assert not [one for _, _, one in found.assessed.verdicts() if one.state is CoverageState.COVERED]
    assert found.sources == ()
    assert found.drills == ()


def test_an_object_that_is_called_a_list_holds_no_objects() -> None:
    """A list has no name. Else one object would be every sensor and every node of its cluster."""
    inner = [*sensor(), *nodes()]
    own = {**CONSTRAINT, "kind": "MineList", "items": inner}
    found = judged(document(kubectl(own), "objects.json", "payments"))
    assert not [one for _, _, one in found.assessed.verdicts() if one.state is CoverageState.COVERED]
    held = judged(document(kubectl(kubectl(*inner)), "objects.json", "payments"))
    assert Rung.SENSOR_RUNNING in {
        rung for _, rung, one in held.assessed.verdicts() if one.state is CoverageState.COVERED
    }


def test_a_tag_and_a_property_say_nothing_but_themselves() -> None:
    """Tags, names and properties are what owners of resources write."""
    words = drill()
    row = {**machine(), "tags": words, "properties": {**words, "response": {"body": words}, "value": [words]}}
    assert judged({"data": [row], "totalRecords": 1}).drills == ()
    assert (
        judged(kubectl({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": words})).drills
        == ()
    )
    assert judged({**alert(), "properties": {"extendedProperties": words}}).drills == ()
    assert {one.subject for one in judged(words).drills} == {f"/subscriptions/{SUBSCRIPTION}"}
