"""Gatekeeper audits where its webhook is asked, its pods are ready and a constraint says so; none of them alone proves it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from router.coverage.kubernetes.commands import ASK_CLUSTER, ASK_CONSTRAINTS
from router.coverage.verdicts import CoverageState, Verdict
from tests.coverage.admission_builders import (
    AUDIT,
    GATEKEEPER,
    LABELS,
    MANAGER,
    NAMESPACES,
    NEW_PODS,
    OPERATION,
    a_config,
    a_constraint,
    a_namespace,
    a_pod,
    a_service,
    a_slice,
    a_webhook,
    around_gatekeeper,
    audits,
    denies,
    scoped,
    whole_gatekeeper,
)
from tests.coverage.builders import IN_PAYMENTS, Json, kubectl

type Rung = Callable[..., Verdict]
COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN
AROUND = around_gatekeeper()
EMPTY = {"apiVersion": "v1", "kind": "List", "items": [], "metadata": {"resourceVersion": ""}}
NO_NAMESPACE = {"key": "kubernetes.io/metadata.name", "operator": "DoesNotExist"}
SERVICE = {"name": "gatekeeper-webhook-service", "namespace": GATEKEEPER}


def _enforced_by(*operations: str) -> Json:
    """A constraint that one pod enforces which does that work."""
    by_pod = [{"id": "one", "enforced": True, "operations": [*operations]}]
    return {**a_constraint("deny"), "status": {"byPod": by_pod}}


def _web(**labels: str) -> Json:
    """A pod of somebody's in a namespace of somebody's."""
    return a_pod("web", namespace="shop", labels=labels)


def _matching(**match: object) -> Json:
    """A constraint that denies what it matches."""
    return a_constraint("deny", match=match)


def test_gatekeeper_that_works_audits() -> None:
    """Webhook, pods and a constraint, in one list or in several."""
    found = audits(kubectl(*whole_gatekeeper()))
    assert found.state is COVERED
    assert "Gatekeeper audits" in found.reason
    apart = [kubectl(one) for one in whole_gatekeeper()[: -len(NAMESPACES)]]
    assert audits(*apart, kubectl(*NAMESPACES)).state is COVERED


@pytest.mark.parametrize("left_out", [0, 1, 2, 3, 5, 6])
def test_what_was_not_asked_is_unknown(left_out: int) -> None:
    """Each part is needed, with where the service leads, the configuration and the namespaces; the verdict says what to ask.

    Without the service its pods are found by the label that says their work.
    """
    parts = [*whole_gatekeeper()[: -len(NAMESPACES)], kubectl(*NAMESPACES)]
    assert audits(*parts[:4], *parts[5:]).state is COVERED
    del parts[left_out]
    found = audits(*parts)
    assert found.state is UNKNOWN
    assert found.remedy is not None
    assert found.remedy.startswith("kubectl get ")


@pytest.mark.parametrize(("of", "rung"), [(MANAGER, audits), (AUDIT, audits), (MANAGER, denies)])
def test_a_webhook_without_ready_pods_admits_everything(of: str, rung: object) -> None:
    """With failurePolicy Ignore nobody is told, so the pods' state and their restarts are."""
    assert callable(rung)
    objects = [*AROUND, a_webhook(), a_constraint("deny"), *(a_pod(one) for one in (MANAGER, AUDIT) if one != of)]
    dark = a_pod(of, is_ready=False, restarts=917, waits="CrashLoopBackOff")
    found = rung(kubectl(*objects, dark))
    assert found.state is GAP
    assert "CrashLoopBackOff, 917 restarts" in found.reason
    assert found.remedy == f"kubectl describe pod {of}-6c9f7d5b8-x2x4z -n {GATEKEEPER} {IN_PAYMENTS}"
    assert rung(kubectl(*objects, dark, a_pod(of, id="other"))).state is COVERED


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
        (a_pod(MANAGER, labels={}), GAP),
        (a_pod(MANAGER, phase="Failed"), GAP),
        (a_pod(MANAGER), COVERED),
    ],
)
def test_only_running_pods_behind_the_webhooks_service_count(pod: Json, state: CoverageState) -> None:
    """Evicted pods stay listed, and a pod of that name in another namespace answers nobody."""
    assert audits(kubectl(*AROUND, a_webhook(), a_constraint(), a_pod(AUDIT), pod)).state is state


