"""Defender's own two gates: gated deployment of images, and policies against misconfigured objects. Pure.

The image gate is a webhook, the pod that answers it, and rules that audit or deny. The misconfiguration gate needs no pod: the
API server evaluates ValidatingAdmissionPolicies, and only where a binding says so.
https://learn.microsoft.com/azure/defender-for-cloud/runtime-gated-overview,
https://learn.microsoft.com/azure/defender-for-cloud/kubernetes-misconfiguration-enforcement,
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from router.coverage.admission.cluster_objects import ClusterObjects, ObjectCopies, api_group, is_whole, object_labels
from router.coverage.admission.effects import (
    AdmissionEffect,
    GateAnswer,
    GatedNamespace,
    Reach,
    all_reach,
    any_reaches,
    best_answer,
    by_conditions,
    by_namespace,
    by_object,
    join_parts,
    listed,
    none_enough,
)
from router.coverage.admission.webhooks import (
    AdmissionWebhook,
    creates_pods,
    find_controller,
    find_selector,
    find_webhooks,
    judge_service,
    never_met,
)
from router.coverage.fields import find, find_list, find_text, find_truth, objects_at
from router.coverage.kubernetes.asks import ASK_CLUSTER, ASK_IMAGE_RULES, ASK_POLICIES, ASK_SERVICES
from router.coverage.readers.kubernetes import KubernetesFact
from router.coverage.verdicts import Verdict, covered, gap, unknown

IMAGE_GATE = "Defender's image gate"
_WEBHOOK = re.compile(r"defender-admission-controller\.[a-z0-9-]+\.svc")

_KIND = "SecurityArtifactPolicy"
_GROUP = "defender.microsoft.com"
_EFFECTS = {
    "audit": AdmissionEffect.AUDITS,
    "deny": AdmissionEffect.DENIES,
    "block": AdmissionEffect.DENIES,
}


def image_gate(objects: ClusterObjects, needed: AdmissionEffect) -> GateAnswer:
    """Whether the image gate has the effect that is needed."""
    webhooks = find_webhooks(objects, _WEBHOOK, "defender-admission-controller.NAMESPACE.svc")
    return best_answer([_answer(objects, webhook, needed) for webhook in webhooks])


def _answer(objects: ClusterObjects, webhook: AdmissionWebhook, needed: AdmissionEffect) -> GateAnswer:
    policies = [one for one in objects.find(_KIND) if api_group(one.copies[0]) == _GROUP]
    parts = [webhook.verdict, _rules(objects, policies, needed)]
    if webhook.service:
        parts += _behind(objects, webhook)
    return GateAnswer(
        name=IMAGE_GATE,
        is_there=webhook.is_there or bool(policies),
        verdict=join_parts(parts),
        reach=webhook.reach,
        namespaces=frozenset({webhook.namespace}),
        refusal=f'admission webhook "{_WEBHOOK.pattern}" denied the request',
    )


def _behind(objects: ClusterObjects, webhook: AdmissionWebhook) -> Iterator[Verdict]:
    """Whether the webhook's service leads to pods, and whether those that it chooses are ready."""
    service = (webhook.service, webhook.namespace)
    chosen = find_selector(objects, *service)
    if chosen is None:
        ask = ASK_SERVICES if objects.find("Pod") else ASK_CLUSTER
        yield unknown(f"nobody asked which pods the service {webhook.service} chooses", remedy=ask)
    else:
        yield find_controller(objects, *service, lambda _, labels: chosen.items() <= labels.items()).verdict
    yield judge_service(objects, *service)


def _rule_effect(policy: KubernetesFact) -> AdmissionEffect:
    """The strongest effect of a policy's rules."""
    return max((_effect_in(rule) for rule in _policy_rules(policy)), default=AdmissionEffect.NOTHING)


def _policy_rules(policy: KubernetesFact) -> Iterator[Mapping[str, object]]:
    """The rules of a policy: those in the lists of its spec, whatever they are called, and the spec itself where it is one."""
    spec = find(policy.body, "spec")
    if not isinstance(spec, Mapping):
        return
    if find_text(spec, "action"):
        yield spec
    for name in spec:
        yield from (one for one in objects_at(spec, str(name)) if find_text(one, "action"))


def _effect_in(rule: Mapping[str, object]) -> AdmissionEffect:
    return _EFFECTS.get((find_text(rule, "action") or "").lower(), AdmissionEffect.NOTHING)


def _rules(objects: ClusterObjects, policies: Sequence[ObjectCopies], needed: AdmissionEffect) -> Verdict:
    enough = [one for one in policies if _rule_effect(one.worst(_rule_effect)) >= needed]
    if enough:
        worst = [one.worst(_rule_effect) for one in enough]
        evidence = [one.source.shows("spec action", _rule_effect(one).name.lower()) for one in worst]
        reason = f"a rule {needed.verb} in {listed([one.name for one in enough])}"
        return covered(reason, *evidence, limits=tuple(_unseen_images(worst, needed)))
    if not policies:
        if objects.was_asked(_KIND):
            return gap(f"there is no {_KIND}, so no image is checked")
        return unknown("nobody asked for its rules", remedy=ASK_IMAGE_RULES)
    worst = [one.worst(_rule_effect) for one in policies]
    actions = sorted({find_text(rule, "action") or "" for one in worst for rule in _policy_rules(one)})
    evidence = [one.source.shows("spec action", _rule_effect(one).name.lower()) for one in worst]
    reason = f"none of its rules {needed.verb}: {listed(actions) or 'no action is named'}"
    return none_enough(reason, evidence, ASK_IMAGE_RULES, is_whole=is_whole(policies))


