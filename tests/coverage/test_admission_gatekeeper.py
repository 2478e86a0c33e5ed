"""Gatekeeper audits where its webhook is asked, its pods are ready and a constraint says so; none of them alone proves it."""

from functools import partial
from typing import Any

import pytest

from router.coverage.kubernetes.commands import ASK_CLUSTER, ASK_CONSTRAINTS
from router.coverage.verdicts import Verdict
from tests.coverage import admission_builders as adm
from tests.coverage.admission_builders import MANAGER, a_constraint, a_pod, a_webhook, audit, deny, whole_gatekeeper
from tests.coverage.builders import COVERED, GAP, IN_PAYMENTS, UNKNOWN, Hold, Json, kubectl

AROUND = adm.around_gatekeeper()
EMPTY = kubectl()
LAX = {"admission.gatekeeper.sh/ignore": "true", "team": "aks", "control-plane": "true"}
"""The labels of a namespace of somebody's, by which it is left out of much."""


def _asks(operator: str, *values: str, key: str = "team") -> Json:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": [*values]}]}


IGNORED = _asks("DoesNotExist", key="admission.gatekeeper.sh/ignore")
NO_NAMESPACE = _asks("DoesNotExist", key="kubernetes.io/metadata.name")
NOT_OFF, NO_GATE = _asks("NotIn", "off", key="gate"), _asks("DoesNotExist", key="gate")


def _with(webhook: Json) -> list[Json]:
    """Gatekeeper that denies, with that webhook."""
    return [webhook, *whole_gatekeeper("deny")[1:]]


def _selecting(selector: object, name: str = "namespaceSelector") -> list[Json]:
    fields: dict[str, Any] = {name: selector}
    return _with(a_webhook(**fields))


def _in_config(*configs: Json) -> list[Json]:
    return [*(one for one in whole_gatekeeper("deny") if one["kind"] != "Config"), *configs]


def _matching(**match: object) -> Json:
    """A constraint that denies what it matches."""
    return a_constraint("deny", match=match)


def _constrained(constraint: Json) -> list[Json]:
    """Gatekeeper with that constraint and no other."""
    return [*whole_gatekeeper()[:3], *AROUND, constraint]


def _enforced_by(*operations: str) -> Json:
    by_pod = [{"id": "one", "enforced": True, "operations": [*operations]}]
    return {**a_constraint("deny"), "status": {"byPod": by_pod}}


def _web(**labels: str) -> Json:
    """A pod of somebody's in a namespace of somebody's."""
    return a_pod("web", namespace="shop", labels=labels)


def test_gatekeeper_that_works_audits_and_each_part_of_it_is_asked_for(subtests: pytest.Subtests) -> None:
    """In one list or in several; without the service its pods are found by the label that says their work."""
    assert "Gatekeeper audits" in audit(*whole_gatekeeper()).reason
    parts = [*whole_gatekeeper()[: -len(adm.NAMESPACES)], kubectl(*adm.NAMESPACES)]
    assert adm.audits(*map(kubectl, parts[:-1]), parts[-1]).state is COVERED
    for left_out, part in enumerate(parts[:-1]):
        with subtests.test(without=part["kind"]):
            found = adm.audits(*parts[:left_out], *parts[left_out + 1 :])
            assert found.state is (COVERED if part["kind"] == "Service" else UNKNOWN)
            assert found.state is COVERED or (found.remedy or "").startswith("kubectl get ")