@pytest.mark.parametrize(("phase", "state"), [("Failed", COVERED), ("Succeeded", COVERED), ("Running", GAP)])
def test_a_pod_that_was_evicted_says_nothing_of_those_that_run(phase: str, state: CoverageState) -> None:
    """It stays listed, not ready, for long."""
    pod = a_pod(MANAGER, is_ready=False, phase=phase)
    other = a_pod("other", labels=LABELS[MANAGER])
    objects = [*AROUND, a_webhook(), a_constraint(), a_pod(AUDIT), pod, *([other] if state is COVERED else [])]
    assert audits(kubectl(*objects)).state is state


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


IGNORED = {"key": "admission.gatekeeper.sh/ignore", "operator": "DoesNotExist"}


def _expression(operator: str, *values: str, key: str = "team") -> Json:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": [*values]}]}


def _selecting(selector: object, name: str = "namespaceSelector") -> list[Json]:
    """Gatekeeper that denies, with a webhook that has a selector."""
    fields: dict[str, Any] = {name: selector}
    return [a_webhook(**fields), *whole_gatekeeper("deny")[1:]]


def _in_config(config: Json) -> list[Json]:
    return [*(one for one in whole_gatekeeper("deny") if one["kind"] != "Config"), config]


LAX = {"admission.gatekeeper.sh/ignore": "true", "team": "aks", "control-plane": "true"}
"""The labels of a namespace of somebody's, by which it is left out of much."""


@pytest.mark.parametrize(
    "objects",
    [
        _selecting({"matchExpressions": [IGNORED]}),
        _selecting(_expression("NotIn", "aks", "system")),
        _selecting(_expression("In", "shop", "default")),
        _selecting(_expression("DoesNotExist", key="control-plane")),
        _selecting(_expression("NotIn", "pay-dev", key="kubernetes.io/metadata.name")),
        _selecting(_expression("In", "shop", "default", key="kubernetes.io/metadata.name")),
        _in_config(a_config("pay-dev")),
        _in_config(a_config("kube-*", "pay-*", processes=["webhook", "sync"])),
        _in_config(a_config("*-dev", processes=["webhook"])),
        [*whole_gatekeeper()[:3], *AROUND, _matching(excludedNamespaces=["kube-system", "pay-dev"])],
        [*whole_gatekeeper()[:3], *AROUND, _matching(excludedNamespaces=["*-dev"])],
        [*whole_gatekeeper()[:3], *AROUND, _matching(namespaces=["shop", "default"])],
        [*whole_gatekeeper()[:3], *AROUND, _matching(namespaceSelector={"matchExpressions": [IGNORED]})],
    ],
)
@pytest.mark.parametrize("rung", [audits, denies])
def test_a_namespace_that_is_left_out_is_a_gap_that_names_it(objects: list[Json], rung: Rung) -> None:
    """Whatever leaves it out, while all other namespaces are looked at; those of the system may be left out.

    Nothing covers where nobody asked for the namespaces: a label is enough to leave one out.
    """
    rest = [one for one in objects if one["kind"] != "Namespace"]
    business = [a_namespace(name, {"team": name}) for name in ("shop", "default")]
    system = NAMESPACES[:2]
    found = rung(kubectl(*rest, *system, *business, a_namespace("pay-dev", LAX)))
    assert (found.state, "namespace pay-dev:" in found.reason) == (GAP, True), found.reason
    assert rung(kubectl(*rest, *system, *business)).state is COVERED
    assert rung(kubectl(*rest)).state is UNKNOWN


