"""Defender's image gate (gated deployment): a webhook, the pod that answers it, and rules that audit or deny. Pure.

https://learn.microsoft.com/azure/defender-for-cloud/runtime-gated-overview
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from router.coverage.admission.cluster_objects import ClusterObjects, ObjectCopies, api_group, is_whole
from router.coverage.admission.controllers import controller_of
from router.coverage.admission.effects import AdmissionEffect, GateAnswer, all_of, best_of, listed
from router.coverage.admission.endpoints import find_lost_service
from router.coverage.admission.webhooks import AdmissionWebhook, webhooks_of
from router.coverage.fields import find, find_list, find_text, find_truth, objects_at
from router.coverage.kubernetes.asks import ASK_IMAGE_RULES
from router.coverage.readers.kubernetes import KubernetesFact
from router.domain.coverage import Verdict, covered, gap, unknown

NAME = "Defender's image gate"
WEBHOOK = re.compile(r"defender-admission-controller\.[a-z0-9-]+\.svc")

_CONTROLLER = "defender-admission-controller"
_KIND = "SecurityArtifactPolicy"
_GROUP = "defender.microsoft.com"
_EFFECTS = {
    "audit": AdmissionEffect.AUDITS,
    "deny": AdmissionEffect.DENIES,
    "block": AdmissionEffect.DENIES,
}


def image_gate(objects: ClusterObjects, needed: AdmissionEffect) -> GateAnswer:
    """Whether the image gate has the effect that is needed."""
    webhooks = webhooks_of(objects, WEBHOOK, f"{_CONTROLLER}.NAMESPACE.svc", _CONTROLLER)
    namespaces = ("mdc", "kube-system")
    return best_of(
        [
            _answer(objects, webhook, namespace, needed)
            for webhook in webhooks
            for namespace in ([webhook.namespace] if webhook.namespace else namespaces)
        ]
    )


def _answer(objects: ClusterObjects, webhook: AdmissionWebhook, namespace: str, needed: AdmissionEffect) -> GateAnswer:
    controller = controller_of(objects, _CONTROLLER, namespace)
    policies = [one for one in objects.find(_KIND) if api_group(one.copies[0]) == _GROUP]
    parts = [webhook.verdict, controller.verdict, _rules(objects, policies, needed)]
    if (lost := find_lost_service(objects, _CONTROLLER, namespace)) is not None:
        parts.append(lost)
    return GateAnswer(
        name=NAME,
        is_there=webhook.is_there or controller.is_there or bool(policies),
        verdict=all_of(parts),
        refusal=f'admission webhook "{WEBHOOK.pattern}" denied the request',
    )


def effect_of(policy: KubernetesFact) -> AdmissionEffect:
    """The strongest effect of a policy's rules."""
    return max((_effect(rule) for rule in _rules_of(policy)), default=AdmissionEffect.NOTHING)


def _rules_of(policy: KubernetesFact) -> Iterator[Mapping[str, object]]:
    """The rules of a policy: those in the lists of its spec, whatever they are called, and the spec itself where it is one."""
    spec = find(policy.body, "spec")
    if not isinstance(spec, Mapping):
        return
    if find_text(spec, "action"):
        yield spec
    for name in spec:
        yield from (one for one in objects_at(spec, str(name)) if find_text(one, "action"))


def _effect(rule: Mapping[str, object]) -> AdmissionEffect:
    return _EFFECTS.get((find_text(rule, "action") or "").lower(), AdmissionEffect.NOTHING)


def _rules(objects: ClusterObjects, policies: Sequence[ObjectCopies], needed: AdmissionEffect) -> Verdict:
    enough = [one for one in policies if effect_of(one.worst(effect_of)) >= needed]
    contradictions = tuple(remark for one in policies for remark in one.contradiction(effect_of))
    if enough:
        worst = [one.worst(effect_of) for one in enough]
        evidence = [one.source.shows("spec action", effect_of(one).name.lower()) for one in worst]
        reason = f"a rule {needed.verb} in {listed([one.name for one in enough])}"
        return covered(reason, *evidence, remarks=(*contradictions, *_holes(worst, needed)))
    if not policies:
        if objects.was_asked(_KIND):
            return gap(f"there is no {_KIND}, so no image is checked")
        return unknown("nobody asked for its rules", remedy=ASK_IMAGE_RULES)
    worst = [one.worst(effect_of) for one in policies]
    actions = sorted({find_text(rule, "action") or "" for one in worst for rule in _rules_of(one)})
    evidence = [one.source.shows("spec action", effect_of(one).name.lower()) for one in worst]
    reason = f"none of its rules {needed.verb}: {listed(actions) or 'no action is named'}"
    if is_whole(policies):
        return gap(reason, *evidence, remarks=contradictions)
    return unknown(f"{reason}, and these may not be all", *evidence, remedy=ASK_IMAGE_RULES, remarks=contradictions)


def _holes(policies: Sequence[KubernetesFact], needed: AdmissionEffect) -> list[str]:
    """Which images the rules that count never see."""
    rules = [rule for policy in policies for rule in _rules_of(policy) if _effect(rule) >= needed]
    found = []
    if not any(find_truth(rule, "configuration", "blockUnscannedImages") for rule in rules):
        found.append("an image without scan results is admitted, unless a rule says otherwise")
    registries = {str(one) for rule in rules for one in find_list(rule, "configuration", "unsupportedRegistries") or ()}
    if registries:
        found.append(f"images of {listed(sorted(registries))} are admitted unseen")
    return found