def test_only_ready_pods_behind_the_webhooks_service_count(hold: Hold) -> None:
    """With failurePolicy Ignore nobody is told. Evicted pods stay listed; only a list with room for pods shows that none is."""
    for of, beside, judge in ((MANAGER, adm.AUDIT, audit), (adm.AUDIT, MANAGER, audit), (MANAGER, adm.AUDIT, deny)):
        rest = [*AROUND, a_webhook(), a_constraint("deny"), a_pod(beside)]
        dark = a_pod(of, is_ready=False, restarts=917, waits="CrashLoopBackOff")
        describe = f"kubectl describe pod {of}-6c9f7d5b8-x2x4z -n {adm.GATEKEEPER} {IN_PAYMENTS}"
        hold(judge, (GAP, "CrashLoopBackOff, 917 restarts", describe, [*rest, dark]))
        hold(judge, (COVERED, [*rest, dark, a_pod(of, id="other")]))
    objects, system = [a_webhook(), a_constraint()], a_pod("coredns", namespace="kube-system")
    hold(audit, (UNKNOWN, objects, [*objects, system]), (GAP, [*objects, system, _web()]))
    assert adm.audits(kubectl(*objects), EMPTY).state is GAP

    def with_pods(*pods: Json) -> Verdict:
        return audit(*AROUND, a_webhook(), a_constraint(), a_pod(adm.AUDIT), *pods)

    other = a_pod("other", labels=adm.LABELS[MANAGER])
    gone, over, dark = (a_pod(MANAGER, is_ready=False, phase=one) for one in ("Failed", "Succeeded", "Running"))
    hold(
        with_pods,
        (COVERED, [a_pod(MANAGER)], [gone, other], [over, other]),
        (GAP, [a_pod(MANAGER, namespace="elsewhere")], [a_pod(MANAGER, labels={})], [a_pod(MANAGER, phase="Failed")]),
        (GAP, [dark]),
    )


def test_a_webhook_must_be_asked_about_new_pods_wherever_they_are(hold: Hold) -> None:
    """Its rules may leave them out, and its selector may ask for a label; one that keeps some namespaces out is usual."""
    named = _asks("In", "test", key="kubernetes.io/metadata.name")
    asked = [
        {**adm.NEW_PODS, "operations": ["*"], "apiGroups": [""], "resources": ["pods"]},
        {**adm.NEW_PODS, "scope": "Namespaced", "resources": ["*/*"]},
    ]
    changes = {"operations": ["UPDATE"], "resources": ["deployments", "pods/exec"], "apiGroups": ["apps"]}
    changed: list[Json] = [{**adm.NEW_PODS, name: value} for name, value in {**changes, "scope": "Cluster"}.items()]
    for judge in (audit, deny):
        hold(
            judge,
            (GAP, *(_with(a_webhook(rules=[rule])) for rule in changed)),
            (COVERED, *(_with(a_webhook(rules=[rule])) for rule in asked)),
            (GAP, *map(_selecting, ({"matchLabels": {"policy": "on"}}, named, _asks("Exists", key="policy")))),
            (COVERED, *map(_selecting, (IGNORED, _asks("NotIn", "aks"), {}))),
        )


def test_a_namespace_that_is_left_out_is_a_gap_that_names_it(hold: Hold) -> None:
    """Whatever leaves it out; those of the system may be left out. Nothing covers where nobody asked for the namespaces."""
    by_name = "kubernetes.io/metadata.name"
    selectors = [
        *(IGNORED, _asks("NotIn", "aks", "system"), _asks("In", "shop", "default")),
        *(_asks("DoesNotExist", key="control-plane"), _asks("NotIn", "pay-dev", key=by_name)),
        _asks("In", "shop", "default", key=by_name),
    ]
    of_webhook = adm.a_config("kube-*", "pay-*", processes=["webhook", "sync"])
    configs = [adm.a_config("pay-dev"), of_webhook, adm.a_config("*-dev")]
    constraints = [
        *(_matching(excludedNamespaces=["kube-system", "pay-dev"]), _matching(excludedNamespaces=["*-dev"])),
        *(_matching(namespaces=["shop", "default"]), _matching(namespaceSelector=IGNORED)),
    ]
    business = [adm.a_namespace(name, {"team": name}) for name in ("shop", "default")]
    for objects in (*map(_selecting, selectors), *map(_in_config, configs), *map(_constrained, constraints)):
        rest = [one for one in objects if one["kind"] != "Namespace"]
        there = [*rest, *adm.NAMESPACES[:2], *business]
        left_out = [*there, adm.a_namespace("pay-dev", LAX)]
        for judge in (audit, deny):
            hold(judge, (GAP, "namespace pay-dev:", left_out), (COVERED, there), (UNKNOWN, rest))


