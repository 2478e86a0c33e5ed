"""One of the three gates is enough, and taking a document away never makes one of them work."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pytest

from router.coverage.kubernetes.commands import (
    ASK_CLUSTER,
    ASK_CONFIG,
    ASK_CONSTRAINTS,
    ASK_IMAGE_RULES,
    ASK_POLICIES,
    ASK_WEBHOOKS,
)
from router.coverage.verdicts import CoverageState, Verdict
from router.domain.coverage import Rung
from tests.coverage.admission_builders import (
    AUDIT,
    BOTH,
    MANAGER,
    NAMESPACES,
    a_binding,
    a_constraint,
    a_pod,
    a_policy,
    a_slice,
    a_webhook,
    audits,
    denies,
    no_config,
    whole_gatekeeper,
    whole_image_gate,
    whole_misconfiguration_gate,
)
from tests.coverage.builders import IN_PAYMENTS, Json, document, judged, kubectl, managed_cluster, resource, verdict

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN
RUNGS = (Rung.ADMISSION_AUDITS, Rung.ADMISSION_DENIES)
SYSTEM = [
    a_pod("coredns", namespace="kube-system"),
    a_pod("web", namespace="shop"),
    a_webhook("aks-node.azmk8s.io", configuration="aks-node-validating-webhook"),
]
NOBODYS = [a_policy("aks-managed-endpoints"), a_binding("Deny", name="aks-managed-endpoints")]


@pytest.mark.parametrize("objects", [whole_gatekeeper(), whole_image_gate(), whole_misconfiguration_gate()])
def test_one_gate_is_enough_and_what_the_others_lack_is_said(objects: list[Json]) -> None:
    """The verdict names the gate that audits."""
    found = audits(kubectl(*objects))
    assert found.state is COVERED
    names = ("Gatekeeper", "Defender's image gate", "Defender's misconfiguration gate")
    working = [name for name in names if f"{name} audits" in found.reason]
    assert len(working) == 1
    for name in names:
        assert name in working or any(one.startswith(f"{name}: ") for one in found.remarks)


def test_a_cluster_that_nobody_asked_is_unknown() -> None:
    """All is asked in one round, and denial is not spoken of where no manifest expects it."""
    found = audits()
    assert (found.state, asked(found)) == (
        UNKNOWN,
        [ASK_CLUSTER, ASK_CONSTRAINTS, ASK_CONFIG, ASK_POLICIES, ASK_IMAGE_RULES],
    )
    assert denies().remedy == found.remedy
    expected = {rung for _, rung, _ in judged(managed_cluster(), kubectl(*whole_gatekeeper())).assessed.verdicts()}
    assert expected.isdisjoint({Rung.ADMISSION_DENIES})


def test_what_nobody_asked_of_a_cluster_is_asked_by_one_line_for_all_rungs() -> None:
    """Else somebody asks it once for its sensor, again for its gates, and a third time for what these need."""
    result = judged(managed_cluster())
    lines = [asked(verdict(result, "payments", rung)) for rung in (*SENSOR, Rung.ADMISSION_AUDITS)]
    assert [some[0] for some in lines] == [ASK_CLUSTER] * 3
    assert [some[1:] for some in lines[:2]] == [[], []]


def test_a_round_asks_only_what_is_not_known_yet() -> None:
    """Where the cluster was asked, what needs its own call is left, and what only an empty list can answer."""
    assert asked(audits(kubectl(a_pod(MANAGER), a_pod(AUDIT)))) == [ASK_WEBHOOKS, ASK_CONSTRAINTS, ASK_CONFIG]
    assert asked(audits(kubectl(*SYSTEM))) == [ASK_POLICIES]
    assert asked(audits(kubectl(a_webhook(), a_pod(MANAGER), a_pod(AUDIT)))) == [
        ASK_CLUSTER,
        ASK_CONSTRAINTS,
        ASK_CONFIG,
    ]
    assert asked(audits(kubectl(a_webhook()))) == [ASK_CLUSTER, ASK_CONSTRAINTS, ASK_CONFIG]


SENSOR = (Rung.SENSOR_INSTALLED, Rung.SENSOR_RUNNING)


def asked(found: Verdict) -> list[str]:
    """What a verdict asks, without the cluster and the files."""
    return [line.partition(f" {IN_PAYMENTS}")[0] for line in (found.remedy or "").split("\n")]


def test_a_cluster_without_any_gate_is_a_gap() -> None:
    """Everything was asked for, and others' webhooks and policies are all there is; the remedy is for that cluster."""
    found = audits(kubectl(*SYSTEM, *NOBODYS))
    assert found.state is GAP
    assert found.remedy is not None
    assert found.remedy.startswith("az aks enable-addons --addons azure-policy --resource-group rg --name payments ")


