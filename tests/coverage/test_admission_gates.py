"""Defender's own two gates, and that one of the three is enough: taking a document away never makes one of them work."""

from collections.abc import Sequence
from functools import partial
from itertools import combinations
from typing import Any

from router.coverage.kubernetes import commands
from router.coverage.kubernetes.commands import ASK_CLUSTER, ASK_CONFIG, ASK_CONSTRAINTS, ASK_IMAGE_RULES, ASK_POLICIES
from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung
from tests.coverage import admission_builders as adm
from tests.coverage import builders as az
from tests.coverage.admission_builders import MDC, NEW_PODS, a_binding, a_pod, a_policy, a_webhook, audit, audits, deny
from tests.coverage.builders import COVERED, GAP, IN_PAYMENTS, UNKNOWN, Hold, Json, judged, kubectl, resource, verdict

EMPTY = kubectl()
ONLY_SHOP = {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}
NOT_SHOP = {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["shop"]}]}
CUSTOM = "ps-block-misconfig-privileged-containers-should-be-avoided"
SYSTEM = [
    a_pod("coredns", namespace="kube-system"),
    a_pod("web", namespace="shop"),
    a_webhook("aks-node.azmk8s.io", configuration="aks-node-validating-webhook"),
]
NOBODYS = [a_policy("aks-managed-endpoints"), a_binding("Deny", name="aks-managed-endpoints")]
IMAGE_RULES = "SecurityArtifactPolicy"


def image_gate(without: str, action: str = "audit") -> list[Json]:
    """Defender's image gate without objects of a kind."""
    return [one for one in adm.whole_image_gate(action) if one["kind"] != without]


def test_the_image_gate_does_what_its_rules_say_in_the_ready_pod_to_which_its_webhook_leads(hold: Hold) -> None:
    """It audits from the first day. Not where it crashes for days, nor another vendor's, or in another namespace."""
    auditing, denying = (
        [adm.whole_image_gate(one) for one in some] for some in (("audit", "Audit"), ("deny", "Deny", "Block"))
    )
    hold(audit, (COVERED, *auditing, *denying))
    hold(deny, (GAP, *auditing), (COVERED, *denying))
    rest = kubectl(*image_gate(IMAGE_RULES))
    ask = f"{ASK_IMAGE_RULES} {IN_PAYMENTS} > payments.securityartifactpolicies.json"
    hold(audits, (UNKNOWN, "", ask, [rest]), (GAP, [rest, EMPTY], [rest, kubectl(adm.an_artifact_policy("ponder"))]))
    dark = a_pod(adm.IMAGE, namespace=MDC, is_ready=False, restarts=917, waits="CrashLoopBackOff")
    describe = f"kubectl describe pod defender-admission-controller-6c9f7d5b8-x2x4z -n mdc {IN_PAYMENTS}"
    hold(audit, (GAP, "917 restarts", describe, [*image_gate("Pod", "deny"), dark]))
    elsewhere = [a_pod("coredns", namespace="kube-system"), adm.a_service("kube-dns", namespace="kube-system")]
    behind = [*adm.whole_image_gate()[1:], *elsewhere]
    webhooks = [
        adm.an_image_webhook(namespace="kube-system"),
        adm.an_image_webhook(rules=[{**NEW_PODS, "operations": ["UPDATE"]}]),
        a_webhook("defender-admission-controller.mdc.svc", service="another", namespace=MDC),
        a_webhook("twistlock-defender-admission-controller.mdc.svc", service=adm.IMAGE, namespace=MDC),
    ]
    hold(audit, (COVERED, [adm.an_image_webhook(), *behind]), (GAP, *([one, *behind] for one in webhooks)))