def test_what_leaves_a_namespace_out_is_named_with_the_line_that_takes_it_in_again() -> None:
    """The label is the evidence. Nothing here evaluates a condition in CEL, which may leave out any."""
    found = deny(*_selecting(IGNORED), adm.a_namespace("pay-dev", LAX))
    assert found.remedy == f"kubectl label namespace pay-dev admission.gatekeeper.sh/ignore- {IN_PAYMENTS}"
    shown = [(one.field, one.value) for one in found.evidence]
    assert ("metadata.labels.admission.gatekeeper.sh/ignore", "true") in shown
    condition = {"name": "not-for-payments", "expression": "request.namespace != 'payments'"}
    found = deny(*_with(a_webhook(matchConditions=[condition])))
    assert (found.state, "not-for-payments" in found.reason) == (UNKNOWN, True)
    remedy = "kubectl describe validatingwebhookconfiguration gatekeeper-validating-webhook-"
    assert (found.remedy or "").startswith(remedy)


def test_what_leaves_nothing_out_covers(hold: Hold) -> None:
    """Pods without a label that is asked for pass; several webhooks and constraints add up; no other configuration counts."""
    objects = "objectSelector"
    older = a_webhook(configuration="older", namespaceSelector=_asks("In", "a"))
    elsewhere = adm.a_config("shop", namespace="elsewhere")
    hold(
        deny,
        (GAP, _selecting({"matchLabels": {"gate": "on"}}, objects)),
        (UNKNOWN, _selecting(NOT_OFF, objects), _selecting(_asks("Gt", "3"))),
        (COVERED, [*_selecting(NOT_OFF, objects), _web()], [*_selecting(NO_GATE, objects), _web(gate2="off")]),
        (GAP, [*_selecting(NOT_OFF, objects), _web(gate="off")], [*_selecting(NO_GATE, objects), _web(gate="off")]),
        (COVERED, _in_config(adm.a_config("pay-dev", processes=["sync", "mutation-webhook"]))),
        (COVERED, _in_config(adm.a_config("shop", processes=["audit"])), _in_config(adm.a_config(), elsewhere)),
        (COVERED, _in_config(adm.a_config("kube-*", "gatekeeper-system", "azure-arc"))),
        (UNKNOWN, _in_config(elsewhere)),
        (GAP, [a_webhook(namespaceSelector=_asks("In", "a")), *_selecting(_asks("NotIn", "a"))[1:]]),
        (COVERED, [older, *_selecting(_asks("NotIn", "a")), adm.a_namespace("pay", {"team": "a"})]),
        (COVERED, [*whole_gatekeeper("deny"), {**_matching(excludedNamespaces=["shop"]), "kind": "K8sOther"}]),
        (GAP, _constrained(_matching(labelSelector=_asks("Exists"))), _constrained(_matching(name="web"))),
    )


def test_what_is_admitted_beside_a_gate_that_works_is_a_limit() -> None:
    """Each is said of a cell that is covered, in words that a person reads."""
    lax = a_constraint("warn", name="lax")
    scope = {**adm.scoped(("warn", "validation.gatekeeper.sh")), "metadata": {"name": "scoped"}}
    narrow = {**_matching(excludedNamespaces=["shop"]), "metadata": {"name": "narrow"}}
    found = deny(*_selecting(IGNORED), lax, scope, narrow)
    assert found.state is COVERED
    assert list(found.limits) == [
        "Gatekeeper: validation.gatekeeper.sh has failurePolicy Ignore: while no pod answers it, everything is admitted",
        "Gatekeeper: 2 of 4 constraints refuse nothing: 1 warn, 1 warn at validation.gatekeeper.sh",
        "system namespaces are left out: gatekeeper-system",
    ]
    assert set(found.limits) <= set(found.remarks)


