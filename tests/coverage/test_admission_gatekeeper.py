"""Gatekeeper audits where its webhook is asked, its pods are ready and a constraint says so; none of them alone proves it."""

from __future__ import annotations

import pytest

from router.coverage.kubernetes.asks import ASK_CONSTRAINTS
from router.domain.coverage import CoverageState
from tests.coverage.admission_builders import (
    AUDIT,
    GATEKEEPER,
    MANAGER,
    NEW_PODS,
    a_constraint,
    a_deployment,
    a_namespace,
    a_pod,
    a_webhook,
    audits,
    denies,
    scoped,
    whole_gatekeeper,
)
from tests.coverage.builders import IN_PAYMENTS, Json, kubectl

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN
EMPTY = {"apiVersion": "v1", "kind": "List", "items": [], "metadata": {"resourceVersion": ""}}
NO_NAMESPACE = {"key": "kubernetes.io/metadata.name", "operator": "DoesNotExist"}
SERVICE = {"name": "gatekeeper-webhook-service", "namespace": GATEKEEPER}


def _enforced_by(*operations: str) -> Json:
    """A constraint that one pod enforces which does that work."""
    by_pod = [{"id": "one", "enforced": True, "operations": [*operations]}]
    return {**a_constraint("deny"), "status": {"byPod": by_pod}}


def _matching(**match: object) -> Json:
    """A constraint that denies what it matches."""
    return a_constraint("deny", match=match)


def test_gatekeeper_that_works_audits() -> None:
    """Webhook, pods and a constraint, in one list or in several."""
    found = audits(kubectl(*whole_gatekeeper()))
    assert found.state is COVERED
    assert "Gatekeeper audits" in found.reason
    assert audits(*(kubectl(one) for one in whole_gatekeeper())).state is COVERED


@pytest.mark.parametrize("left_out", range(4))
def test_what_was_not_asked_is_unknown(left_out: int) -> None:
    """Each of webhook, both sorts of pods, and constraints is needed, and the verdict names the command that asks for it."""
    objects = whole_gatekeeper()
    del objects[left_out]
    found = audits(*objects)
    assert found.state is UNKNOWN
    assert found.remedy is not None
    assert found.remedy.startswith("kubectl get ")


@pytest.mark.parametrize(("of", "rung"), [(MANAGER, audits), (AUDIT, audits), (MANAGER, denies)])
def test_a_webhook_without_ready_pods_admits_everything(of: str, rung: object) -> None:
    """With failurePolicy Ignore nobody is told, so the pods' state and their restarts are."""
    assert callable(rung)
    objects = [a_webhook(), a_constraint("deny"), *(a_pod(one) for one in (MANAGER, AUDIT) if one != of)]
    dark = a_pod(of, is_ready=False, restarts=917, waits="CrashLoopBackOff")
    found = rung(kubectl(*objects, dark))
    assert found.state is GAP
    assert "CrashLoopBackOff, 917 restarts" in found.reason
    assert found.remedy == f"kubectl rollout restart deployment/{of} -n {GATEKEEPER} {IN_PAYMENTS}"
    assert rung(kubectl(*objects, dark, a_pod(of, id="6c9f7d5b8-other"))).state is COVERED


def test_no_resources_found_is_an_answer() -> None:
    """`kubectl get pods -n gatekeeper-system` succeeds with an empty list where no pod is."""
    webhook_and_constraint = kubectl(a_webhook(), a_constraint())
    assert audits(webhook_and_constraint).state is UNKNOWN
    assert audits(webhook_and_constraint, EMPTY).state is GAP


def test_pods_of_other_namespaces_answer_nothing_of_gatekeepers() -> None:
    """A list of one namespace does not say that Gatekeeper's has no pods; one of several does."""
    objects = [a_webhook(), a_constraint()]
    system = a_pod("coredns", namespace="kube-system")
    assert audits(kubectl(*objects, system)).state is UNKNOWN
    assert audits(kubectl(*objects, system, a_pod("web", namespace="shop"))).state is GAP


@pytest.mark.parametrize(
    ("pod", "state"),
    [
        (a_pod(MANAGER, namespace="somewhere-else"), GAP),
        (a_pod("my-gatekeeper-controller-manager"), GAP),
        (a_pod(MANAGER, phase="Failed"), GAP),
        (a_pod(MANAGER), COVERED),
    ],
)
def test_only_running_pods_behind_the_webhooks_service_count(pod: Json, state: CoverageState) -> None:
    """Evicted pods stay listed, and a pod of that name in another namespace answers nobody."""
    assert audits(kubectl(a_webhook(), a_constraint(), a_pod(AUDIT), pod)).state is state