def test_what_the_gates_of_defender_never_see_is_said() -> None:
    """Images without scan results, other registries, everything while no pod answers, failures, missing parameters."""
    found = deny(*image_gate(IMAGE_RULES), adm.an_artifact_policy("deny", unsupportedRegistries=["docker.io"]))
    binding = a_binding("Deny", paramRef={"name": "params", "parameterNotFoundAction": "Allow"})
    policy = deny(a_policy(failurePolicy="Ignore"), binding)
    assert found.state is policy.state is COVERED
    assert all(word in str(found.limits) for word in ("without scan results", "docker.io", "failurePolicy Ignore"))
    assert all(word in str(policy.remarks) for word in ("failurePolicy Ignore", "parameters are missing"))
    strict = deny(*image_gate(IMAGE_RULES), adm.an_artifact_policy("deny", blockUnscannedImages=True))
    assert "without scan results" not in str(strict.remarks)


def test_the_binding_decides_what_a_policy_does(hold: Hold) -> None:
    """No pod is needed: the API server evaluates it. Of two documents of either the worse one counts, in whatever order."""
    auditing, denying, idle = (
        [[a_policy(), a_binding(*actions)] for actions in some]
        for some in ((["Audit"], ["Warn", "Audit"]), (["Deny"], ["Deny", "Audit"]), ([], ["Ponder"]))
    )
    hold(audit, (COVERED, *auditing, *denying), (GAP, *idle))
    hold(deny, (COVERED, *denying), (GAP, *auditing, *idle))
    ask = f"{ASK_POLICIES} {IN_PAYMENTS} > payments.validatingadmissionpolicies.json"
    for alone in adm.whole_misconfiguration_gate():
        hold(audit, (UNKNOWN, "", ask, [alone]), (GAP, [alone, *NOBODYS]))
    whole = kubectl(*adm.whole_misconfiguration_gate("Deny"), *adm.NAMESPACES)
    assert adm.denies(whole).state is COVERED
    for other in (
        a_policy(rules=[{**NEW_PODS, "resources": ["ingresses"]}]),
        a_policy(matchConstraints={"resourceRules": [NEW_PODS], "namespaceSelector": ONLY_SHOP}),
        a_policy(matchConditions=[{"name": "some", "expression": "object.metadata.name != ''"}]),
        a_binding("Deny", matchResources={"namespaceSelector": ONLY_SHOP}),
        a_binding("Deny", matchResources={"excludeResourceRules": [NEW_PODS]}),
    ):
        for documents in ((whole, kubectl(other)), (kubectl(other), whole)):
            assert adm.denies(*documents).state is not COVERED, other


def test_a_policy_of_somebody_elses_does_not_count() -> None:
    """It is spoken of, so that nobody wonders."""
    labelled = {**a_policy(CUSTOM), "metadata": {"name": f"{CUSTOM}.vap", "labels": {"defender/owner": "MDC"}}}
    of_kind = {
        one: a_policy(CUSTOM, paramKind={"apiVersion": one, "kind": "Params"})
        for one in ("somebody.example.com/v1", "defender.microsoft.com/v1")
    }
    owned = {
        one: a_policy(CUSTOM, auditAnnotations=[{"key": "owner", "valueExpression": f"'{one}'"}])
        for one in ("platform", "MDC")
    }
    theirs = (a_policy(CUSTOM), of_kind["somebody.example.com/v1"], owned["platform"])
    for policy in (*theirs, labelled, of_kind["defender.microsoft.com/v1"], owned["MDC"]):
        found = deny(policy, a_binding("Deny", name=CUSTOM), a_webhook("other.example.com"))
        assert (found.state, CUSTOM in str(found.remarks)) == ((GAP, True) if policy in theirs else (COVERED, False))


