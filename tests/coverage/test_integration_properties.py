"""What holds of the rung integration whatever documents there are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.coverage import CoverageState, Rung, WorkloadKind
from router.domain.coverage_manifest import CoverageManifest, Expectation
from tests.coverage.builders import (
    Json,
    cluster_extension,
    connected_cluster,
    connector,
    document,
    eks_cluster,
    extension_of_plan,
    gke_cluster,
    judged,
    kubectl,
    managed_cluster,
    offering,
    pricing,
    security_setting,
    sensor,
)
from tests.coverage.test_connectors import containers, servers
from tests.coverage.test_integration_extensions import ACCOUNT, MALWARE, REGISTRY, REGISTRY_ID, SCANS
from tests.coverage.test_integration_machines import PLAN, WITHOUT_LINUX
from tests.examples import some_of

MANIFEST = CoverageManifest(expectations=(Expectation(extensions=frozenset({MALWARE})),), is_given=True)

DOCUMENTS: Sequence[object] = (
    security_setting(),
    [security_setting(), security_setting("WDATP_UNIFIED_SOLUTION")],
    security_setting(WITHOUT_LINUX, enabled=True),
    PLAN,
    pricing("Containers", extensions=[extension_of_plan(SCANS), extension_of_plan("ContainerSensor", enabled="False")]),
    pricing("Containers", "Free", scope=REGISTRY_ID),
    pricing("StorageAccounts", extensions=[extension_of_plan(MALWARE)]),
    REGISTRY,
    ACCOUNT,
    managed_cluster(has_sensor=False, tags={"ms_defender_container_exclude_sensors": "true"}),
    managed_cluster(),
    connected_cluster(connectivity="Offline"),
    cluster_extension(),
    [cluster_extension("microsoft.policyinsights")],
    eks_cluster("audit"),
    eks_cluster("audit", "authenticator"),
    gke_cluster(autopilot={"enabled": True}),
    connector(servers(), containers(), offering("DefenderForDatabasesAws")),
    connector(containers(logs=False), name="shop-2"),
    connector(
        offering("DefenderForContainersGcp", enableDefenderAgentAutoProvisioning=True), cloud="GCP", account="42"
    ),
    document(kubectl(*sensor(namespace="mdc")), "kubectl-arc.json", "edge"),
    document(kubectl(*sensor()), "kubectl-aks.json", "payments"),
    document(kubectl(*sensor(namespace="mdc")), "kubectl-eks.json", "checkout"),
)

CONTRADICTIONS = ({9, 10}, {14, 15})
"""Pairs of documents that say opposite things of one field of one object, so that the worse one counts."""

some_documents = st.frozensets(st.integers(0, len(DOCUMENTS) - 1), min_size=1).filter(
    lambda chosen: not any(pair <= chosen for pair in CONTRADICTIONS)
)


def _covered_by(chosen: frozenset[int]) -> set[tuple[WorkloadKind, str, Rung]]:
    """What some documents cover; a cluster is known by its name, since kubectl's documents alone give it no other."""
    result = judged(*(DOCUMENTS[one] for one in sorted(chosen)), manifest=MANIFEST)
    return {
        (workload.kind, workload.name if workload.kind is WorkloadKind.CLUSTER else workload.subject, rung)
        for workload, rung, verdict in result.assessed.verdicts()
        if verdict.state is CoverageState.COVERED and rung in (Rung.INTEGRATION, Rung.PLAN)
    }


def test_removing_one_of_three_documents_never_covers() -> None:
    """Of all sets of up to three, since what hides something from a verdict is most often one document."""
    sets = [frozenset(some) for many in (0, 1, 2, 3) for some in combinations(range(len(DOCUMENTS)), many)]
    covered = {chosen: _covered_by(chosen) for chosen in sets if not any(pair <= chosen for pair in CONTRADICTIONS)}
    assert len(set().union(*covered.values())) >= 7
    for chosen, found in covered.items():
        for removed in chosen:
            assert covered[chosen - {removed}] <= found, (chosen, removed)


@given(some_documents, st.data())
@settings(max_examples=some_of(100))
def test_removing_a_document_never_covers(chosen: frozenset[int], data: st.DataObject) -> None:
    """Of any number of documents."""
    removed = data.draw(st.sampled_from(sorted(chosen)))
    assert _covered_by(chosen - {removed}) <= _covered_by(chosen)


UNRELATED: Sequence[Json] = (
    security_setting("WDATP", enabled=False, subscription="22222222-2222-2222-2222-222222222222"),
    {
        "id": "/subscriptions/s/providers/Microsoft.Network/virtualNetworks/n",
        "type": "microsoft.network/virtualnetworks",
    },
    {"cluster": {"arn": "arn:aws:ecs:eu-west-1:1:cluster/tasks"}},
    {"selfLink": "https://compute.googleapis.com/compute/v1/projects/p/zones/z/instances/i", "name": "i"},
    connector(offering("CspmMonitorGithub"), cloud="GitHub"),
    {"message": "nothing", "cluster": 3, "selfLink": []},
)


@given(some_documents, st.sampled_from(UNRELATED))
@settings(max_examples=some_of(60))
def test_an_unrelated_document_changes_nothing(chosen: frozenset[int], unrelated: Json) -> None:
    """Whatever else there is."""
    documents = [DOCUMENTS[one] for one in sorted(chosen)]
    with_it = judged(*documents, document(unrelated, "unrelated.json"), manifest=MANIFEST)
    assert with_it.assessed == judged(*documents, manifest=MANIFEST).assessed


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@given(st.sampled_from([one for one in DOCUMENTS if isinstance(one, dict | list)]), json_values, st.data())
@settings(max_examples=some_of(100))
def test_no_document_raises(one: object, value: object, data: st.DataObject) -> None:
    """Whatever stands at any path of it."""
    changed = json.loads(json.dumps(one))
    path = data.draw(st.sampled_from(_paths(changed)))
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    judged(changed, *(DOCUMENTS[number] for number in (0, 3, 4)), manifest=MANIFEST)


def _paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way for key, one in members for way in ((*path, key), *_paths(one, (*path, key)))]
