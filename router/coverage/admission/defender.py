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
from itertools import product

from router.coverage.admission.effects import (
    AdmissionEffect,
    ClusterObjects,
    GateAnswer,
    GateRule,
    is_whole,
    join_parts,
    judge_rules,
    listed,
)
from router.coverage.admission.namespaces import (
    GatedNamespace,
    best_of,
    by_conditions,
    by_scope,
    worst_of,
)
from router.coverage.admission.webhooks import (
    AdmissionWebhook,
    creates_pods,
    find_selector,
    find_webhooks,
    is_never_met,
    judge_pods,
    judge_service,
)
from router.coverage.fields import find, find_list, find_text, find_truth, objects_at
from router.coverage.kubernetes.commands import ASK_CLUSTER, ASK_IMAGE_RULES, ASK_POLICIES, ASK_SERVICES
from router.coverage.readers.kubernetes import KubernetesFact
from router.coverage.verdicts import Verdict, unknown

_WEBHOOK = re.compile(r"defender-admission-controller\.[a-z0-9-]+\.svc")
_KIND = "SecurityArtifactPolicy"
_GROUP = "defender.microsoft.com"
_EFFECTS = {"audit": AdmissionEffect.AUDITS, "deny": AdmissionEffect.DENIES, "block": AdmissionEffect.DENIES}


def image_gate(objects: ClusterObjects, needed: AdmissionEffect) -> Iterator[GateAnswer]:
    """Whether the image gate has the effect that is needed, by each of its webhooks."""
    policies = [one for one in objects.find(_KIND) if one[0].group == _GROUP]
    worst = [min(one, key=_rule_effect) for one in policies]
    rules = judge_rules(
        _KIND,
        [*map(_rule, worst)],
        needed,
        ASK_IMAGE_RULES,
        is_whole=is_whole(policies) if policies else objects.was_asked(_KIND),
        limits=lambda _: _unseen_images([one for one in worst if _rule_effect(one) >= needed], needed),
    )
    for webhook in find_webhooks(objects, _WEBHOOK, "defender-admission-controller.NAMESPACE.svc"):
        parts = [webhook.verdict, rules]
        if webhook.service:
            parts += _judge_behind(objects, webhook)
        yield GateAnswer(
            name="Defender's image gate",
            is_there=webhook.is_there or bool(policies),
            verdict=join_parts(parts),
            reach=webhook.reach,
            namespaces=frozenset({webhook.namespace}),
        )


def _judge_behind(objects: ClusterObjects, webhook: AdmissionWebhook) -> Iterator[Verdict]:
    """Whether the webhook's service leads to pods, and whether those that it chooses are ready."""
    service = (webhook.service, webhook.namespace)
    chosen = find_selector(objects, *service)
    if chosen is None:
        ask = ASK_SERVICES if objects.find("Pod") else ASK_CLUSTER
        yield unknown(f"nobody asked which pods the service {webhook.service} chooses", remedy=ask)
    else:
        yield judge_pods(objects, *service, lambda _, labels: chosen.items() <= labels.items())
    yield judge_service(objects, *service)


def _policy_rules(policy: KubernetesFact) -> list[Mapping[str, object]]:
    """The rules of a policy: those in the lists of its spec, whatever they are called, and the spec itself where it is one."""
    spec = find(policy.body, "spec")
    if not isinstance(spec, Mapping):
        return []
    every = [spec, *(one for name in spec for one in objects_at(spec, str(name)))]
    return [one for one in every if find_text(one, "action")]


def _effect_in(rule: Mapping[str, object]) -> AdmissionEffect:
    return _EFFECTS.get((find_text(rule, "action") or "").lower(), AdmissionEffect.NOTHING)


def _rule_effect(policy: KubernetesFact) -> AdmissionEffect:
    """The strongest effect of a policy's rules."""
    return max(map(_effect_in, _policy_rules(policy)), default=AdmissionEffect.NOTHING)


def _rule(policy: KubernetesFact) -> GateRule:
    actions = sorted({find_text(one, "action") or "" for one in _policy_rules(policy)})
    effect = _rule_effect(policy)
    shown = policy.source.shows("spec action", effect.name.lower())
    return GateRule(policy.name, effect, listed(actions) or "without an action", shown)


def _unseen_images(policies: Sequence[KubernetesFact], needed: AdmissionEffect) -> Iterator[str]:
    """Which images the rules that count never see."""
    rules = [rule for policy in policies for rule in _policy_rules(policy) if _effect_in(rule) >= needed]
    if not any(find_truth(rule, "configuration", "blockUnscannedImages") for rule in rules):
        yield "an image without scan results is admitted, unless a rule says otherwise"
    registries = {str(one) for rule in rules for one in find_list(rule, "configuration", "unsupportedRegistries") or ()}
    if registries:
        yield f"images of {listed(sorted(registries))} are admitted unseen"


_POLICY, _BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
_DEFAULT = "default-k8s-misconfiguration-policy"