def _unseen_images(policies: Sequence[KubernetesFact], needed: AdmissionEffect) -> Iterator[str]:
    """Which images the rules that count never see."""
    rules = [rule for policy in policies for rule in _policy_rules(policy) if _effect_in(rule) >= needed]
    if not any(find_truth(rule, "configuration", "blockUnscannedImages") for rule in rules):
        yield "an image without scan results is admitted, unless a rule says otherwise"
    registries = {str(one) for rule in rules for one in find_list(rule, "configuration", "unsupportedRegistries") or ()}
    if registries:
        yield f"images of {listed(sorted(registries))} are admitted unseen"


OBJECT_GATE = "Defender's misconfiguration gate"

_POLICY, _BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
_DEFAULT = "default-k8s-misconfiguration-policy"
_OWNER = "mdc"


@dataclass(frozen=True, slots=True)
class _Bound:
    """A policy of Defender's and one binding of it, each as the worst document shows it."""

    policy: KubernetesFact
    binding: KubernetesFact

    def is_enough(self, needed: AdmissionEffect) -> bool:
        """Whether the policy, as it is bound, has the effect that is needed on new pods."""
        return binding_effect(self.binding) >= needed and _sees_new_pods(self) and _strength(self.policy) >= needed


def misconfiguration_gate(objects: ClusterObjects, needed: AdmissionEffect) -> GateAnswer:
    """Whether the misconfiguration gate has the effect that is needed."""
    policies = {one.name: one for one in objects.find(_POLICY) if any(is_defenders(copy) for copy in one.copies)}
    bindings = [
        one
        for one in objects.find(_BINDING)
        if any(_policy_name(copy) in policies or _policy_name(copy).startswith(_DEFAULT) for copy in one.copies)
    ]
    worst = [one.worst(binding_effect) for one in bindings]
    pairs = [_Bound(policies[name].worst(_reach), one) for one in worst if (name := _policy_name(one)) in policies]
    enough = [one for one in pairs if one.is_enough(needed)]
    return GateAnswer(
        name=OBJECT_GATE,
        is_there=bool(policies or bindings),
        verdict=_verdict(objects, policies, bindings, pairs, needed),
        reach=lambda namespace: any_reaches(_policy_reach(one, namespace) for one in enough),
        refusal=f"ValidatingAdmissionPolicy '({'|'.join(map(re.escape, policies))})' with binding '[^']*' denied request",
    )


def is_defenders(policy: KubernetesFact) -> bool:
    """Whether a policy is Defender's: the name tells it of the default ones only, since any policy's may end in `.vap`."""
    group = (find_text(policy.body, "spec", "paramKind", "apiVersion") or "").lower().partition("/")[0]
    annotations = find(policy.body, "metadata", "annotations")
    signs = {**object_labels(policy), **(annotations if isinstance(annotations, Mapping) else {})}
    owners = [value for key, value in signs.items() if str(key).lower().rpartition("/")[2] == "owner"]
    owners += [
        (find_text(one, "valueExpression") or "").strip("'\"")
        for one in objects_at(policy.body, "spec", "auditAnnotations")
        if (find_text(one, "key") or "").lower() == "owner"
    ]
    return group == _GROUP or policy.name.startswith(_DEFAULT) or any(str(one).lower() == _OWNER for one in owners)


def binding_effect(binding: KubernetesFact) -> AdmissionEffect:
    """What a binding does with what breaks its policy."""
    actions = {str(one).lower() for one in find_list(binding.body, "spec", "validationActions") or ()}
    if "deny" in actions:
        return AdmissionEffect.DENIES
    return AdmissionEffect.AUDITS if actions & {"audit", "warn"} else AdmissionEffect.NOTHING


def _policy_name(binding: KubernetesFact) -> str:
    return find_text(binding.body, "spec", "policyName") or ""