@pytest.mark.parametrize(
    ("manager", "state"),
    [
        (a_deployment(MANAGER), COVERED),
        (a_deployment(MANAGER, ready=1), COVERED),
        (a_deployment(MANAGER, ready=None), GAP),
        (a_deployment(MANAGER, replicas=0), GAP),
        (a_deployment(MANAGER, observed=2), UNKNOWN),
        (a_deployment(MANAGER, has_status=False), UNKNOWN),
    ],
)
def test_a_deployment_says_as_much_as_its_pods(manager: Json, state: CoverageState) -> None:
    """Where its status is of its current version; 0 is left out of it, and a manifest has none."""
    assert audits(*(kubectl(one) for one in (a_webhook(), a_constraint(), a_deployment(AUDIT), manager))).state is state


def test_pods_that_contradict_their_deployment_are_believed_where_they_say_the_worse() -> None:
    """And the contradiction is said."""
    dark = a_pod(MANAGER, is_ready=False)
    found = audits(kubectl(a_webhook(), a_constraint(), a_pod(AUDIT), dark), kubectl(a_deployment(MANAGER)))
    assert found.state is GAP
    assert any("contradict" in one for one in found.remarks)


@pytest.mark.parametrize(("phase", "state"), [("Failed", COVERED), ("Succeeded", COVERED), ("Running", GAP)])
def test_a_pod_that_was_evicted_says_nothing_of_those_that_run(phase: str, state: CoverageState) -> None:
    """It stays listed, not ready, for long."""
    pod = a_pod(MANAGER, is_ready=False, phase=phase)
    assert audits(kubectl(a_webhook(), a_constraint(), a_pod(AUDIT), a_deployment(MANAGER), pod)).state is state


def test_many_restarts_of_a_ready_pod_are_a_remark() -> None:
    """It is ready now, and was not long ago."""
    found = audits(kubectl(a_webhook(), a_constraint(), a_pod(AUDIT), a_pod(MANAGER, restarts=57)))
    assert found.state is COVERED
    assert any("restarted 57 times" in one for one in found.remarks)


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        ({**NEW_PODS, "operations": ["UPDATE", "DELETE"]}, GAP),
        ({**NEW_PODS, "resources": ["deployments", "pods/exec"]}, GAP),
        ({**NEW_PODS, "apiGroups": ["apps"]}, GAP),
        ({**NEW_PODS, "scope": "Cluster"}, GAP),
        ({**NEW_PODS, "operations": ["*"], "apiGroups": [""], "resources": ["pods"]}, COVERED),
        ({**NEW_PODS, "scope": "Namespaced", "resources": ["*/*"]}, COVERED),
    ],
)
def test_a_webhook_must_be_asked_about_new_pods(rule: Json, state: CoverageState) -> None:
    """Its rules may leave them out."""
    objects = [a_webhook(rules=[rule]), *whole_gatekeeper("deny")[1:]]
    assert (audits(kubectl(*objects)).state, denies(kubectl(*objects)).state) == (state, state)


@pytest.mark.parametrize(
    ("selector", "state"),
    [
        ({"matchLabels": {"policy": "on"}}, GAP),
        ({"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["test"]}]}, GAP),
        ({"matchExpressions": [{"key": "policy", "operator": "Exists"}]}, GAP),
        ({"matchExpressions": [{"key": "admission.gatekeeper.sh/ignore", "operator": "DoesNotExist"}]}, COVERED),
        ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["aks"]}]}, COVERED),
        ({}, COVERED),
    ],
)
def test_a_webhook_that_is_asked_only_where_a_label_is_leaves_the_rest_open(
    selector: Json, state: CoverageState
) -> None:
    """One that keeps some namespaces out is usual."""
    objects = [a_webhook(namespaceSelector=selector), *whole_gatekeeper("deny")[1:]]
    assert (audits(kubectl(*objects)).state, denies(kubectl(*objects)).state) == (state, state)


def test_namespaces_that_gatekeeper_ignores_are_named() -> None:
    """A label is enough to leave a namespace out, so the verdict stays and says where the hole is."""
    selector = {"matchExpressions": [{"key": "admission.gatekeeper.sh/ignore", "operator": "DoesNotExist"}]}
    hole = a_namespace("payments-dev", {"admission.gatekeeper.sh/ignore": "true"})
    objects = [a_webhook(namespaceSelector=selector), *whole_gatekeeper()[1:], hole, a_namespace("shop", {})]
    found = audits(kubectl(*objects))
    assert found.state is COVERED
    assert [one for one in found.remarks if "payments-dev" in one]
    assert not [one for one in found.remarks if "shop" in one]