def test_a_policy_must_be_evaluated_for_new_pods(hold: Hold) -> None:
    """Policy and binding can each leave them out, or those of some namespaces, which are named; bindings add up."""
    team = {"matchLabels": {"team": "shop"}}
    only_shop = a_policy(matchConstraints={"resourceRules": [NEW_PODS], "namespaceSelector": ONLY_SHOP})

    def auditing(policy: Json, matched: Json) -> Verdict:
        return audit(policy, a_binding("Audit", matchResources=matched), *adm.NAMESPACES)

    narrow = [
        *([a_policy(), {"namespaceSelector": team}], [a_policy(), {"objectSelector": team}], [only_shop, {}]),
        [a_policy(), {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}],
    ]
    no_team = {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}
    hold(
        auditing,
        (GAP, [a_policy(rules=[{**NEW_PODS, "resources": ["ingresses"]}]), {}]),
        (GAP, [a_policy(), {"resourceRules": [{**NEW_PODS, "operations": ["DELETE"]}]}]),
        (GAP, [a_policy(), {"excludeResourceRules": [NEW_PODS]}], *narrow),
        (COVERED, [a_policy(), {"resourceRules": [NEW_PODS]}], [a_policy(), {"namespaceSelector": no_team}]),
    )
    assert all("default" in auditing(*one).reason for one in narrow)
    binds = partial(a_binding, "Deny", binds=f"{adm.DEFAULT}.vap")
    shop, others = (binds(name=str(one), matchResources={"namespaceSelector": one}) for one in (ONLY_SHOP, NOT_SHOP))
    hold(deny, (COVERED, [a_policy(), shop, others, *adm.NAMESPACES]), (GAP, [a_policy(), shop, *adm.NAMESPACES]))
    hold(deny, (UNKNOWN, [a_policy(), shop, others]))


def test_a_policy_needs_a_rule_that_can_fail(hold: Hold) -> None:
    """However it is bound; one of which the rules were left out is believed."""
    true, notes = {"expression": "true"}, [{"key": "note", "valueExpression": "'seen'"}]
    conditions = ("false", "object.metadata.name != ''", "true")
    specs: Sequence[dict[str, Any]] = (
        *({"matchConditions": [{"name": "x", "expression": one}]} for one in conditions),
        *({"validations": [true]}, {"validations": [true, {"expression": "has(object.spec)"}]}, {"validations": None}),
        {"validations": None, "auditAnnotations": notes},
    )
    off, some, on, idle, both, believed, noting = ([a_policy(**spec), a_binding("Deny")] for spec in specs)
    hold(audit, (GAP, idle, off), (COVERED, both, believed, noting, on), (UNKNOWN, some))
    hold(deny, (GAP, idle, off, noting), (COVERED, both, believed, on), (UNKNOWN, some))
    assert all(adm.DEFAULT in deny(*objects).reason for objects in (idle, off, noting, some))


def test_one_gate_is_enough_and_what_the_others_lack_is_said() -> None:
    """The verdict names the gate that audits. A refusal alone proves nothing: an event may say anything."""
    names = ("Gatekeeper", "Defender's image gate", "Defender's misconfiguration gate")
    gates = (adm.whole_gatekeeper(), adm.whole_image_gate(), adm.whole_misconfiguration_gate())
    for name, whole in zip(names, gates, strict=True):
        found = audit(*whole)
        assert found.state is COVERED
        assert [one for one in names if f"{one} audits" in found.reason] == [name]
        assert all(any(said.startswith(f"{one}: ") for said in found.remarks) for one in names if one != name)
    message = 'admission webhook "defender-admission-controller.mdc.svc" denied the request: 1 CVE'
    event = az.of_kind("Event", "web-7d4b9.17f", "shop", reason="FailedCreate", message=message)
    assert deny(event).state is UNKNOWN


def asked(found: Verdict) -> list[str]:
    """What a verdict asks, without the cluster and the files."""
    return [line.partition(f" {IN_PAYMENTS}")[0] for line in (found.remedy or "").split("\n")]


def test_a_cluster_is_asked_in_one_round_for_what_is_not_known_yet() -> None:
    """By one line for its sensor and its gates; denial is not spoken of where no manifest expects it."""
    assert asked(audits()) == [ASK_CLUSTER, ASK_CONSTRAINTS, ASK_CONFIG, ASK_POLICIES, ASK_IMAGE_RULES]
    assert (audits().state, adm.denies().remedy) == (UNKNOWN, audits().remedy)
    result = judged(az.managed_cluster())
    sensor = [asked(verdict(result, "payments", rung)) for rung in (Rung.SENSOR_INSTALLED, Rung.SENSOR_RUNNING)]
    assert sensor == [[ASK_CLUSTER]] * 2
    whole = judged(az.managed_cluster(), kubectl(*adm.whole_gatekeeper()))
    assert Rung.ADMISSION_DENIES not in {rung for _, rung, _ in whole.assessed.verdicts()}
    pods, rest = (a_pod(adm.MANAGER), a_pod(adm.AUDIT)), [ASK_CONSTRAINTS, ASK_CONFIG]
    assert asked(audit(*pods)) == [commands.ASK_WEBHOOKS, *rest]
    assert asked(audit(a_webhook(), *pods)) == asked(audit(a_webhook())) == [ASK_CLUSTER, *rest]
    assert asked(audit(*SYSTEM)) == [ASK_POLICIES]