def test_gatekeeper_is_found_by_what_its_pods_do_and_not_by_a_name(hold: Hold) -> None:
    """By the service or their own label; else one pod may do all work, and each constraint's status says which do what."""
    rest = [one for one in AROUND if one["kind"] != "Service"]
    made = [
        a_pod(f"gatekeeper-{name}", labels=adm.LABELS[work]) for name, work in (("c", MANAGER), ("auditor", adm.AUDIT))
    ]
    found = [a_webhook(), a_constraint("deny"), *made]
    for judge in (audit, deny):
        hold(judge, (COVERED, [*found, *AROUND], [*found, *rest]))
    labels, chosen = {"app": "gatekeeper"}, adm.a_service(selector={"app": "gatekeeper"})
    objects = [a_webhook(), a_constraint("deny"), a_pod(adm.AUDIT), *rest, chosen]
    others = ({**labels, adm.OPERATION: "audit"}, adm.LABELS[MANAGER])
    named = [[*objects, a_pod("policy", labels=one)] for one in (labels, *others)]
    hold(deny, (COVERED, named[0]), (GAP, *named[1:]))
    by_pod = [{"id": "gatekeeper-6c9f7d5b8-x2x4z", "enforced": True, "operations": ["audit", "status", "webhook"]}]
    alone = [a_webhook(), a_pod("gatekeeper", labels={}), {**a_constraint("deny"), "status": {"byPod": by_pod}}]
    hold(audit, (COVERED, [*alone, *rest]), (GAP, [*alone, *AROUND]))


def test_what_a_constraint_does(hold: Hold) -> None:
    """Deny where nothing is said; by enforcement point where it is scoped; nothing where no pod is concerned."""
    point = "validation.gatekeeper.sh"
    denying = [
        *(a_constraint("deny"), a_constraint(None), adm.scoped(("deny", point)), adm.scoped(("deny", "*"))),
        *(a_constraint("deny", enforced=True), _enforced_by("mutation-webhook", "webhook")),
        _matching(kinds=[{"apiGroups": [""], "kinds": ["Service", "Pod"]}]),
        _matching(kinds=[{"apiGroups": ["*"], "kinds": ["*"]}]),
        *(_matching(kinds=[{"kinds": ["Pod"]}]), _matching(kinds=[]), _matching(scope="Namespaced")),
        *(_matching(source="All"), _matching(excludedNamespaces=["kube-*"]), _matching(namespaces=["sh*", "def*"])),
    ]
    auditing = [
        *(a_constraint("warn"), a_constraint("dryrun"), _enforced_by("audit", "status")),
        adm.scoped(("warn", point), ("deny", "audit.gatekeeper.sh")),
    ]
    idle = [
        *(a_constraint("refuse"), adm.scoped(("deny", "gator.gatekeeper.sh")), adm.scoped()),
        a_constraint("deny", enforced=False),
        _matching(kinds=[{"apiGroups": ["networking.k8s.io"], "kinds": ["Ingress"]}]),
        _matching(kinds=[{"apiGroups": [""], "kinds": ["Namespace"]}]),
        *(_matching(kinds=[{"apiGroups": ["apps"], "kinds": ["*"]}]), _matching(scope="Cluster")),
        *(_matching(source="Generated"), _matching(excludedNamespaces=["*"])),
        _matching(namespaces=["shop"], excludedNamespaces=["shop"]),
        _matching(namespaces=["shop", "pay"], excludedNamespaces=["shop"]),
        _matching(namespaceSelector=NO_NAMESPACE),
    ]
    of_all = [[_constrained(one) for one in some] for some in (denying, auditing, idle)]
    hold(audit, (COVERED, *of_all[0], *of_all[1]), (GAP, *of_all[2]))
    hold(deny, (COVERED, " constraints deny: ", *of_all[0]), (GAP, *of_all[1], *of_all[2]))