@pytest.mark.parametrize("webhook", [a_webhook("validation.example.com"), a_webhook(service="another-service")])
def test_a_webhook_of_somebody_elses_is_not_gatekeepers(webhook: Json) -> None:
    """Neither by another name nor with another service behind it."""
    assert audits(kubectl(webhook, *whole_gatekeeper()[1:])).state is GAP


@pytest.mark.parametrize(
    ("constraint", "does_audit", "does_deny"),
    [
        (a_constraint("deny"), COVERED, COVERED),
        (a_constraint(None), COVERED, COVERED),
        (a_constraint("warn"), COVERED, GAP),
        (a_constraint("dryrun"), COVERED, GAP),
        (a_constraint("refuse"), GAP, GAP),
        (scoped(("deny", "validation.gatekeeper.sh")), COVERED, COVERED),
        (scoped(("deny", "*")), COVERED, COVERED),
        (scoped(("warn", "validation.gatekeeper.sh"), ("deny", "audit.gatekeeper.sh")), COVERED, GAP),
        (scoped(("deny", "gator.gatekeeper.sh")), GAP, GAP),
        (scoped(), GAP, GAP),
        (a_constraint("deny", enforced=True), COVERED, COVERED),
        (a_constraint("deny", enforced=False), GAP, GAP),
        (_enforced_by("audit", "status"), COVERED, GAP),
        (_enforced_by("mutation-webhook", "webhook"), COVERED, COVERED),
        (_matching(kinds=[{"apiGroups": ["networking.k8s.io"], "kinds": ["Ingress"]}]), GAP, GAP),
        (_matching(kinds=[{"apiGroups": [""], "kinds": ["Namespace"]}]), GAP, GAP),
        (_matching(kinds=[{"apiGroups": ["apps"], "kinds": ["*"]}]), GAP, GAP),
        (_matching(kinds=[{"apiGroups": [""], "kinds": ["Service", "Pod"]}]), COVERED, COVERED),
        (_matching(kinds=[{"apiGroups": ["*"], "kinds": ["*"]}]), COVERED, COVERED),
        (_matching(kinds=[{"kinds": ["Pod"]}]), COVERED, COVERED),
        (_matching(kinds=[]), COVERED, COVERED),
        (_matching(scope="Cluster"), GAP, GAP),
        (_matching(scope="Namespaced"), COVERED, COVERED),
        (_matching(source="Generated"), GAP, GAP),
        (_matching(source="All"), COVERED, COVERED),
        (_matching(excludedNamespaces=["*"]), GAP, GAP),
        (_matching(excludedNamespaces=["kube-*"]), COVERED, COVERED),
        (_matching(namespaces=["shop"], excludedNamespaces=["shop"]), GAP, GAP),
        (_matching(namespaces=["shop", "pay"], excludedNamespaces=["shop"]), COVERED, COVERED),
        (_matching(namespaceSelector={"matchExpressions": [NO_NAMESPACE]}), GAP, GAP),
    ],
)
def test_what_a_constraint_does(constraint: Json, does_audit: CoverageState, does_deny: CoverageState) -> None:
    """Deny where nothing is said; by enforcement point where it is scoped; nothing where no pod is concerned."""
    objects = kubectl(*whole_gatekeeper()[:3], constraint)
    assert (audits(objects).state, denies(objects).state) == (does_audit, does_deny)


def _endpoints(*addresses: str) -> Json:
    subsets = [{"addresses": [{"ip": one} for one in addresses]}] if addresses else None
    metadata = {"name": "gatekeeper-webhook-service", "namespace": GATEKEEPER}
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": subsets}


def _slice(*ready: bool | None, name: str = "one", service: str = "gatekeeper-webhook-service") -> Json:
    labels = {"kubernetes.io/service-name": service}
    endpoints = [{"addresses": ["10.0.0.1"], "conditions": {"ready": one}} for one in ready]
    metadata = {"name": name, "namespace": GATEKEEPER, "labels": labels}
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata, "endpoints": endpoints}


