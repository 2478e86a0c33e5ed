"""Gatekeeper, which the Azure Policy add-on brings, or which somebody installed: webhook, pods, and a constraint. Pure.

https://learn.microsoft.com/azure/governance/policy/concepts/policy-for-kubernetes,
https://open-policy-agent.github.io/gatekeeper/website/docs/
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import ItemsView, Iterator, Mapping, Sequence
from dataclasses import replace

from router.coverage.admission.cluster_objects import ClusterObjects, ObjectCopies, api_group, is_whole
from router.coverage.admission.constraints import action_of, effect_of, pods_that, reach_of
from router.coverage.admission.controllers import Controller, controller_of
from router.coverage.admission.effects import AdmissionEffect, GateAnswer, all_of, best_of, listed
from router.coverage.admission.endpoints import judge_service, selector_of
from router.coverage.admission.namespaces import GatedNamespace, Reach, all_reach, any_reaches, by_names, namespaces_of
from router.coverage.admission.webhooks import AdmissionWebhook, webhooks_of
from router.coverage.fields import find_list, objects_at
from router.coverage.kubernetes.asks import ASK_CONFIG, ASK_CONSTRAINTS, joint_asks
from router.coverage.readers.kubernetes import KubernetesFact
from router.coverage.verdicts import CoverageState, Verdict, covered, gap, unknown

NAME = "Gatekeeper"
WEBHOOK = re.compile(r"validation\.gatekeeper\.sh")

_HOME = "gatekeeper-system"
_OPERATION = "gatekeeper.sh/operation"
_ROLE, _ROLES = "control-plane", {"webhook": "controller-manager", "audit": "audit-controller"}
"""The labels by which every installation of Gatekeeper says which work a pod does, or which role it has."""

_CONFIG, _CONFIG_GROUP, _CONFIG_NAME = "Config", "config.gatekeeper.sh", "config"
"""Gatekeeper reads the one of that name in its own namespace.
https://open-policy-agent.github.io/gatekeeper/website/docs/exempt-namespaces"""

_PROCESSES = {AdmissionEffect.DENIES: ("*", "webhook"), AdmissionEffect.AUDITS: ("*", "webhook", "audit")}


def gatekeeper(objects: ClusterObjects, needed: AdmissionEffect) -> GateAnswer:
    """Whether Gatekeeper has the effect that is needed."""
    webhooks = webhooks_of(objects, WEBHOOK, "validation.gatekeeper.sh")
    return best_of([_answer(objects, webhook, needed) for webhook in webhooks])


def _answer(objects: ClusterObjects, webhook: AdmissionWebhook, needed: AdmissionEffect) -> GateAnswer:
    namespace = webhook.namespace or _HOME
    constraints = objects.constraints
    chosen = selector_of(objects, webhook.service, namespace)
    manager = _pods_of(objects, "webhook", namespace, constraints, None if chosen is None else chosen.items())
    audit = _pods_of(objects, "audit", namespace, constraints)
    enough = [one for one in constraints if effect_of(one.worst(effect_of)) >= needed]
    rules = _constraints(objects, constraints, enough, needed, namespaces_of(objects, {namespace}))
    parts = [webhook.verdict, manager.verdict, rules]
    remarks = _policy_remarks(objects)
    if webhook.service:
        parts.append(judge_service(objects, webhook.service, namespace))
    if needed is AdmissionEffect.AUDITS:
        parts.append(audit.verdict)
    elif audit.verdict.state is not CoverageState.COVERED:
        remarks += (f"what is in the cluster already is not known to be audited: {audit.verdict.reason}",)
    verdict = all_of(parts)
    if verdict.state is CoverageState.UNKNOWN and not objects.lists_all(namespace, _CONFIG):
        verdict = replace(verdict, remedy=joint_asks(filter(None, (verdict.remedy, ASK_CONFIG))))

    def reach(one: GatedNamespace) -> Reach:
        by_constraint = [all_reach(reach_of(copy, one) for copy in constraint.copies) for constraint in enough]
        return all_reach((webhook.reach(one), _by_config(objects, namespace, needed, one), any_reaches(by_constraint)))

    return GateAnswer(
        name=NAME,
        is_there=webhook.is_there or manager.is_there or audit.is_there or bool(constraints),
        verdict=replace(verdict, remarks=verdict.remarks + remarks),
        reach=reach,
        namespaces=frozenset({namespace}),
        refusal=f'admission webhook "{WEBHOOK.pattern}" denied the request',
    )