def test_pods_that_no_service_leads_to_answer_nothing(hold: Hold) -> None:
    """The API server asks the service; a single slice is no list, and a list of services without it says so."""
    led = [one for one in whole_gatekeeper("deny") if one["kind"] != "EndpointSlice"]
    ready, gone = f"{MANAGER}-6c9f7d5b8-x2x4z", "of-last-week"
    dark = [adm.a_slice(None, pods=["dark-6c9f7d5b8-x2x4z"]), a_pod("dark", is_ready=False)]
    ask = f"{ASK_CLUSTER} {IN_PAYMENTS} > payments.json"
    line = f"kubectl describe service gatekeeper-webhook-service -n {adm.GATEKEEPER} {IN_PAYMENTS}"
    hold(
        partial(deny, *led),
        (UNKNOWN, "", ask, []),
        (GAP, "", line, [adm.a_slice()], [adm.a_slice(False)], dark),
        (GAP, "", line, [adm.a_slice(True, service="other")], [adm.a_slice(True, pods=[gone])]),
        (COVERED, [adm.a_slice(False, True)], [adm.a_slice(None)], [adm.a_slice(), adm.a_slice(True, name="two")]),
        (COVERED, [adm.a_slice(True, pods=[ready])], [adm.a_slice(True, True, pods=[gone, ready])]),
        (COVERED, [adm.a_slice(True), adm.a_service("other")]),
    )
    hold(adm.denies, (UNKNOWN, "", ask, [kubectl(*led), adm.a_slice(False)]))
    without = [one for one in led if one["kind"] != "Service"]
    others = [*without, adm.a_service("other"), adm.a_slice(True)]
    hold(deny, (GAP, others, [a_webhook(service="another"), *led[1:]]))


def test_a_webhook_that_can_never_answer_checks_nothing(hold: Hold) -> None:
    """It is there and named as it should be, and somebody switched it off, or it was never given its certificates."""

    def asking(**fields: Any) -> list[Json]:
        return _with(a_webhook(**fields))

    service = {"name": "gatekeeper-webhook-service", "namespace": adm.GATEKEEPER}
    bundles = {GAP: ("Cg==", ""), COVERED: ("LS0tLS1CRUdJTg==", "not base64!", None)}
    by_bundle = {
        state: [asking(clientConfig={"service": service, **({} if one is None else {"caBundle": one})}) for one in some]
        for state, some in bundles.items()
    }
    off, all = ([{"name": "one", "expression": one}] for one in ("false", "true"))
    hold(
        deny,
        (GAP, asking(matchConditions=off), asking(namespaceSelector=NO_NAMESPACE), *by_bundle[GAP]),
        (COVERED, asking(matchConditions=all), *by_bundle[COVERED]),
    )


def test_only_a_list_of_constraints_shows_that_no_other_denies(hold: Hold) -> None:
    """A single one is no list. Of two documents the worse one counts; what is left of an older installation changes nothing."""
    rest = kubectl(*AROUND, *whole_gatekeeper()[:3])
    ask = f"{ASK_CONSTRAINTS} {IN_PAYMENTS} > payments.constraints.json"
    dryrun, whole, gatekeeper = a_constraint("dryrun"), kubectl(*whole_gatekeeper("deny")), whole_gatekeeper()
    left = a_webhook(namespace="gatekeeper-old", configuration="left-behind")
    others = (a_webhook("validation.example.com"), a_webhook(service="another-service"))
    hold(
        adm.denies,
        (UNKNOWN, "", ask, [rest, dryrun]),
        (GAP, [rest, kubectl(dryrun)], [whole, kubectl(dryrun)]),
        (COVERED, [whole, kubectl(a_constraint("deny"))]),
    )
    hold(adm.audits, (UNKNOWN, "", ask, [rest]), (GAP, [rest, EMPTY]))
    hold(audit, (COVERED, [left, *gatekeeper], [*gatekeeper, left]), (GAP, *([one, *gatekeeper[1:]] for one in others)))