def test_a_namespace_that_is_left_out_by_a_label_is_taken_in_again_by_one_line() -> None:
    """The label that leaves it out is the evidence."""
    objects = [*_selecting({"matchExpressions": [IGNORED]}), a_namespace("pay-dev", LAX)]
    found = denies(kubectl(*objects))
    assert found.remedy == f"kubectl label namespace pay-dev admission.gatekeeper.sh/ignore- {IN_PAYMENTS}"
    assert ("metadata.labels.admission.gatekeeper.sh/ignore", "true") in [
        (one.field, one.value) for one in found.evidence
    ]


@pytest.mark.parametrize(
    ("objects", "state"),
    [
        (_selecting({"matchLabels": {"gate": "on"}}, "objectSelector"), GAP),
        (_selecting(_expression("NotIn", "off", key="gate"), "objectSelector"), UNKNOWN),
        ([*_selecting(_expression("NotIn", "off", key="gate"), "objectSelector"), _web()], COVERED),
        ([*_selecting(_expression("NotIn", "off", key="gate"), "objectSelector"), _web(gate="off")], GAP),
        ([*_selecting(_expression("DoesNotExist", key="gate"), "objectSelector"), _web(gate="off")], GAP),
        ([*_selecting(_expression("DoesNotExist", key="gate"), "objectSelector"), _web(gate2="off")], COVERED),
        (_selecting(_expression("Gt", "3")), UNKNOWN),
        (_in_config(a_config("pay-dev", processes=["sync", "mutation-webhook"])), COVERED),
        (_in_config(a_config("shop", processes=["audit"])), COVERED),
        (_in_config(a_config("shop", namespace="elsewhere")), UNKNOWN),
        ([*_in_config(a_config()), a_config("shop", namespace="elsewhere")], COVERED),
        (_in_config(a_config("kube-*", "gatekeeper-system", "azure-arc")), COVERED),
        ([a_webhook(namespaceSelector=_expression("In", "a")), *_selecting(_expression("NotIn", "a"))[1:]], GAP),
        (
            [
                a_webhook(configuration="older", namespaceSelector=_expression("In", "a")),
                *_selecting(_expression("NotIn", "a")),
                a_namespace("pay", {"team": "a"}),
            ],
            COVERED,
        ),
        ([*whole_gatekeeper("deny"), {**_matching(excludedNamespaces=["shop"]), "kind": "K8sOther"}], COVERED),
        ([*whole_gatekeeper()[:3], *AROUND, _matching(labelSelector=_expression("Exists"))], GAP),
        ([*whole_gatekeeper()[:3], *AROUND, _matching(name="web")], GAP),
    ],
)
def test_what_leaves_nothing_out_covers(objects: list[Json], state: CoverageState) -> None:
    """Pods without a label that is asked for pass; several webhooks and constraints add up; no other configuration counts."""
    found = denies(kubectl(*objects))
    assert found.state is state, found.reason


def test_a_condition_in_cel_is_unknown_and_named() -> None:
    """Nothing here evaluates it, and it may leave out any namespace."""
    condition = {"name": "not-for-payments", "expression": "request.namespace != 'payments'"}
    found = denies(kubectl(a_webhook(matchConditions=[condition]), *whole_gatekeeper("deny")[1:]))
    assert (found.state, "not-for-payments" in found.reason) == (UNKNOWN, True)
    assert found.remedy is not None
    assert found.remedy.startswith("kubectl describe validatingwebhookconfiguration gatekeeper-validating-webhook-")


