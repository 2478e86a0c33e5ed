"""What documents of Azure say of tags; and that what somebody writes into one place says nothing of another."""

from pathlib import Path

import pytest

from router.coverage.commands.tags import tag_file, tags_in
from router.coverage.gate import GateResult
from router.domain.coverage import Rung
from router.domain.coverage_sources import CoverageSourceKind
from router.domain.signals import Stream
from router.rulebook import load
from tests.coverage import builders as az
from tests.coverage.machine_builders import all_healthy, health, machine
from tests.coverage.stored_builders import drill, heard
from tests.rulebook.builders import KINDS, rules_in

SUB = f"/subscriptions/{az.SUBSCRIPTION}"


def test_tags_are_said_of_resources_groups_and_subscriptions(tmp_path: Path) -> None:
    """In whatever answer, in any case; what says none takes none away. A file of them is one that owners may name."""
    rows = [
        {"id": az.MACHINE, "tags": {"Team": "Payments", "odd": 1, "blank": None}},
        {"id": f"{SUB}/resourceGroups/RG/", "type": "microsoft.resources/subscriptions/resourcegroups", "tags": None},
        {"id": SUB, "type": "microsoft.resources/subscriptions", "tags": {}},
    ]
    answer = {"totalRecords": 3, "count": 3, "data": rows, "facets": [], "resultTruncated": "false"}
    of_arm = {"id": az.CLUSTER, "name": "payments", "location": "westeurope", "Tags": {"team": "Aks"}}
    assert tags_in([az.document(answer), az.document(of_arm)]) == {
        az.MACHINE.lower(): {"team": "Payments"},
        f"{SUB}/resourcegroups/rg": {},
        SUB: {},
        az.CLUSTER.lower(): {"team": "Aks"},
    }
    mine, tags = {"id": az.MACHINE}, {"team": "a"}
    some = [{**mine, "tags": tags}, {"id": az.MACHINE.upper(), "tags": {"env": "b"}}, {**mine, "tags": None}]
    assert tags_in(map(az.document, some)) == {az.MACHINE.lower(): {"team": "a", "env": "b"}}
    ids = (
        "arn:aws:eks:eu-west-1:1:cluster/shop",
        "/subscriptions/",
        "/providers/Microsoft.Management/managementGroups/mg",
    )
    refused = {"error": {"code": "AuthorizationFailed", "message": "no"}, **mine, "tags": tags}
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p"}, "tags": tags}
    others = [{**mine, "name": "web-1"}, {**mine, "tags": "team=payments"}, {**mine, "tags": ["a"]}, {"tags": tags}]
    for value in (az.pricing("Containers"), *others, *({"id": id, "tags": tags} for id in ids), refused, pod):
        assert tags_in([az.document(value)]) == {}, value
    said = [az.document([{"id": az.MACHINE, "tags": {"Team": "Zahlungen \u00fc"}}, {"id": az.CLUSTER, "tags": {}}])]
    rules_in(tmp_path, {"owners.yaml": {"tags": "tags.json", "owners": []}, "tags.json": tag_file(said).decode()})
    loaded = load(tmp_path, Stream.CWPP, KINDS, az.NOW)
    assert not loaded.problems
    assert loaded.owners.owners.tags.by_id == {az.MACHINE.lower(): {"team": "Zahlungen \u00fc"}}


CONSTRAINT = {"apiVersion": "constraints.gatekeeper.sh/v1beta1", "metadata": {"name": "mine"}}


def covered_by(value: az.Json) -> tuple[GateResult, set[Rung]]:
    """What comes of objects of a cluster alone, and which rungs they cover."""
    found = az.judged(az.document(value, "objects.json", "payments"))
    return found, {rung for _, rung, one in found.assessed.verdicts() if one.state is az.COVERED}


def test_an_object_of_a_cluster_says_nothing_of_azure(subtests: pytest.Subtests) -> None:
    """Whoever may make kinds in one cluster writes into their objects whatever Azure, the router or a machine would say."""
    watched = heard(
        CoverageSourceKind.WORKLOAD, az.MACHINE, real_alert="2026-11-25T11:00:00Z", real_alert_type="VM_Bad"
    )
    alert = az.alert()
    for said in (
        drill(),
        heard(healthy="2026-11-25T11:00:00Z"),
        watched,
        az.pricing("VirtualMachines"),
        az.security_setting(),
        *(az.managed_cluster(), machine(), alert, {**alert, "id": None}, all_healthy()[0]),
        *(az.last_row(az.CLUSTER, minutes=1), health().items[0].body),
    ):
        own = {**CONSTRAINT, "kind": "Mine", **{name: value for name, value in said.items() if name != "kind"}}
        for given in (az.kubectl(own), own, {**CONSTRAINT, "kind": "MineList", "items": [said]}):
            with subtests.test(given=given):
                found, covered = covered_by(given)
                assert {workload.name for workload, _, _ in found.assessed.verdicts()} <= {"payments"}
                assert (covered, found.sources, found.drills) == (set(), (), ())


def test_an_object_a_tag_and_a_property_say_nothing_but_themselves() -> None:
    """One that is called a list holds no objects: it would be every sensor and every node. Tags are what owners write."""
    inner = [*az.sensor(), *az.nodes()]
    assert covered_by(az.kubectl({**CONSTRAINT, "kind": "MineList", "items": inner}))[1] == set()
    assert Rung.SENSOR_RUNNING in covered_by(az.kubectl(az.kubectl(*inner)))[1]
    words = drill()
    row = {**machine(), "tags": words, "properties": {**words, "response": {"body": words}, "value": [words]}}
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": words}
    alert = {**az.alert(), "properties": {"extendedProperties": words}}
    for one in ({"data": [row], "totalRecords": 1}, az.kubectl(settings), alert):
        assert az.judged(one).drills == ()
    assert {one.subject for one in az.judged(words).drills} == {SUB}