def _verdict(
    objects: ClusterObjects,
    policies: Mapping[str, ObjectCopies],
    bindings: Sequence[ObjectCopies],
    pairs: Sequence[_Bound],
    needed: AdmissionEffect,
) -> Verdict:
    others = sorted(one.name for one in objects.find(_POLICY) if one.name not in policies)
    remarks = (f"policies that are not Defender's do not count: {listed(others)}",) if others else ()
    if not policies:
        if objects.was_asked(_POLICY):
            bound = f", though there is {listed([one.name for one in bindings])}" if bindings else ""
            return gap(f"no ValidatingAdmissionPolicy of Defender is in the cluster{bound}", remarks=remarks)
        return unknown("nobody asked for the policies of Defender", remedy=ASK_POLICIES, remarks=remarks)
    if not pairs:
        unbound = listed(sorted(policies))
        if objects.was_asked(_BINDING):
            return gap(f"nothing binds the policies of Defender, so that they do nothing: {unbound}", remarks=remarks)
        return unknown(f"nobody asked what binds {unbound}", remedy=ASK_POLICIES, remarks=remarks)
    strict = [one for one in pairs if binding_effect(one.binding) >= needed]
    enough = [one for one in pairs if one.is_enough(needed)]
    evidence = [
        one.binding.source.shows("spec.validationActions", _actions(one.binding)) for one in (enough or pairs)[:3]
    ]
    if enough:
        names = sorted({one.policy.name for one in enough})
        reason = f"{len(names)} of {len(policies)} policies of Defender are bound with {_actions(enough[0].binding)}"
        return covered(f"{reason}: {listed(names)}", *evidence, remarks=remarks, limits=tuple(_holes(enough)))
    actions = sorted({_actions(one.worst(binding_effect)) for one in bindings})
    reason = f"no binding of Defender's {needed.verb} new pods: {listed(actions)}"
    if strict:
        idle = listed(sorted({one.policy.name for one in strict}))
        reason = (
            f"no policy that is bound with {_actions(strict[0].binding)} {needed.verb} new pods by what it says: {idle}"
        )
    is_all = is_whole(bindings) and is_whole([*policies.values()])
    return replace(none_enough(reason, evidence, ASK_POLICIES, is_whole=is_all), remarks=remarks)


def _actions(binding: KubernetesFact) -> str:
    return "+".join(str(one) for one in find_list(binding.body, "spec", "validationActions") or ()) or "no action"


def _sees_pods(policy: KubernetesFact) -> bool:
    """Whether a policy is evaluated for new pods; the API server takes none that names no resources."""
    if not is_defenders(policy):
        return False
    matched = find(policy.body, "spec", "matchConstraints")
    is_matched = find_list(matched, "resourceRules") is None or creates_pods(objects_at(matched, "resourceRules"))
    return is_matched and not creates_pods(objects_at(matched, "excludeResourceRules"))


def _sees_new_pods(bound: _Bound) -> bool:
    """Whether a policy is evaluated for new pods as it is bound: a binding may narrow it further."""
    rules = objects_at(bound.binding.body, "spec", "matchResources", "resourceRules")
    excluded = objects_at(bound.binding.body, "spec", "matchResources", "excludeResourceRules")
    return _sees_pods(bound.policy) and (not rules or creates_pods(rules)) and not creates_pods(excluded)


def _reach(policy: KubernetesFact) -> int:
    """How much a policy can do with new pods."""
    return int(_strength(policy)) if _sees_pods(policy) else 0


def _strength(policy: KubernetesFact) -> AdmissionEffect:
    """The most that a policy can do, however it is bound: one without a rule that can fail denies nothing."""
    spec = find(policy.body, "spec")
    if isinstance(spec, Mapping) and never_met(spec):
        return AdmissionEffect.NOTHING
    notes = objects_at(spec, "auditAnnotations")
    rules = find_list(spec, "validations")
    if rules is None and not notes:  # An answer that leaves its rules out: no policy is without both.
        return AdmissionEffect.DENIES
    if any((find_text(one, "expression") or "").lower() != "true" for one in objects_at(spec, "validations")):
        return AdmissionEffect.DENIES
    return AdmissionEffect.AUDITS if notes else AdmissionEffect.NOTHING


def _holes(enough: Sequence[_Bound]) -> Iterator[str]:
    """What passes the policies that count unseen, as remarks."""
    ignoring = {one.policy.name for one in enough if find_text(one.policy.body, "spec", "failurePolicy") == "Ignore"}
    if ignoring:
        yield f"failurePolicy Ignore admits what cannot be evaluated: {listed(sorted(ignoring))}"
    missing = ("spec", "paramRef", "parameterNotFoundAction")
    allowing = sorted(one.binding.name for one in enough if find_text(one.binding.body, *missing) == "Allow")
    if allowing:
        yield f"admits everything where its parameters are missing: {listed(allowing)}"


def _policy_reach(bound: _Bound, namespace: GatedNamespace) -> Reach:
    """Whether a policy is evaluated for the new pods of a namespace, as it is bound."""
    policy, binding = bound.policy, bound.binding
    scopes = (
        (f"the policy {policy.name}", find(policy.body, "spec", "matchConstraints")),
        (f"the binding {binding.name}", find(binding.body, "spec", "matchResources")),
    )
    parts = [by_conditions("validatingadmissionpolicy", policy.name, scopes[0][0], find(policy.body, "spec"))]
    for who, scope in scopes:
        parts.append(by_namespace(who, find(scope, "namespaceSelector"), namespace))
        parts.append(by_object(who, "objectSelector", find(scope, "objectSelector"), namespace))
    return all_reach(parts)
