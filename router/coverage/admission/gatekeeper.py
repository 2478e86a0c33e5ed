"""Gatekeeper, which the Azure Policy add-on brings, or which somebody installed: webhook, pods, and a constraint. Pure.

https://learn.microsoft.com/azure/governance/policy/concepts/policy-for-kubernetes,
https://open-policy-agent.github.io/gatekeeper/website/docs/
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from router.coverage.admission.cluster_objects import ClusterObjects, ObjectCopies, is_whole
from router.coverage.admission.constraints import action_of, effect_of, is_narrowed
from router.coverage.admission.controllers import controller_of
from router.coverage.admission.effects import AdmissionEffect, GateAnswer, all_of, best_of, listed
from router.coverage.admission.endpoints import find_lost_service
from router.coverage.admission.webhooks import AdmissionWebhook, webhooks_of
from router.coverage.kubernetes.asks import ASK_CONSTRAINTS
from router.domain.coverage import CoverageState, Verdict, covered, gap, unknown

NAME = "Gatekeeper"
WEBHOOK = re.compile(r"validation\.gatekeeper\.sh")

_SERVICE = "gatekeeper-webhook-service"


def gatekeeper(objects: ClusterObjects, needed: AdmissionEffect) -> GateAnswer:
    """Whether Gatekeeper has the effect that is needed."""
    webhooks = webhooks_of(objects, WEBHOOK, "validation.gatekeeper.sh", _SERVICE)
    return best_of([_answer(objects, webhook, needed) for webhook in webhooks])


def _answer(objects: ClusterObjects, webhook: AdmissionWebhook, needed: AdmissionEffect) -> GateAnswer:
    namespace = webhook.namespace or "gatekeeper-system"
    manager = controller_of(objects, "gatekeeper-controller-manager", namespace)
    audit = controller_of(objects, "gatekeeper-audit", namespace)
    constraints = objects.constraints
    parts = [webhook.verdict, manager.verdict, _constraints(objects, constraints, needed)]
    remarks = _policy_remarks(objects)
    if (lost := find_lost_service(objects, _SERVICE, namespace)) is not None:
        parts.append(lost)
    if needed is AdmissionEffect.AUDITS:
        parts.append(audit.verdict)
    elif audit.verdict.state is not CoverageState.COVERED:
        remarks += (f"what is in the cluster already is not known to be audited: {audit.verdict.reason}",)
    verdict = all_of(parts)
    return GateAnswer(
        name=NAME,
        is_there=webhook.is_there or manager.is_there or audit.is_there or bool(constraints),
        verdict=replace(verdict, remarks=verdict.remarks + remarks),
        refusal=f'admission webhook "{WEBHOOK.pattern}" denied the request',
    )


def _constraints(objects: ClusterObjects, constraints: Sequence[ObjectCopies], needed: AdmissionEffect) -> Verdict:
    enough = [one for one in constraints if effect_of(one.worst(effect_of)) >= needed]
    contradictions = tuple(remark for one in constraints for remark in one.contradiction(effect_of))
    if enough:
        worst = [one.worst(effect_of) for one in enough]
        evidence = [one.source.shows("spec.enforcementAction", action_of(one)) for one in worst[:3]]
        names = [f"{one.kind} {one.name}" for one in worst]
        narrowed = [f"{one.kind} {one.name}" for one in worst if is_narrowed(one)]
        remarks = (f"limited to some namespaces by their own match: {listed(narrowed)}",) if narrowed else ()
        does = {AdmissionEffect.DENIES: "deny"}.get(needed, "audit or deny")
        reason = f"{len(enough)} of {len(constraints)} constraints {does}: {listed(names)}"
        return covered(reason, *evidence, remarks=contradictions + remarks)
    if not constraints:
        if objects.was_asked("Constraint"):
            return gap("there is no constraint, so nothing is checked")
        return unknown("nobody asked for its constraints", remedy=ASK_CONSTRAINTS)
    worst = [one.worst(effect_of) for one in constraints]
    actions = ", ".join(
        f"{count} {action}" for action, count in sorted(Counter(action_of(one) for one in worst).items())
    )
    evidence = [one.source.shows("spec.enforcementAction", action_of(one)) for one in worst[:3]]
    reason = f"none of {len(constraints)} constraints {needed.verb}: {actions}"
    if is_whole(constraints):
        return gap(reason, *evidence, remarks=contradictions)
    return unknown(f"{reason}, and these may not be all", *evidence, remedy=ASK_CONSTRAINTS, remarks=contradictions)


def _policy_remarks(objects: ClusterObjects) -> tuple[str, ...]:
    """What is to be said of the add-on's own pods, which bring Azure's policies into the cluster and check nothing."""
    policy = controller_of(objects, "azure-policy", "kube-system")
    if policy.is_there and policy.verdict.state is CoverageState.GAP:
        return (f"changes of Azure Policy do not arrive: {policy.verdict.reason}",)
    return ()
