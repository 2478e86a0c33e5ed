"""Defender's own two gates: gated deployment of images, and policies against misconfigured objects. Pure.

The image gate is a webhook, the pod that answers it, and rules that audit or deny. The misconfiguration gate needs no pod: the
API server evaluates ValidatingAdmissionPolicies, and only where a binding says so.
https://learn.microsoft.com/azure/defender-for-cloud/runtime-gated-overview,
https://learn.microsoft.com/azure/defender-for-cloud/kubernetes-misconfiguration-enforcement,
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from copy import replace
from itertools import product, starmap

from router.coverage.admission import namespaces, webhooks
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
from router.coverage.fields import find, find_list, find_text, find_truth, objects_at
from router.coverage.kubernetes.commands import ASK_CLUSTER, ASK_IMAGE_RULES, ASK_POLICIES
from router.coverage.readers.kubernetes import KubernetesFact
from router.coverage.verdicts import Verdict, unknown

_WEBHOOK = re.compile(r"defender-admission-controller\.[a-z0-9-]+\.svc")
_KIND = "SecurityArtifactPolicy"
_GROUP = "defender.microsoft.com"
_EFFECTS = {"audit": AdmissionEffect.AUDITS, "deny": AdmissionEffect.DENIES, "block": AdmissionEffect.DENIES}
_ACTIONS = {"audit": AdmissionEffect.AUDITS, "warn": AdmissionEffect.AUDITS, "deny": AdmissionEffect.DENIES}
"""What rules of images are called, and what bindings of policies do."""


def image_gate(objects: ClusterObjects, needed: AdmissionEffect) -> Iterator[GateAnswer]:
    """Whether the image gate has the effect that is needed, by each of its webhooks."""
    policies = [one for one in objects.find(_KIND) if one[0].group == _GROUP]
    rules = [GateRule.worst(map(_read_rules, one)) for one in policies]
    is_all = is_whole(policies) if policies else objects.was_asked(_KIND)
    verdict = judge_rules(_KIND, rules, needed, ASK_IMAGE_RULES, is_whole=is_all)
    for webhook in webhooks.find_webhooks(objects, _WEBHOOK, "defender-admission-controller.NAMESPACE.svc"):
        parts = [webhook.verdict, verdict]
        if webhook.service:
            parts += _judge_behind(objects, webhook)
        yield GateAnswer(
            name="Defender's image gate",
            is_there=bool(webhook.entries or policies),
            verdict=join_parts(parts),
            reach=webhook.reach,
            namespaces=frozenset({webhook.namespace}),
        )


def _judge_behind(objects: ClusterObjects, webhook: webhooks.AdmissionWebhook) -> Iterator[Verdict]:
    """Whether the webhook's service leads to pods, and whether those that it chooses are ready."""
    service = (webhook.service, webhook.namespace)
    chosen = webhooks.find_selector(objects, *service)
    if chosen is None:
        yield unknown(f"nobody asked which pods the service {webhook.service} chooses", remedy=ASK_CLUSTER)
    else:
        yield webhooks.judge_pods(objects, *service, lambda _, labels: chosen.items() <= labels.items())
    yield webhooks.judge_service(objects, *service)


def _read_rules(policy: KubernetesFact) -> GateRule:
    """The strongest rules of a policy: they are in lists of its spec, whatever these are called, or are the spec itself."""
    spec = find(policy.body, "spec")
    names = spec if isinstance(spec, Mapping) else {}
    effects: dict[AdmissionEffect, list[object]] = defaultdict(list)
    for one in (spec, *(one for name in names for one in objects_at(spec, str(name)))):
        if action := find_text(one, "action"):
            effects[_EFFECTS.get(action.lower(), AdmissionEffect.NOTHING)].append(one)
    effect = max(effects, default=AdmissionEffect.NOTHING)
    rules = effects[effect]
    actions = sorted({find_text(one, "action") or "" for one in rules})
    registries = {str(name) for one in rules for name in find_list(one, "configuration", "unsupportedRegistries") or ()}
    limits = [f"images of {listed(sorted(registries))} are admitted unseen"] if registries else []
    if not any(find_truth(one, "configuration", "blockUnscannedImages") for one in rules):
        limits.append("an image without scan results is admitted, unless a rule says otherwise")
    return GateRule(
        title=policy.name,
        effect=effect,
        action=listed(actions) or "without an action",
        shown=policy.source.shows("spec action", effect.name.lower()),
        limits=tuple(limits),
    )