def test_a_cluster_with_no_policy_at_all_needs_one_more_question() -> None:
    """A list of several kinds does not say that a kind was asked for of which there is none; an empty list answers it."""
    found = audits(kubectl(*SYSTEM))
    assert found.state is UNKNOWN
    assert found.remedy is not None
    assert audits(kubectl(*SYSTEM), {"apiVersion": "v1", "kind": "List", "items": []}).state is GAP


def test_an_empty_list_alone_answers_nothing() -> None:
    """It does not say what was asked."""
    assert audits({"apiVersion": "v1", "kind": "List", "items": []}).state is UNKNOWN


def test_a_broken_gate_is_a_gap_unless_another_one_stands_there_that_may_work() -> None:
    """Somebody believes in it."""
    broken = [a_webhook(), a_pod(MANAGER, is_ready=False)]
    assert audits(kubectl(*broken)).state is GAP
    rules, *others = sorted(whole_image_gate(), key=lambda one: one["kind"] != "SecurityArtifactPolicy")
    assert audits(kubectl(*broken), kubectl(*others)).state is UNKNOWN
    assert audits(kubectl(*broken), kubectl(rules, *others)).state is COVERED


@pytest.mark.parametrize(("code", "state"), [("Stopped", CoverageState.NOT_COVERABLE), ("Running", UNKNOWN)])
def test_a_stopped_cluster_is_not_coverable(code: str, state: CoverageState) -> None:
    """Unless its gate is seen to work."""
    id = str(managed_cluster()["id"])
    properties = {"provisioningState": "Succeeded", "powerState": {"code": code}}
    cluster = resource(id, "Microsoft.ContainerService/managedClusters", properties)
    assert verdict(judged(cluster), "payments", Rung.ADMISSION_AUDITS).state is state
    working = judged(cluster, kubectl(*whole_gatekeeper()))
    assert verdict(working, "payments", Rung.ADMISSION_AUDITS).state is COVERED


def test_the_add_on_in_the_profile_is_only_the_wish() -> None:
    """It says what somebody asked for."""
    id = str(managed_cluster()["id"])
    properties = {"provisioningState": "Succeeded", "addonProfiles": {"azurePolicy": {"enabled": True}}}
    cluster = resource(id, "Microsoft.ContainerService/managedClusters", properties)
    found = verdict(judged(cluster), "payments", Rung.ADMISSION_AUDITS)
    assert found.state is UNKNOWN
    assert any("Azure Policy add-on" in one for one in found.remarks)


@pytest.mark.parametrize("name", ["eks-prod", "gke-prod", "arc-prod"])
def test_clusters_of_other_clouds_are_judged_the_same(name: str) -> None:
    """Only kubectl speaks of them, and no command of `az aks` is proposed for them."""
    working = judged(document(kubectl(*whole_misconfiguration_gate()), "objects.json", name))
    assert verdict(working, name, Rung.ADMISSION_AUDITS).state is COVERED
    without = judged(document(kubectl(*SYSTEM, *NOBODYS), "objects.json", name))
    found = verdict(without, name, Rung.ADMISSION_AUDITS)
    assert (found.state, found.remedy) == (GAP, None)


def test_a_gate_that_is_missing_elsewhere_is_installed_by_azure_arc() -> None:
    """As the sensor is: the nodes say in which cloud they are."""
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "a"},
        "spec": {"providerID": "aws:///eu-west-1a/i"},
    }
    found = verdict(
        judged(document(kubectl(*SYSTEM, *NOBODYS, node), "o.json", "ledger")), "ledger", Rung.ADMISSION_AUDITS
    )
    connect, create = (found.remedy or "").split("\n")
    assert connect.startswith("az connectedk8s connect --name ledger ")
    assert "--extension-type Microsoft.PolicyInsights" in create


def states(documents: Sequence[Json]) -> list[CoverageState]:
    """What is known on both rungs."""
    result = judged(managed_cluster(), *documents, manifest=BOTH)
    return [verdict(result, "payments", rung).state for rung in RUNGS]


def test_of_all_subsets_of_what_works_only_whole_gates_cover() -> None:
    """A gate is covered where all its objects are there, and by nothing less."""
    selector = {"matchExpressions": [{"key": "admission.gatekeeper.sh/ignore", "operator": "DoesNotExist"}]}
    webhook = a_webhook(namespaceSelector=selector)
    gatekeeper = [webhook, a_pod(MANAGER), a_pod(AUDIT), a_constraint("deny"), a_slice(True), no_config()]
    gates = (
        [*map(kubectl, gatekeeper[:-1]), gatekeeper[-1], kubectl(*NAMESPACES)],
        [*map(kubectl, whole_image_gate("deny"))],
        [*map(kubectl, whole_misconfiguration_gate("Deny"))],
    )
    for gate in gates:
        for size in range(len(gate)):
            for some in combinations(gate, size):
                assert states(some)[0] is not COVERED
        assert states(gate) == [COVERED, COVERED]