@pytest.mark.parametrize(
    ("objects", "state"),
    [
        ([_endpoints()], GAP),
        ([_endpoints("10.0.0.1")], COVERED),
        ([_slice()], GAP),
        ([_slice(False)], GAP),
        ([_slice(False, True)], COVERED),
        ([_slice(None)], COVERED),
        ([_slice(), _slice(True, name="two")], COVERED),
        ([_slice(service="other")], COVERED),
        ([_endpoints(), _slice(True)], GAP),
        ([_endpoints("10.0.0.1"), _slice(False)], GAP),
    ],
)
def test_pods_that_no_service_leads_to_answer_nothing(objects: list[Json], state: CoverageState) -> None:
    """The API server asks the service; where it chooses other pods than Gatekeeper's, everything is admitted."""
    found = denies(kubectl(*whole_gatekeeper("deny"), *objects))
    assert found.state is state
    if state is GAP:
        assert found.remedy == f"kubectl describe service gatekeeper-webhook-service -n {GATEKEEPER} {IN_PAYMENTS}"


def test_one_slice_of_a_service_does_not_show_that_there_is_no_other() -> None:
    """A single object is no list."""
    found = denies(kubectl(*whole_gatekeeper("deny")), _slice(False))
    ask = f"kubectl get endpointslices -n {GATEKEEPER} -o json {IN_PAYMENTS} > payments.endpointslices.json"
    assert (found.state, found.remedy) == (UNKNOWN, ask)


@pytest.mark.parametrize(
    ("webhook", "state"),
    [
        (a_webhook(matchConditions=[{"name": "off", "expression": "false"}]), GAP),
        (a_webhook(matchConditions=[{"name": "some", "expression": "request.name != 'x'"}]), COVERED),
        (a_webhook(namespaceSelector={"matchExpressions": [NO_NAMESPACE]}), GAP),
        (a_webhook(clientConfig={"service": SERVICE, "caBundle": "Cg=="}), GAP),
        (a_webhook(clientConfig={"service": SERVICE, "caBundle": ""}), GAP),
        (a_webhook(clientConfig={"service": SERVICE, "caBundle": "LS0tLS1CRUdJTg=="}), COVERED),
        (a_webhook(clientConfig={"service": SERVICE, "caBundle": "not base64!"}), COVERED),
        (a_webhook(clientConfig={"service": SERVICE}), COVERED),
    ],
)
def test_a_webhook_that_can_never_answer_checks_nothing(webhook: Json, state: CoverageState) -> None:
    """It is there and named as it should be, and somebody switched it off, or it was never given its certificates."""
    objects = [webhook, *whole_gatekeeper("deny")[1:]]
    assert denies(kubectl(*objects)).state is state


def test_one_constraint_alone_does_not_show_that_no_other_denies() -> None:
    """A single object is no list; a list is."""
    rest = kubectl(*whole_gatekeeper()[:3])
    found = denies(rest, a_constraint("dryrun"))
    assert (found.state, found.remedy) == (UNKNOWN, f"{ASK_CONSTRAINTS} {IN_PAYMENTS} > payments.constraints.json")
    assert denies(rest, kubectl(a_constraint("dryrun"))).state is GAP


def test_no_constraint_in_a_whole_list_is_a_gap() -> None:
    """Gatekeeper is ready, and checks nothing."""
    rest = kubectl(*whole_gatekeeper()[:3])
    found = audits(rest)
    assert (found.state, found.remedy) == (UNKNOWN, f"{ASK_CONSTRAINTS} {IN_PAYMENTS} > payments.constraints.json")
    assert audits(rest, EMPTY).state is GAP


def test_constraints_limited_to_namespaces_are_named() -> None:
    """They deny, though not everywhere."""
    narrow = a_constraint("deny", name="only-shop", match={"namespaces": ["shop"]})
    found = denies(kubectl(*whole_gatekeeper()[:3], narrow))
    assert found.state is COVERED
    assert any("only-shop" in one and "limited" in one for one in found.remarks)


def test_documents_that_contradict_each_other_prove_the_worse() -> None:
    """The same constraint denies in one file and not in the other."""
    rest = kubectl(*whole_gatekeeper("deny"))
    found = denies(rest, kubectl(a_constraint("dryrun")))
    assert found.state is GAP
    assert any("contradict" in one for one in found.remarks)
    assert denies(rest, kubectl(a_constraint("deny"))).state is COVERED


def test_a_webhook_that_an_older_installation_left_behind_changes_nothing() -> None:
    """One webhook that works is enough, whichever comes first."""
    left = a_webhook(namespace="gatekeeper-old", configuration="left-behind")
    for objects in ([left, *whole_gatekeeper()], [*whole_gatekeeper(), left]):
        assert audits(kubectl(*objects)).state is COVERED
