"""Defender's image gate (gated deployment): a webhook, the pod that answers it, and rules that audit or deny. Pure.

https://learn.microsoft.com/azure/defender-for-cloud/runtime-gated-overview
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from router.coverage.admission.cluster_objects import ClusterObjects, ObjectCopies, api_group, is_whole
from router.coverage.admission.controllers import controller_of
from router.coverage.admission.effects import AdmissionEffect, GateAnswer, all_of, best_of, listed
from router.coverage.admission.endpoints import judge_service, selector_of
from router.coverage.admission.webhooks import AdmissionWebhook, webhooks_of
from router.coverage.fields import find, find_list, find_text, find_truth, objects_at
from router.coverage.kubernetes.asks import ASK_CLUSTER, ASK_IMAGE_RULES, ASK_SERVICES
from router.coverage.readers.kubernetes import KubernetesFact
from router.coverage.verdicts import Verdict, covered, gap, unknown

NAME = "Defender's image gate"
WEBHOOK = re.compile(r"defender-admission-controller\.[a-z0-9-]+\.svc")

_KIND = "SecurityArtifactPolicy"
_GROUP = "defender.microsoft.com"
_EFFECTS = {
    "audit": AdmissionEffect.AUDITS,
    "deny": AdmissionEffect.DENIES,
    "block": AdmissionEffect.DENIES,
}


def image_gate(objects: ClusterObjects, needed: AdmissionEffect) -> GateAnswer:
    """Whether the image gate has the effect that is needed."""
    webhooks = webhooks_of(objects, WEBHOOK, "defender-admission-controller.NAMESPACE.svc")
    return best_of([_answer(objects, webhook, needed) for webhook in webhooks])


def _answer(objects: ClusterObjects, webhook: AdmissionWebhook, needed: AdmissionEffect) -> GateAnswer:
    policies = [one for one in objects.find(_KIND) if api_group(one.copies[0]) == _GROUP]
    parts = [webhook.verdict, _rules(objects, policies, needed)]
    if webhook.service:
        parts += _behind(objects, webhook)
    return GateAnswer(
        name=NAME,
        is_there=webhook.is_there or bool(policies),
        verdict=all_of(parts),
        reach=webhook.reach,
        namespaces=frozenset({webhook.namespace}),
        refusal=f'admission webhook "{WEBHOOK.pattern}" denied the request',
    )


def _behind(objects: ClusterObjects, webhook: AdmissionWebhook) -> Iterator[Verdict]:
    """Whether the webhook's service leads to pods, and whether those that it chooses are ready."""
    service = judge_service(objects, webhook.service, webhook.namespace)
    chosen = selector_of(objects, webhook.service, webhook.namespace)
    if chosen is None:
        ask = ASK_SERVICES if objects.find("Pod") else ASK_CLUSTER
        yield unknown(f"nobody asked which pods the service {webhook.service} chooses", remedy=ask)
    else:
        yield controller_of(
            objects, webhook.service, webhook.namespace, lambda _, labels: chosen.items() <= labels.items()
        ).verdict
    yield service


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
        return covered(reason, *evidence, remarks=contradictions, limits=tuple(_holes(worst, needed)))
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