_POLICY, _BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
_DEFAULT = "default-k8s-misconfiguration-policy"


def misconfiguration_gate(objects: ClusterObjects, needed: AdmissionEffect) -> Iterator[GateAnswer]:
    """Whether the misconfiguration gate has the effect that is needed."""
    policies = {one[0].name: one for one in objects.find(_POLICY) if any(map(is_defenders, one))}
    bindings = [
        one
        for one in objects.find(_BINDING)
        if any(name in policies or name.startswith(_DEFAULT) for name in map(_policy_name, one))
    ]
    rules = [
        GateRule.worst(starmap(_read_bound, product(policies[name], binding)))
        for binding in bindings
        for name in dict.fromkeys(map(_policy_name, binding))
        if name in policies
    ]
    asked = objects.was_asked(_BINDING if policies else _POLICY)
    is_all = is_whole(bindings) and is_whole([*policies.values()]) if rules else asked
    verdict = judge_rules("bound policies of Defender", rules, needed, ASK_POLICIES, is_whole=is_all)
    others = sorted(one[0].name for one in objects.find(_POLICY) if one[0].name not in policies)
    remarks = (f"policies that are not Defender's do not count: {listed(others)}",) if others else ()
    yield GateAnswer(
        name="Defender's misconfiguration gate",
        is_there=bool(policies or bindings),
        verdict=replace(verdict, remarks=(*remarks, *verdict.remarks)),
        reach=lambda namespace: namespaces.best_of(one.reach(namespace) for one in rules if one.effect >= needed),
    )


def _read_bound(policy: KubernetesFact, binding: KubernetesFact) -> GateRule:
    """A policy of Defender's and a binding of it, each as one document shows it: the binding may narrow what it is about."""
    wide, narrow = find(policy.body, "spec", "matchConstraints"), find(binding.body, "spec", "matchResources")
    rules, narrower = objects_at(wide, "resourceRules"), objects_at(narrow, "resourceRules")
    is_evaluated = (
        is_defenders(policy)
        and _policy_name(binding) == policy.name
        # The API server takes no policy that names no resources.
        and (find_list(wide, "resourceRules") is None or webhooks.creates_pods(rules))
        and (not narrower or webhooks.creates_pods(narrower))
        and not any(webhooks.creates_pods(objects_at(one, "excludeResourceRules")) for one in (wide, narrow))
    )
    listed_actions = find_list(binding.body, "spec", "validationActions") or ()
    actions = "+".join(map(str, listed_actions)) or "no action"
    bound = max((_ACTIONS.get(str(one).lower(), AdmissionEffect.NOTHING) for one in listed_actions), default=0)
    who, title = f"the policy {policy.name}", "validatingadmissionpolicy"
    limits = []
    if find_text(policy.body, "spec", "failurePolicy") == "Ignore":
        limits.append(f"failurePolicy Ignore admits what cannot be evaluated: {policy.name}")
    if find_text(binding.body, "spec", "paramRef", "parameterNotFoundAction") == "Allow":
        limits.append(f"admits everything where its parameters are missing: {binding.name}")
    return GateRule(
        title=policy.name,
        effect=AdmissionEffect(min(bound, _strength(policy)) if is_evaluated else 0),
        action=f"{policy.name} with {actions}",
        shown=binding.source.shows("spec.validationActions", actions),
        reach=lambda namespace: namespaces.worst_of(
            (
                namespaces.by_conditions(title, policy.name, who, find(policy.body, "spec")),
                namespaces.by_scope(who, wide, namespace),
                namespaces.by_scope(f"the binding {binding.name}", narrow, namespace),
            )
        ),
        limits=tuple(limits),
    )


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


def _policy_name(binding: KubernetesFact) -> str:
    return find_text(binding.body, "spec", "policyName") or ""


def _strength(policy: KubernetesFact) -> AdmissionEffect:
    """The most that a policy can do, however it is bound: one without a rule that can fail denies nothing."""
    spec = find(policy.body, "spec")
    if webhooks.is_never_met(spec):
        return AdmissionEffect.NOTHING
    notes = objects_at(spec, "auditAnnotations")
    rules = find_list(spec, "validations")
    if rules is None and not notes:  # An answer that leaves its rules out: no policy is without both.
        return AdmissionEffect.DENIES
    if any((find_text(one, "expression") or "").lower() != "true" for one in objects_at(spec, "validations")):
        return AdmissionEffect.DENIES
    return AdmissionEffect.AUDITS if notes else AdmissionEffect.NOTHING
