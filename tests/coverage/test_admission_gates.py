"""Defender's own two gates, and that one of the three is enough: taking a document away never makes one of them work."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from router.coverage.kubernetes import commands
from router.coverage.kubernetes.commands import ASK_CLUSTER, ASK_CONFIG, ASK_CONSTRAINTS, ASK_IMAGE_RULES, ASK_POLICIES
from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung
from tests.coverage import admission_builders as adm
from tests.coverage import builders as az
from tests.coverage.admission_builders import audit, deny

EMPTY = az.kubectl()
ONLY_SHOP = {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}
NOT_SHOP = {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["shop"]}]}
CUSTOM = "ps-block-misconfig-privileged-containers-should-be-avoided"
SYSTEM = [
    adm.a_pod("coredns", namespace="kube-system"),
    adm.a_pod("web", namespace="shop"),
    adm.a_webhook("aks-node.azmk8s.io", configuration="aks-node-validating-webhook"),
]
NOBODYS = [adm.a_policy("aks-managed-endpoints"), adm.a_binding("Deny", name="aks-managed-endpoints")]
IMAGE_RULES = "SecurityArtifactPolicy"


def image_gate(without: str, action: str = "audit") -> list[az.Json]:
    """Defender's image gate without objects of a kind."""
    return [one for one in adm.whole_image_gate(action) if one["kind"] != without]


def test_the_rules_of_the_image_gate_say_what_it_does(hold: az.Hold) -> None:
    """It audits from the day on which it is made. Webhook and pod show nothing of it; the verdict says how to ask."""
    auditing, denying = (
        [adm.whole_image_gate(one) for one in some] for some in (("audit", "Audit"), ("deny", "Deny", "Block"))
    )
    hold(audit, (az.COVERED, *auditing, *denying))
    hold(deny, (az.GAP, *auditing), (az.COVERED, *denying))
    rest = az.kubectl(*image_gate(IMAGE_RULES))
    ask = f"{ASK_IMAGE_RULES} {az.IN_PAYMENTS} > payments.securityartifactpolicies.json"
    assert (adm.audits(rest).state, adm.audits(rest).remedy) == (az.UNKNOWN, ask)
    assert adm.audits(rest, EMPTY).state is az.GAP
    assert adm.audits(rest, az.kubectl(adm.an_artifact_policy("ponder"))).state is az.GAP


def test_an_image_gate_that_crashes_for_days_is_a_gap() -> None:
    """A lab's did, with nobody told: the webhook ignores failures."""
    dark = adm.a_pod(adm.IMAGE, namespace=adm.MDC, is_ready=False, restarts=917, waits="CrashLoopBackOff")
    found = audit(*image_gate("Pod", "deny"), dark)
    assert (found.state, "917 restarts" in found.reason) == (az.GAP, True)
    assert found.remedy == f"kubectl describe pod defender-admission-controller-6c9f7d5b8-x2x4z -n mdc {az.IN_PAYMENTS}"


def test_the_webhook_of_the_image_gate_leads_to_the_pod_that_is_ready(hold: az.Hold) -> None:
    """One that leads to another namespace, or that is another vendor's, is answered by nobody of Defender's."""
    elsewhere = [adm.a_pod("coredns", namespace="kube-system"), adm.a_service("kube-dns", namespace="kube-system")]
    rest = [*adm.whole_image_gate()[1:], *elsewhere]
    webhooks = [
        *(
            adm.an_image_webhook(namespace="kube-system"),
            adm.an_image_webhook(rules=[{**adm.NEW_PODS, "operations": ["UPDATE"]}]),
        ),
        adm.a_webhook("defender-admission-controller.mdc.svc", service="another", namespace=adm.MDC),
        adm.a_webhook("twistlock-defender-admission-controller.mdc.svc", service=adm.IMAGE, namespace=adm.MDC),
    ]
    hold(audit, (az.COVERED, [adm.an_image_webhook(), *rest]), (az.GAP, *([one, *rest] for one in webhooks)))


def test_what_the_gates_of_defender_never_see_is_said() -> None:
    """Images without scan results, other registries, everything while no pod answers, failures, missing parameters."""
    found = deny(*image_gate(IMAGE_RULES), adm.an_artifact_policy("deny", unsupportedRegistries=["docker.io"]))
    binding = adm.a_binding("Deny", paramRef={"name": "params", "parameterNotFoundAction": "Allow"})
    policy = deny(adm.a_policy(failurePolicy="Ignore"), binding)
    assert found.state is policy.state is az.COVERED
    assert all(word in str(found.limits) for word in ("without scan results", "docker.io", "failurePolicy Ignore"))
    assert all(word in str(policy.remarks) for word in ("failurePolicy Ignore", "parameters are missing"))
    strict = deny(*image_gate(IMAGE_RULES), adm.an_artifact_policy("deny", blockUnscannedImages=True))
    assert "without scan results" not in str(strict.remarks)


