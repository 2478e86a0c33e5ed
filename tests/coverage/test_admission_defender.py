"""Defender's own two gates: a webhook that needs a pod and a rule, and a policy that needs a binding and no pod."""

from __future__ import annotations

import pytest

from router.coverage.kubernetes.commands import ASK_IMAGE_RULES, ASK_POLICIES
from router.coverage.verdicts import CoverageState
from tests.coverage.admission_builders import (
    DEFAULT,
    IMAGE,
    MDC,
    NAMESPACES,
    NEW_PODS,
    a_binding,
    a_pod,
    a_policy,
    a_service,
    a_webhook,
    an_artifact_policy,
    an_event,
    an_image_webhook,
    audits,
    denies,
    whole_image_gate,
    whole_misconfiguration_gate,
)
from tests.coverage.builders import IN_PAYMENTS, Json, kubectl

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN
EMPTY = {"apiVersion": "v1", "kind": "List", "items": []}
ONLY_SHOP = {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}
NOT_SHOP = {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["shop"]}]}
CUSTOM = "ps-block-misconfig-privileged-containers-should-be-avoided"


@pytest.mark.parametrize(
    ("action", "does_deny"), [("audit", GAP), ("Audit", GAP), ("deny", COVERED), ("Deny", COVERED), ("Block", COVERED)]
)
def test_the_rule_decides_whether_the_image_gate_denies(action: str, does_deny: CoverageState) -> None:
    """It audits from the day on which it is made."""
    objects = kubectl(*whole_image_gate(action))
    assert (audits(objects).state, denies(objects).state) == (COVERED, does_deny)


def test_an_image_gate_without_its_rules_is_unknown() -> None:
    """Webhook and pod show nothing of what it does; the verdict says how to ask."""
    webhook_and_pod = kubectl(*(one for one in whole_image_gate() if one["kind"] != "SecurityArtifactPolicy"))
    found = audits(webhook_and_pod)
    assert (found.state, found.remedy) == (
        UNKNOWN,
        f"{ASK_IMAGE_RULES} {IN_PAYMENTS} > payments.securityartifactpolicies.json",
    )
    assert audits(webhook_and_pod, EMPTY).state is GAP
    assert audits(webhook_and_pod, kubectl(an_artifact_policy("ponder"))).state is GAP


def test_an_image_gate_that_crashes_for_days_is_a_gap() -> None:
    """A lab's did, with nobody told: the webhook ignores failures."""
    dark = a_pod(IMAGE, namespace=MDC, is_ready=False, restarts=917, waits="CrashLoopBackOff")
    gate = [one for one in whole_image_gate("deny") if one["kind"] != "Pod"]
    found = audits(kubectl(*gate, dark))
    assert found.state is GAP
    assert "917 restarts" in found.reason
    assert (
        found.remedy == "kubectl describe pod defender-admission-controller-6c9f7d5b8-x2x4z -n mdc --context payments"
    )


@pytest.mark.parametrize(
    ("webhook", "state"),
    [
        (an_image_webhook(), COVERED),
        (an_image_webhook(namespace="kube-system"), GAP),
        (an_image_webhook(rules=[{**NEW_PODS, "operations": ["UPDATE"]}]), GAP),
        (a_webhook("defender-admission-controller.mdc.svc", service="another", namespace=MDC), GAP),
        (a_webhook("twistlock-defender-admission-controller.mdc.svc", service=IMAGE, namespace=MDC), GAP),
    ],
)
def test_the_webhook_leads_to_the_pod_that_is_ready(webhook: Json, state: CoverageState) -> None:
    """One that leads to another namespace, or that is another vendor's, is answered by nobody of Defender's."""
    elsewhere = [a_pod("coredns", namespace="kube-system"), a_service("kube-dns", namespace="kube-system")]
    assert audits(kubectl(webhook, *whole_image_gate()[1:], *elsewhere)).state is state