def _pods_of(
    objects: ClusterObjects,
    operation: str,
    namespace: str,
    constraints: Sequence[ObjectCopies],
    chosen: ItemsView[str, str] | None = None,
) -> Controller:
    """The pods that do a work of Gatekeeper's: those that a service chooses, or that say so, by label or in a status."""
    names = pods_that(operation, constraints)

    def is_meant(name: str, labels: Mapping[str, str]) -> bool:
        says = labels.get(_OPERATION) or (operation if labels.get(_ROLE) == _ROLES[operation] else None)
        if chosen is None:
            return says == operation or name in names
        return says in (operation, None) and chosen <= labels.items()

    return controller_of(objects, f"Gatekeeper's {operation}", namespace, is_meant)


def _by_config(objects: ClusterObjects, home: str, needed: AdmissionEffect, namespace: GatedNamespace) -> Reach:
    """Whether Gatekeeper's own configuration leaves a namespace in."""
    every = [one for one in objects.find(_CONFIG) if api_group(one.copies[0]) == _CONFIG_GROUP]
    own = [one for one in every if (one.name, one.namespace) == (_CONFIG_NAME, home)]
    if not own and not objects.lists_all(home, _CONFIG):
        return Reach(None, "nobody asked which namespaces its Config leaves out", remedy=ASK_CONFIG)
    return all_reach(
        by_names(
            f"the {_CONFIG} of Gatekeeper", "excludedNamespaces", find_list(part, "excludedNamespaces") or (), namespace
        )
        for one in own
        for copy in one.copies
        for part in objects_at(copy.body, "spec", "match")
        if any(process in _PROCESSES[needed] for process in find_list(part, "processes") or ())
    )


def _constraints(
    objects: ClusterObjects,
    constraints: Sequence[ObjectCopies],
    enough: Sequence[ObjectCopies],
    needed: AdmissionEffect,
    namespaces: Sequence[GatedNamespace],
) -> Verdict:
    contradictions = tuple(remark for one in constraints for remark in one.contradiction(effect_of))
    if enough:
        worst = [one.worst(effect_of) for one in enough]
        evidence = [one.source.shows("spec.enforcementAction", action_of(one)) for one in worst[:3]]
        names = [f"{one.kind} {one.name}" for one in worst]
        does = {AdmissionEffect.DENIES: "deny"}.get(needed, "audit or deny")
        reason = f"{len(enough)} of {len(constraints)} constraints {does}: {listed(names)}"
        return covered(
            reason, *evidence, remarks=contradictions, limits=tuple(_limits_of(constraints, enough, namespaces))
        )
    if not constraints:
        if objects.was_asked("Constraint"):
            return gap("there is no constraint, so nothing is checked")
        return unknown("nobody asked for its constraints", remedy=ASK_CONSTRAINTS)
    worst = [one.worst(effect_of) for one in constraints]
    evidence = [one.source.shows("spec.enforcementAction", action_of(one)) for one in worst[:3]]
    reason = f"none of {len(constraints)} constraints {needed.verb}: {_counted_actions(worst)}"
    if is_whole(constraints):
        return gap(reason, *evidence, remarks=contradictions)
    return unknown(f"{reason}, and these may not be all", *evidence, remedy=ASK_CONSTRAINTS, remarks=contradictions)


def _limits_of(
    constraints: Sequence[ObjectCopies], enough: Sequence[ObjectCopies], namespaces: Sequence[GatedNamespace]
) -> Iterator[str]:
    """What is to be said of the constraints that refuse nothing, and of those that look away somewhere."""
    worst = [one.worst(effect_of) for one in constraints]
    if lax := [one for one in worst if effect_of(one) < AdmissionEffect.DENIES]:
        yield f"{len(lax)} of {len(worst)} constraints refuse nothing: {_counted_actions(lax)}"
    narrowed = []
    for one in enough:
        names = {
            namespace.name
            for namespace in namespaces
            if namespace.name and not namespace.may_be_left_out
            if all_reach(reach_of(copy, namespace) for copy in one.copies).is_reached is False
        }
        if names:
            narrowed.append(f"{one.copies[0].kind} {one.name} ({listed(sorted(names))})")
    if narrowed:
        yield f"constraints that leave out other namespaces than those of the system: {listed(narrowed)}"


def _counted_actions(constraints: Sequence[KubernetesFact]) -> str:
    return ", ".join(f"{count} {action}" for action, count in sorted(Counter(map(action_of, constraints)).items()))


def _policy_remarks(objects: ClusterObjects) -> tuple[str, ...]:
    """What is to be said of the add-on's own pods, which bring Azure's policies into the cluster and check nothing."""
    policy = controller_of(
        objects, "Azure Policy", "kube-system", lambda _, labels: labels.get("app") == "azure-policy"
    )
    if policy.is_there and policy.verdict.state is CoverageState.GAP:
        return (f"changes of Azure Policy do not arrive: {policy.verdict.reason}",)
    return ()