def test_the_binding_decides_what_a_policy_does(hold: az.Hold) -> None:
    """No pod is needed: the API server evaluates it. Unknown where the other was not asked for, a gap where it is not there."""
    auditing, denying, idle = (
        [[adm.a_policy(), adm.a_binding(*actions)] for actions in some]
        for some in ((["Audit"], ["Warn", "Audit"]), (["Deny"], ["Deny", "Audit"]), ([], ["Ponder"]))
    )
    hold(audit, (az.COVERED, *auditing, *denying), (az.GAP, *idle))
    hold(deny, (az.COVERED, *denying), (az.GAP, *auditing, *idle))
    for alone in adm.whole_misconfiguration_gate():
        ask = f"{ASK_POLICIES} {az.IN_PAYMENTS} > payments.validatingadmissionpolicies.json"
        assert (audit(alone).state, audit(alone).remedy) == (az.UNKNOWN, ask)
        assert audit(alone, *NOBODYS).state is az.GAP


def test_a_policy_of_somebody_elses_does_not_count() -> None:
    """It is spoken of, so that nobody wonders."""
    labelled = {**adm.a_policy(CUSTOM), "metadata": {"name": f"{CUSTOM}.vap", "labels": {"defender/owner": "MDC"}}}
    of_kind = {
        one: adm.a_policy(CUSTOM, paramKind={"apiVersion": one, "kind": "Params"})
        for one in ("somebody.example.com/v1", "defender.microsoft.com/v1")
    }
    owned = {
        one: adm.a_policy(CUSTOM, auditAnnotations=[{"key": "owner", "valueExpression": f"'{one}'"}])
        for one in ("platform", "MDC")
    }
    theirs = (adm.a_policy(CUSTOM), of_kind["somebody.example.com/v1"], owned["platform"])
    for policy in (*theirs, labelled, of_kind["defender.microsoft.com/v1"], owned["MDC"]):
        found = deny(policy, adm.a_binding("Deny", name=CUSTOM), adm.a_webhook("other.example.com"))
        assert (found.state, CUSTOM in str(found.remarks)) == (
            (az.GAP, True) if policy in theirs else (az.COVERED, False)
        )


def test_a_policy_must_be_evaluated_for_new_pods(hold: az.Hold) -> None:
    """Policy and binding can each leave them out, or those of some namespaces, which are named; bindings add up."""
    team = {"matchLabels": {"team": "shop"}}
    only_shop = adm.a_policy(matchConstraints={"resourceRules": [adm.NEW_PODS], "namespaceSelector": ONLY_SHOP})

    def auditing(policy: az.Json, matched: az.Json) -> Verdict:
        return audit(policy, adm.a_binding("Audit", matchResources=matched), *adm.NAMESPACES)

    narrow = [
        *([adm.a_policy(), {"namespaceSelector": team}], [adm.a_policy(), {"objectSelector": team}], [only_shop, {}]),
        [adm.a_policy(), {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}],
    ]
    no_team = {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}
    hold(
        auditing,
        (az.GAP, [adm.a_policy(rules=[{**adm.NEW_PODS, "resources": ["ingresses"]}]), {}]),
        (az.GAP, [adm.a_policy(), {"resourceRules": [{**adm.NEW_PODS, "operations": ["DELETE"]}]}]),
        (az.GAP, [adm.a_policy(), {"excludeResourceRules": [adm.NEW_PODS]}], *narrow),
        (
            az.COVERED,
            [adm.a_policy(), {"resourceRules": [adm.NEW_PODS]}],
            [adm.a_policy(), {"namespaceSelector": no_team}],
        ),
    )
    assert all("default" in auditing(*one).reason for one in narrow)
    shop, others = (
        adm.a_binding(
            "Deny", name=f"{adm.DEFAULT}.{name}", binds=f"{adm.DEFAULT}.vap", matchResources={"namespaceSelector": one}
        )
        for name, one in (("shop", ONLY_SHOP), ("rest", NOT_SHOP))
    )
    hold(
        deny,
        (az.COVERED, [adm.a_policy(), shop, others, *adm.NAMESPACES]),
        (az.GAP, [adm.a_policy(), shop, *adm.NAMESPACES]),
    )
    hold(deny, (az.UNKNOWN, [adm.a_policy(), shop, others]))