def test_what_the_image_gate_never_sees_is_said() -> None:
    """Images without scan results, registries that Defender does not scan, and everything while no pod answers."""
    rule = an_artifact_policy("deny", unsupportedRegistries=["docker.io"])
    gate = [one for one in whole_image_gate() if one["kind"] != "SecurityArtifactPolicy"]
    found = denies(kubectl(*gate, rule))
    assert found.state is COVERED
    for part in ("without scan results", "docker.io", "failurePolicy Ignore"):
        assert any(part in one for one in found.limits), part
    strict = denies(kubectl(*gate, an_artifact_policy("deny", blockUnscannedImages=True)))
    assert not any("without scan results" in one for one in strict.remarks)


@pytest.mark.parametrize(
    ("actions", "does_audit", "does_deny"),
    [
        (["Audit"], COVERED, GAP),
        (["Warn", "Audit"], COVERED, GAP),
        (["Deny"], COVERED, COVERED),
        (["Deny", "Audit"], COVERED, COVERED),
        ([], GAP, GAP),
        (["Ponder"], GAP, GAP),
    ],
)
def test_the_binding_decides_what_a_policy_does(
    actions: list[str], does_audit: CoverageState, does_deny: CoverageState
) -> None:
    """No pod is needed: the API server evaluates it."""
    objects = kubectl(a_policy(), a_binding(*actions))
    assert (audits(objects).state, denies(objects).state) == (does_audit, does_deny)


def test_neither_policy_nor_binding_alone_proves_anything() -> None:
    """Unknown where the other was not asked for, a gap where it is not there."""
    policy, binding = whole_misconfiguration_gate()
    for alone in (policy, binding):
        found = audits(kubectl(alone))
        assert (found.state, found.remedy) == (
            UNKNOWN,
            f"{ASK_POLICIES} {IN_PAYMENTS} > payments.validatingadmissionpolicies.json",
        )
    others = a_policy("aks-managed-protect-endpoints"), a_binding("Deny", name="aks-managed-protect-endpoints")
    assert audits(kubectl(policy, *others)).state is GAP
    assert audits(kubectl(binding, *others)).state is GAP


@pytest.mark.parametrize(
    ("policy", "state"),
    [
        (a_policy(CUSTOM), GAP),
        (a_policy(CUSTOM, paramKind={"apiVersion": "somebody.example.com/v1", "kind": "Params"}), GAP),
        (a_policy(CUSTOM, auditAnnotations=[{"key": "owner", "valueExpression": "'platform'"}]), GAP),
        (a_policy(CUSTOM, paramKind={"apiVersion": "defender.microsoft.com/v1", "kind": "Params"}), COVERED),
        (a_policy(CUSTOM, auditAnnotations=[{"key": "owner", "valueExpression": "'MDC'"}]), COVERED),
        ({**a_policy(CUSTOM), "metadata": {"name": f"{CUSTOM}.vap", "labels": {"defender/owner": "MDC"}}}, COVERED),
    ],
)
def test_a_policy_of_somebody_elses_does_not_count(policy: Json, state: CoverageState) -> None:
    """It is spoken of, so that nobody wonders."""
    found = denies(kubectl(policy, a_binding("Deny", name=CUSTOM), a_webhook("other.example.com")))
    assert found.state is state
    assert any(CUSTOM in one for one in found.remarks) is (state is GAP)