@dataclass(frozen=True, slots=True)
class _Bound:
    """A policy of Defender's and one binding of it, each as one document shows it."""

    policy: KubernetesFact
    binding: KubernetesFact

    @property
    def effect(self) -> AdmissionEffect:
        """What they do with new pods together; the API server takes no policy that names no resources."""
        wide, narrow = self.scopes
        rules, narrower = objects_at(wide, "resourceRules"), objects_at(narrow, "resourceRules")
        is_evaluated = (
            is_defenders(self.policy)
            and _policy_name(self.binding) == self.policy.name
            and (find_list(wide, "resourceRules") is None or creates_pods(rules))
            and (not narrower or creates_pods(narrower))
            and not any(creates_pods(objects_at(one, "excludeResourceRules")) for one in (wide, narrow))
        )
        return min(binding_effect(self.binding), _strength(self.policy)) if is_evaluated else AdmissionEffect.NOTHING

    @property
    def scopes(self) -> tuple[object, object]:
        """What the policy is about, and what its binding narrows that to."""
        return find(self.policy.body, "spec", "matchConstraints"), find(self.binding.body, "spec", "matchResources")

    def reach(self, namespace: GatedNamespace) -> Verdict:
        """Whether the policy is evaluated for the new pods of a namespace, as it is bound."""
        policy, binding = f"the policy {self.policy.name}", f"the binding {self.binding.name}"
        conditions = find(self.policy.body, "spec")
        return worst_of(
            (
                by_conditions("validatingadmissionpolicy", self.policy.name, policy, conditions),
                by_scope(policy, self.scopes[0], namespace),
                by_scope(binding, self.scopes[1], namespace),
            )
        )


def misconfiguration_gate(objects: ClusterObjects, needed: AdmissionEffect) -> Iterator[GateAnswer]:
    """Whether the misconfiguration gate has the effect that is needed."""
    policies = {one[0].name: one for one in objects.find(_POLICY) if any(map(is_defenders, one))}
    bindings = [
        one
        for one in objects.find(_BINDING)
        if any(name in policies or name.startswith(_DEFAULT) for name in map(_policy_name, one))
    ]
    pairs = [
        [_Bound(*copies) for copies in product(policies[name], binding)]
        for binding in bindings
        for name in dict.fromkeys(map(_policy_name, binding))
        if name in policies
    ]
    enough = [some for some in pairs if all(one.effect >= needed for one in some)]
    worst = [min(some, key=lambda one: one.effect) for some in pairs]
    parts = (bindings, [*policies.values()])
    verdict = judge_rules(
        "bound policies of Defender",
        [_bound_rule(one) for one in worst],
        needed,
        ASK_POLICIES,
        is_whole=all(map(is_whole, parts)) if pairs else objects.was_asked(_BINDING if policies else _POLICY),
        limits=lambda _: _holes([one for one in worst if one.effect >= needed]),
    )
    others = sorted(one[0].name for one in objects.find(_POLICY) if one[0].name not in policies)
    remarks = (f"policies that are not Defender's do not count: {listed(others)}",) if others else ()
    yield GateAnswer(
        name="Defender's misconfiguration gate",
        is_there=bool(policies or bindings),
        verdict=replace(verdict, remarks=(*remarks, *verdict.remarks)),
        reach=lambda namespace: best_of(worst_of(one.reach(namespace) for one in some) for some in enough),
    )


def _bound_rule(bound: _Bound) -> GateRule:
    actions = "+".join(map(str, find_list(bound.binding.body, "spec", "validationActions") or ())) or "no action"
    shown = bound.binding.source.shows("spec.validationActions", actions)
    return GateRule(bound.policy.name, bound.effect, f"{bound.policy.name} with {actions}", shown)


def is_defenders(policy: KubernetesFact) -> bool:
    """Whether a policy is Defender's: the name tells it of the default ones only, since any policy's may end in `.vap`."""
    group = (find_text(policy.body, "spec", "paramKind", "apiVersion") or "").lower().partition("/")[0]
    annotations = find(policy.body, "metadata", "annotations")
    signs = {**policy.labels, **(annotations if isinstance(annotations, Mapping) else {})}
    owners = [value for key, value in signs.items() if str(key).lower().rpartition("/")[2] == "owner"]
    owners += [
        (find_text(one, "valueExpression") or "").strip("'\"")
        for one in objects_at(policy.body, "spec", "auditAnnotations")
        if (find_text(one, "key") or "").lower() == "owner"
    ]
    return group == _GROUP or policy.name.startswith(_DEFAULT) or any(str(one).lower() == "mdc" for one in owners)


def binding_effect(binding: KubernetesFact) -> AdmissionEffect:
    """What a binding does with what breaks its policy."""
    actions = {str(one).lower() for one in find_list(binding.body, "spec", "validationActions") or ()}
    if "deny" in actions:
        return AdmissionEffect.DENIES
    return AdmissionEffect.AUDITS if actions & {"audit", "warn"} else AdmissionEffect.NOTHING


def _policy_name(binding: KubernetesFact) -> str:
    return find_text(binding.body, "spec", "policyName") or ""


def _strength(policy: KubernetesFact) -> AdmissionEffect:
    """The most that a policy can do, however it is bound: one without a rule that can fail denies nothing."""
    spec = find(policy.body, "spec")
    if is_never_met(spec):
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