def test_of_two_documents_of_a_policy_or_binding_the_worse_one_counts() -> None:
    """In whatever they differ, and in either order."""
    whole = az.kubectl(*adm.whole_misconfiguration_gate("Deny"), *adm.NAMESPACES)
    assert adm.denies(whole).state is az.COVERED
    for other in (
        adm.a_policy(rules=[{**adm.NEW_PODS, "resources": ["ingresses"]}]),
        adm.a_policy(matchConstraints={"resourceRules": [adm.NEW_PODS], "namespaceSelector": ONLY_SHOP}),
        adm.a_policy(matchConditions=[{"name": "some", "expression": "object.metadata.name != ''"}]),
        adm.a_binding("Deny", matchResources={"namespaceSelector": ONLY_SHOP}),
        adm.a_binding("Deny", matchResources={"excludeResourceRules": [adm.NEW_PODS]}),
    ):
        for documents in ((whole, az.kubectl(other)), (az.kubectl(other), whole)):
            assert adm.denies(*documents).state is not az.COVERED, other


def test_a_policy_needs_a_rule_that_can_fail(hold: az.Hold) -> None:
    """However it is bound; one of which the rules were left out is believed."""
    true, notes = {"expression": "true"}, [{"key": "note", "valueExpression": "'seen'"}]
    specs: Sequence[dict[str, Any]] = (
        *(
            {"matchConditions": [{"name": "x", "expression": x}]}
            for x in ("false", "object.metadata.name != ''", "true")
        ),
        *({"validations": [true]}, {"validations": [true, {"expression": "has(object.spec)"}]}, {"validations": None}),
        {"validations": None, "auditAnnotations": notes},
    )
    off, some, on, idle, both, believed, noting = ([adm.a_policy(**spec), adm.a_binding("Deny")] for spec in specs)
    hold(audit, (az.GAP, idle, off), (az.COVERED, both, believed, noting, on), (az.UNKNOWN, some))
    hold(deny, (az.GAP, idle, off, noting), (az.COVERED, both, believed, on), (az.UNKNOWN, some))
    assert all(adm.DEFAULT in deny(*objects).reason for objects in (idle, off, noting, some))


def test_one_gate_is_enough_and_what_the_others_lack_is_said() -> None:
    """The verdict names the gate that audits. A refusal alone proves nothing: an event may say anything."""
    names = ("Gatekeeper", "Defender's image gate", "Defender's misconfiguration gate")
    for name, whole in zip(
        names, (adm.whole_gatekeeper, adm.whole_image_gate, adm.whole_misconfiguration_gate), strict=True
    ):
        found = audit(*whole())
        assert found.state is az.COVERED
        assert [one for one in names if f"{one} audits" in found.reason] == [name]
        assert all(any(said.startswith(f"{one}: ") for said in found.remarks) for one in names if one != name)
    message = 'admission webhook "defender-admission-controller.mdc.svc" denied the request: 1 CVE'
    assert deny(adm.an_event(message)).state is az.UNKNOWN


def asked(found: Verdict) -> list[str]:
    """What a verdict asks, without the cluster and the files."""
    return [line.partition(f" {az.IN_PAYMENTS}")[0] for line in (found.remedy or "").split("\n")]


def test_a_cluster_is_asked_in_one_round_for_what_is_not_known_yet() -> None:
    """By one line for its sensor and its gates; denial is not spoken of where no manifest expects it."""
    assert asked(adm.audits()) == [ASK_CLUSTER, ASK_CONSTRAINTS, ASK_CONFIG, ASK_POLICIES, ASK_IMAGE_RULES]
    assert (adm.audits().state, adm.denies().remedy) == (az.UNKNOWN, adm.audits().remedy)
    result = az.judged(az.managed_cluster())
    sensor = [asked(az.verdict(result, "payments", rung)) for rung in (Rung.SENSOR_INSTALLED, Rung.SENSOR_RUNNING)]
    assert sensor == [[ASK_CLUSTER]] * 2
    whole = az.judged(az.managed_cluster(), az.kubectl(*adm.whole_gatekeeper()))
    assert Rung.ADMISSION_DENIES not in {rung for _, rung, _ in whole.assessed.verdicts()}
    pods, rest = (adm.a_pod(adm.MANAGER), adm.a_pod(adm.AUDIT)), [ASK_CONSTRAINTS, ASK_CONFIG]
    assert asked(audit(*pods)) == [commands.ASK_WEBHOOKS, *rest]
    assert asked(audit(adm.a_webhook(), *pods)) == asked(audit(adm.a_webhook())) == [ASK_CLUSTER, *rest]
    assert asked(audit(*SYSTEM)) == [ASK_POLICIES]