def test_a_cluster_without_any_gate_is_a_gap_and_so_is_a_broken_one(hold: Hold) -> None:
    """All was asked for: a list of several kinds does not say so, an empty one beside it does. Another gate may work."""
    addon = "az aks enable-addons --addons azure-policy --resource-group rg --name payments "
    broken = [a_webhook(), a_pod(adm.MANAGER, is_ready=False)]
    without, whole = (kubectl(*some) for some in (image_gate(IMAGE_RULES), adm.whole_image_gate()))
    hold(audit, (GAP, "", addon, [*SYSTEM, *NOBODYS]), (GAP, broken), (UNKNOWN, SYSTEM))
    hold(audits, (UNKNOWN, [EMPTY], [kubectl(*broken), without]), (COVERED, [kubectl(*broken), whole]))
    assert audits(kubectl(*SYSTEM), EMPTY).state is GAP


def test_a_cluster_that_is_stopped_or_in_another_cloud_is_judged_by_its_gates() -> None:
    """An add-on in a profile is only a wish. Elsewhere no command of `az aks` is proposed; Azure Arc is."""
    gated = partial(az.known, of="payments", on=Rung.ADMISSION_AUDITS)
    for more, state in (
        ({"powerState": {"code": "Stopped"}}, az.NOT_COVERABLE),
        ({"powerState": {"code": "Running"}}, UNKNOWN),
        ({"addonProfiles": {"azurePolicy": {"enabled": True}}}, UNKNOWN),
    ):
        properties = {"provisioningState": "Succeeded", **more}
        cluster = resource(az.CLUSTER, "Microsoft.ContainerService/managedClusters", properties)
        found = gated(cluster)
        assert (found.state, "Azure Policy add-on" in str(found.remarks)) == (state, "addonProfiles" in more)
        assert gated(cluster, kubectl(*adm.whole_gatekeeper())).state is COVERED

    def judge(*objects: Json) -> Verdict:
        return gated(az.document(kubectl(*objects), "objects.json", "ledger"), of="ledger")

    assert judge(*adm.whole_misconfiguration_gate()).state is COVERED
    found = judge(*SYSTEM, *NOBODYS)
    assert (found.state, found.remedy) == (GAP, None)
    spec = {"providerID": "aws:///eu-west-1a/i"}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}, "spec": spec}
    connect, create = (judge(*SYSTEM, *NOBODYS, node).remedy or "").split("\n")
    assert connect.startswith("az connectedk8s connect --name ledger ")
    assert "--extension-type Microsoft.PolicyInsights" in create


def test_of_all_subsets_of_what_works_only_whole_gates_cover() -> None:
    """A gate is covered where all its objects are there, and by nothing less."""
    selector = {"matchExpressions": [{"key": "admission.gatekeeper.sh/ignore", "operator": "DoesNotExist"}]}
    webhook = a_webhook(namespaceSelector=selector)
    gatekeeper = [webhook, a_pod(adm.MANAGER), a_pod(adm.AUDIT), adm.a_constraint("deny"), adm.a_slice(True)]
    for gate in (
        [*map(kubectl, gatekeeper), adm.no_config(), kubectl(*adm.NAMESPACES)],
        [*map(kubectl, adm.whole_image_gate("deny"))],
        [*map(kubectl, adm.whole_misconfiguration_gate("Deny"))],
    ):
        for size in range(len(gate)):
            assert all(audits(*some).state is not COVERED for some in combinations(gate, size))
        assert audits(*gate).state is adm.denies(*gate).state is COVERED