def test_what_is_admitted_beside_a_gate_that_works_is_a_limit() -> None:
    """Each is said of a cell that is covered, in words that a person reads."""
    lax = a_constraint("warn", name="lax")
    scope = {**scoped(("warn", "validation.gatekeeper.sh")), "metadata": {"name": "scoped"}}
    narrow = {**_matching(excludedNamespaces=["shop"]), "metadata": {"name": "narrow"}}
    found = denies(kubectl(*_selecting({"matchExpressions": [IGNORED]}), lax, scope, narrow))
    assert found.state is COVERED
    assert list(found.limits) == [
        "Gatekeeper: validation.gatekeeper.sh has failurePolicy Ignore: while no pod answers it, everything is admitted",
        "Gatekeeper: 2 of 4 constraints refuse nothing: 1 warn, 1 warn at validation.gatekeeper.sh",
        "system namespaces are left out: gatekeeper-system",
    ]
    assert set(found.limits) <= set(found.remarks)


@pytest.mark.parametrize("has_service", [True, False])
def test_gatekeeper_is_found_by_what_its_pods_do_and_not_by_a_name(has_service: bool) -> None:
    """The add-on of AKS calls its Deployment gatekeeper-controller; a service chooses pods, and so does their own label."""
    names = (("gatekeeper-controller", MANAGER), ("gatekeeper-auditor", AUDIT))
    made = [a_pod(name, labels=LABELS[work]) for name, work in names]
    around = [one for one in AROUND if has_service or one["kind"] != "Service"]
    found = denies(kubectl(a_webhook(), a_constraint("deny"), *made, *around))
    assert found.state is COVERED, found.reason
    assert audits(kubectl(a_webhook(), a_constraint("deny"), *made, *around)).state is COVERED


@pytest.mark.parametrize(
    ("selector", "labels", "state"),
    [
        ({"app": "gatekeeper"}, {"app": "gatekeeper"}, COVERED),
        ({"app": "gatekeeper"}, {"app": "gatekeeper", OPERATION: "audit"}, GAP),
        ({"app": "gatekeeper"}, LABELS[MANAGER], GAP),
    ],
)
def test_the_service_of_the_webhook_chooses_the_pods(
    selector: dict[str, str], labels: dict[str, str], state: CoverageState
) -> None:
    """Whatever they are labelled; pods that it does not choose, or that say to do other work, answer nothing."""
    rest = [one for one in AROUND if one["kind"] != "Service"]
    objects = [a_webhook(), a_constraint("deny"), a_pod(AUDIT), a_pod("policy", labels=labels), *rest]
    assert denies(kubectl(*objects, a_service(selector=selector))).state is state


def test_one_pod_may_do_all_work_of_gatekeeper() -> None:
    """Each constraint says in its status which pods do what."""
    by_pod = [{"id": "gatekeeper-6c9f7d5b8-x2x4z", "enforced": True, "operations": ["audit", "status", "webhook"]}]
    constraint = {**a_constraint("deny"), "status": {"byPod": by_pod}}
    objects = [a_webhook(), a_pod("gatekeeper", labels={}), constraint, *AROUND[1:]]
    assert audits(kubectl(*objects)).state is COVERED
    assert audits(kubectl(*objects, a_service())).state is GAP


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
        (_matching(namespaces=["shop", "pay"], excludedNamespaces=["shop"]), GAP, GAP),
        (_matching(namespaces=["sh*", "def*"]), COVERED, COVERED),
        (_matching(namespaceSelector={"matchExpressions": [NO_NAMESPACE]}), GAP, GAP),
    ],
)
def test_what_a_constraint_does(constraint: Json, does_audit: CoverageState, does_deny: CoverageState) -> None:
    """Deny where nothing is said; by enforcement point where it is scoped; nothing where no pod is concerned."""
    objects = kubectl(*AROUND, *whole_gatekeeper()[:3], constraint)
    assert (audits(objects).state, denies(objects).state) == (does_audit, does_deny)
    if does_deny is COVERED:
        assert " constraints deny: " in denies(objects).reason


LED = [one for one in whole_gatekeeper("deny") if one["kind"] != "EndpointSlice"]
"""Gatekeeper that denies, of which nobody asked where its service leads."""
READY = f"{MANAGER}-6c9f7d5b8-x2x4z"