def test_a_cluster_without_any_gate_is_a_gap() -> None:
    """Everything was asked for, and others' webhooks and policies are all there is; the remedy is for that cluster. A list
    of several kinds does not say that a kind was asked for of which there is none; an empty list answers it beside it."""
    found = audit(*SYSTEM, *NOBODYS)
    addon = "az aks enable-addons --addons azure-policy --resource-group rg --name payments "
    assert (found.state, (found.remedy or "").startswith(addon)) == (az.GAP, True)
    assert audit(*SYSTEM).state is adm.audits(EMPTY).state is az.UNKNOWN
    assert adm.audits(az.kubectl(*SYSTEM), EMPTY).state is az.GAP


def test_a_broken_gate_is_a_gap_unless_another_one_stands_there_that_may_work() -> None:
    """Somebody believes in it."""
    broken = [adm.a_webhook(), adm.a_pod(adm.MANAGER, is_ready=False)]
    assert audit(*broken).state is az.GAP
    assert adm.audits(az.kubectl(*broken), az.kubectl(*image_gate(IMAGE_RULES))).state is az.UNKNOWN
    assert adm.audits(az.kubectl(*broken), az.kubectl(*adm.whole_image_gate())).state is az.COVERED


def test_a_stopped_cluster_is_not_coverable_and_an_add_on_in_its_profile_is_only_the_wish() -> None:
    """Unless its gate is seen to work."""
    for more, state in (
        ({"powerState": {"code": "Stopped"}}, az.NOT_COVERABLE),
        ({"powerState": {"code": "Running"}}, az.UNKNOWN),
        ({"addonProfiles": {"azurePolicy": {"enabled": True}}}, az.UNKNOWN),
    ):
        properties = {"provisioningState": "Succeeded", **more}
        cluster = az.resource(az.CLUSTER, "Microsoft.ContainerService/managedClusters", properties)
        found = az.verdict(az.judged(cluster), "payments", Rung.ADMISSION_AUDITS)
        assert (found.state, "Azure Policy add-on" in str(found.remarks)) == (state, "addonProfiles" in more)
        working = az.judged(cluster, az.kubectl(*adm.whole_gatekeeper()))
        assert az.verdict(working, "payments", Rung.ADMISSION_AUDITS).state is az.COVERED


def test_clusters_of_other_clouds_are_judged_the_same() -> None:
    """Only kubectl speaks of them, and no command of `az aks` is proposed; where the nodes say their cloud, Azure Arc is."""

    def judge(*objects: az.Json) -> Verdict:
        return az.verdict(
            az.judged(az.document(az.kubectl(*objects), "objects.json", "ledger")), "ledger", Rung.ADMISSION_AUDITS
        )

    assert judge(*adm.whole_misconfiguration_gate()).state is az.COVERED
    found = judge(*SYSTEM, *NOBODYS)
    assert (found.state, found.remedy) == (az.GAP, None)
    spec = {"providerID": "aws:///eu-west-1a/i"}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}, "spec": spec}
    connect, create = (judge(*SYSTEM, *NOBODYS, node).remedy or "").split("\n")
    assert connect.startswith("az connectedk8s connect --name ledger ")
    assert "--extension-type Microsoft.PolicyInsights" in create


def test_of_all_subsets_of_what_works_only_whole_gates_cover() -> None:
    """A gate is covered where all its objects are there, and by nothing less."""
    selector = {"matchExpressions": [{"key": "admission.gatekeeper.sh/ignore", "operator": "DoesNotExist"}]}
    webhook = adm.a_webhook(namespaceSelector=selector)
    gatekeeper = [webhook, adm.a_pod(adm.MANAGER), adm.a_pod(adm.AUDIT), adm.a_constraint("deny"), adm.a_slice(True)]
    for gate in (
        [*map(az.kubectl, gatekeeper), adm.no_config(), az.kubectl(*adm.NAMESPACES)],
        [*map(az.kubectl, adm.whole_image_gate("deny"))],
        [*map(az.kubectl, adm.whole_misconfiguration_gate("Deny"))],
    ):
        for size in range(len(gate)):
            assert all(adm.audits(*some).state is not az.COVERED for some in combinations(gate, size))
        assert adm.audits(*gate).state is adm.denies(*gate).state is az.COVERED