@pytest.mark.parametrize(
    ("policy", "matched", "state"),
    [
        (a_policy(rules=[{**NEW_PODS, "resources": ["ingresses"]}]), {}, GAP),
        (a_policy(), {"resourceRules": [{**NEW_PODS, "operations": ["DELETE"]}]}, GAP),
        (a_policy(), {"excludeResourceRules": [NEW_PODS]}, GAP),
        (a_policy(), {"resourceRules": [NEW_PODS]}, COVERED),
        (a_policy(), {"namespaceSelector": {"matchLabels": {"team": "shop"}}}, GAP),
        (a_policy(), {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}, GAP),
        (
            a_policy(),
            {"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}},
            COVERED,
        ),
        (a_policy(), {"objectSelector": {"matchLabels": {"team": "shop"}}}, GAP),
        (a_policy(matchConstraints={"resourceRules": [NEW_PODS], "namespaceSelector": ONLY_SHOP}), {}, GAP),
    ],
)
def test_a_policy_must_be_evaluated_for_new_pods(policy: Json, matched: Json, state: CoverageState) -> None:
    """Policy and binding can each leave them out, or those of some namespaces, which are named."""
    found = audits(kubectl(policy, a_binding("Audit", matchResources=matched), *NAMESPACES))
    assert found.state is state, found.reason
    if "Selector" in str((policy, matched)) and state is GAP:
        assert "default" in found.reason


def test_bindings_of_several_namespaces_add_up() -> None:
    """Each takes some, and together they take all."""
    some = [
        a_binding(
            "Deny", name=f"{DEFAULT}.{name}", binds=f"{DEFAULT}.vap", matchResources={"namespaceSelector": selector}
        )
        for name, selector in (("shop", ONLY_SHOP), ("rest", NOT_SHOP))
    ]
    assert denies(kubectl(a_policy(), *some, *NAMESPACES)).state is COVERED
    assert denies(kubectl(a_policy(), some[0], *NAMESPACES)).state is GAP
    assert denies(kubectl(a_policy(), *some)).state is UNKNOWN


@pytest.mark.parametrize(
    "other",
    [
        a_policy(rules=[{**NEW_PODS, "resources": ["ingresses"]}]),
        a_policy(matchConstraints={"resourceRules": [NEW_PODS], "namespaceSelector": ONLY_SHOP}),
        a_policy(matchConditions=[{"name": "some", "expression": "object.metadata.name != ''"}]),
        a_binding("Deny", matchResources={"namespaceSelector": ONLY_SHOP}),
        a_binding("Deny", matchResources={"excludeResourceRules": [NEW_PODS]}),
    ],
)
def test_of_two_documents_of_a_policy_or_binding_the_worse_one_counts(other: Json) -> None:
    """In whatever they differ, and in either order."""
    whole = kubectl(*whole_misconfiguration_gate("Deny"), *NAMESPACES)
    assert denies(whole).state is COVERED
    for documents in ((whole, kubectl(other)), (kubectl(other), whole)):
        assert denies(*documents).state is not COVERED


NOTES = [{"key": "note", "valueExpression": "'seen'"}]


@pytest.mark.parametrize(
    ("policy", "does_audit", "does_deny"),
    [
        (a_policy(validations=[{"expression": "true"}]), GAP, GAP),
        (a_policy(validations=[{"expression": "true"}, {"expression": "has(object.spec)"}]), COVERED, COVERED),
        (a_policy(validations=None, auditAnnotations=NOTES), COVERED, GAP),
        (a_policy(validations=None), COVERED, COVERED),
        (a_policy(matchConditions=[{"name": "off", "expression": "false"}]), GAP, GAP),
        (a_policy(matchConditions=[{"name": "some", "expression": "object.metadata.name != ''"}]), UNKNOWN, UNKNOWN),
        (a_policy(matchConditions=[{"name": "all", "expression": "true"}]), COVERED, COVERED),
    ],
)
def test_a_policy_needs_a_rule_that_can_fail(policy: Json, does_audit: CoverageState, does_deny: CoverageState) -> None:
    """However it is bound; one of which the rules were left out is believed."""
    objects = kubectl(policy, a_binding("Deny"))
    found = audits(objects), denies(objects)
    assert tuple(one.state for one in found) == (does_audit, does_deny)
    assert found[1].state is COVERED or DEFAULT in found[1].reason, found[1].reason


def test_what_a_policy_admits_where_it_cannot_be_evaluated_is_said() -> None:
    """Failures that are ignored, and parameters that are missing."""
    binding = a_binding("Deny", paramRef={"name": "params", "parameterNotFoundAction": "Allow"})
    found = denies(kubectl(a_policy(failurePolicy="Ignore"), binding))
    assert found.state is COVERED
    for part in ("failurePolicy Ignore", "parameters are missing"):
        assert any(part in one for one in found.remarks), part


def test_a_refusal_alone_proves_nothing() -> None:
    """Whoever may write events may write anything into them."""
    message = 'admission webhook "defender-admission-controller.mdc.svc" denied the request: 1 CVE'
    assert denies(kubectl(an_event(message))).state is UNKNOWN