@pytest.mark.parametrize(
    ("objects", "state"),
    [
        ([], UNKNOWN),
        ([a_slice()], GAP),
        ([a_slice(False)], GAP),
        ([a_slice(False, True)], COVERED),
        ([a_slice(None)], COVERED),
        ([a_slice(), a_slice(True, name="two")], COVERED),
        ([a_slice(True, service="other")], GAP),
        ([a_slice(True, pods=[READY])], COVERED),
        ([a_slice(True, pods=["of-last-week"])], GAP),
        ([a_slice(None, pods=["dark-6c9f7d5b8-x2x4z"]), a_pod("dark", is_ready=False)], GAP),
        ([a_slice(True, True, pods=["of-last-week", READY])], COVERED),
        ([a_slice(True), a_service("other")], COVERED),
    ],
)
def test_pods_that_no_service_leads_to_answer_nothing(objects: list[Json], state: CoverageState) -> None:
    """The API server asks the service; endpoints that are not ready, or of pods that are gone, lead to nothing."""
    found = denies(kubectl(*LED, *objects))
    assert found.state is state, found.reason
    if state is GAP:
        assert found.remedy == f"kubectl describe service gatekeeper-webhook-service -n {GATEKEEPER} {IN_PAYMENTS}"
    if state is UNKNOWN:
        assert found.remedy == f"{ASK_CLUSTER} {IN_PAYMENTS} > payments.json"


def test_a_service_that_is_not_there_leads_nowhere() -> None:
    """Every cluster has services, so a list of them without it says so."""
    objects = [one for one in LED if one["kind"] != "Service"]
    assert denies(kubectl(*objects, a_service("other"), a_slice(True))).state is GAP
    assert denies(kubectl(a_webhook(service="another"), *LED[1:])).state is GAP


def test_one_slice_of_a_service_does_not_show_that_there_is_no_other() -> None:
    """A single object is no list."""
    found = denies(kubectl(*LED), a_slice(False))
    assert (found.state, found.remedy) == (UNKNOWN, f"{ASK_CLUSTER} {IN_PAYMENTS} > payments.json")


@pytest.mark.parametrize(
    ("webhook", "state"),
    [
        (a_webhook(matchConditions=[{"name": "off", "expression": "false"}]), GAP),
        (a_webhook(matchConditions=[{"name": "all", "expression": "true"}]), COVERED),
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
    rest = kubectl(*AROUND, *whole_gatekeeper()[:3])
    found = denies(rest, a_constraint("dryrun"))
    assert (found.state, found.remedy) == (UNKNOWN, f"{ASK_CONSTRAINTS} {IN_PAYMENTS} > payments.constraints.json")
    assert denies(rest, kubectl(a_constraint("dryrun"))).state is GAP


def test_no_constraint_in_a_whole_list_is_a_gap() -> None:
    """Gatekeeper is ready, and checks nothing."""
    rest = kubectl(*AROUND, *whole_gatekeeper()[:3])
    found = audits(rest)
    assert (found.state, found.remedy) == (UNKNOWN, f"{ASK_CONSTRAINTS} {IN_PAYMENTS} > payments.constraints.json")
    assert audits(rest, EMPTY).state is GAP


def test_documents_that_contradict_each_other_prove_the_worse() -> None:
    """The same constraint denies in one file and not in the other."""
    rest = kubectl(*whole_gatekeeper("deny"))
    assert denies(rest, kubectl(a_constraint("dryrun"))).state is GAP
    assert denies(rest, kubectl(a_constraint("deny"))).state is COVERED


def test_a_webhook_that_an_older_installation_left_behind_changes_nothing() -> None:
    """One webhook that works is enough, whichever comes first."""
    left = a_webhook(namespace="gatekeeper-old", configuration="left-behind")
    for objects in ([left, *whole_gatekeeper()], [*whole_gatekeeper(), left]):
        assert audits(kubectl(*objects)).state is COVERED
