"""Gatekeeper, which the Azure Policy add-on brings, or which was installed by itself: webhook, pods, and a constraint. Pure.

https://learn.microsoft.com/azure/governance/policy/concepts/policy-for-kubernetes,
https://open-policy-agent.github.io/gatekeeper/website/docs/,
https://open-policy-agent.github.io/gatekeeper/website/docs/enforcement-points,
https://open-policy-agent.github.io/gatekeeper/website/docs/howto/#the-match-field
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import ItemsView, Iterable, Mapping, Sequence
from dataclasses import replace

from router.coverage.admission.cluster_objects import ClusterObjects, ObjectCopies, api_group, is_whole
from router.coverage.admission.effects import (
    REACHED,
    AdmissionEffect,
    GateAnswer,
    GatedNamespace,
    Reach,
    all_reach,
    any_reaches,
    best_answer,
    by_names,
    by_namespace,
    by_object,
    join_parts,
    listed,
    none_enough,
)
from router.coverage.admission.webhooks import (
    AdmissionWebhook,
    Controller,
    find_controller,
    find_selector,
    find_webhooks,
    judge_service,
)
from router.coverage.fields import find, find_list, find_text, find_truth, objects_at
from router.coverage.kubernetes.asks import ASK_CONFIG, ASK_CONSTRAINTS, joint_asks
from router.coverage.readers.kubernetes import KubernetesFact
from router.coverage.verdicts import CoverageState, Verdict, covered, gap, unknown

_WEBHOOK_POINTS = ("*", "validation.gatekeeper.sh")
_AUDIT_POINTS = (*_WEBHOOK_POINTS, "audit.gatekeeper.sh")
_AUDITING = ("deny", "warn", "dryrun")
_WEBHOOK = "webhook"
"""The work of those of Gatekeeper's pods that answer the API server; others only audit what is in the cluster already."""


def constraint_effect(constraint: KubernetesFact) -> AdmissionEffect:
    """What a constraint does with a new pod that breaks it; one that matches no pod, or that no pod enforces, does nothing."""
    if not _matches_pods(constraint) or _enforcement(constraint) is AdmissionEffect.NOTHING:
        return AdmissionEffect.NOTHING
    return min(_said_effect(constraint), _enforcement(constraint))


def constraint_action(constraint: KubernetesFact) -> str:
    """Its action as it is written, and why that comes to less; what is not written is deny."""
    action = find_text(constraint.body, "spec", "enforcementAction") or "deny"
    if action.lower() == "scoped":
        action = (
            f"scoped ({', '.join(f'{said} at {point}' for said, point in _scoped_actions(constraint)) or 'to nothing'})"
        )
    if not _matches_pods(constraint):
        return f"{action}, of no new pod"
    match _enforcement(constraint):
        case AdmissionEffect.NOTHING:
            return f"{action}, enforced by no pod"
        case AdmissionEffect.AUDITS:
            return f"{action}, enforced by no pod that answers the webhook"
        case AdmissionEffect.DENIES:
            return action


def constraint_reach(constraint: KubernetesFact, namespace: GatedNamespace) -> Reach:
    """Whether the constraint is about the new pods of a namespace, by its own match."""
    match, who = find(constraint.body, "spec", "match"), f"{constraint.kind} {constraint.name}"
    wanted = find_list(match, "namespaces")
    is_wanted = namespace.is_called(wanted) if wanted else True
    name = find_text(match, "name") or "*"
    return all_reach(
        (
            REACHED
            if is_wanted
            else Reach(is_wanted and None, f"{who} is about the namespaces {listed(wanted or ())}"),
            REACHED if name == "*" else Reach(False, f"{who} is about what is called {name}"),
            by_names(who, "excludedNamespaces", find_list(match, "excludedNamespaces") or (), namespace),
            by_namespace(who, find(match, "namespaceSelector"), namespace),
            by_object(who, "labelSelector", find(match, "labelSelector"), namespace),
        )
    )


def _said_effect(constraint: KubernetesFact) -> AdmissionEffect:
    action = (find_text(constraint.body, "spec", "enforcementAction") or "deny").lower()
    actions = _scoped_actions(constraint) if action == "scoped" else [(action, "*")]
    if any(action == "deny" and point in _WEBHOOK_POINTS for action, point in actions):
        return AdmissionEffect.DENIES
    is_audited = any(action in _AUDITING and point in _AUDIT_POINTS for action, point in actions)
    return AdmissionEffect.AUDITS if is_audited else AdmissionEffect.NOTHING


def _scoped_actions(constraint: KubernetesFact) -> list[tuple[str, str]]:
    """Its actions, each with the point at which it is taken, in lower case."""
    return [
        ((find_text(one, "action") or "").lower(), (find_text(point, "name") or "").lower())
        for one in objects_at(constraint.body, "spec", "scopedEnforcementActions")
        for point in objects_at(one, "enforcementPoints")
    ]


def pods_that(operation: str, constraints: Iterable[ObjectCopies]) -> frozenset[str]:
    """The names of the pods that do a work of Gatekeeper's, as they wrote it into the status of constraints themselves."""
    by_pod = (part for one in constraints for copy in one.copies for part in objects_at(copy.body, "status", "byPod"))
    return frozenset(find_text(one, "id") or "" for one in by_pod if operation in (find_list(one, "operations") or ()))


def _enforcement(constraint: KubernetesFact) -> AdmissionEffect:
    """What the pods that enforce it can do; all of it where its status does not name them."""
    pods = objects_at(constraint.body, "status", "byPod")
    enforcing = [one for one in pods if find_truth(one, "enforced")]
    if not pods or any(_WEBHOOK in (find_list(one, "operations") or [_WEBHOOK]) for one in enforcing):
        return AdmissionEffect.DENIES
    return AdmissionEffect.AUDITS if enforcing else AdmissionEffect.NOTHING


def _matches_pods(constraint: KubernetesFact) -> bool:
    """Whether some new pod may be one that it matches, as far as its own match tells."""
    match = find(constraint.body, "spec", "match")
    kinds = objects_at(match, "kinds")
    if kinds and not any(_has(one, "apiGroups", "") and _has(one, "kinds", "Pod") for one in kinds):
        return False
    return find_text(match, "scope") != "Cluster" and find_text(match, "source") != "Generated"


def _has(body: Mapping[str, object], field: str, value: str) -> bool:
    """Whether a list names a value; one that is empty, or not there, names all of them."""
    names = find_list(body, field)
    return not names or value in names or "*" in names


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
    webhooks = find_webhooks(objects, WEBHOOK, "validation.gatekeeper.sh")
    return best_answer([_answer(objects, webhook, needed) for webhook in webhooks])


def _answer(objects: ClusterObjects, webhook: AdmissionWebhook, needed: AdmissionEffect) -> GateAnswer:
    namespace = webhook.namespace or _HOME
    constraints = objects.constraints
    chosen = find_selector(objects, webhook.service, namespace)
    manager = _find_pods(objects, "webhook", namespace, constraints, None if chosen is None else chosen.items())
    audit = _find_pods(objects, "audit", namespace, constraints)
    enough = [one for one in constraints if constraint_effect(one.worst(constraint_effect)) >= needed]
    rules = _constraints(objects, constraints, enough, needed)
    parts = [webhook.verdict, manager.verdict, rules]
    remarks: tuple[str, ...] = ()
    if webhook.service:
        parts.append(judge_service(objects, webhook.service, namespace))
    if needed is AdmissionEffect.AUDITS:
        parts.append(audit.verdict)
    elif audit.verdict.state is not CoverageState.COVERED:
        remarks = (f"what is in the cluster already is not known to be audited: {audit.verdict.reason}",)
    verdict = join_parts(parts)
    if verdict.state is CoverageState.UNKNOWN and not objects.lists_all(namespace, _CONFIG):
        verdict = replace(verdict, remedy=joint_asks(filter(None, (verdict.remedy, ASK_CONFIG))))

    def reach(one: GatedNamespace) -> Reach:
        by_constraint = [all_reach(constraint_reach(copy, one) for copy in constraint.copies) for constraint in enough]
        return all_reach((webhook.reach(one), _by_config(objects, namespace, needed, one), any_reaches(by_constraint)))

    return GateAnswer(
        name=NAME,
        is_there=webhook.is_there or manager.is_there or audit.is_there or bool(constraints),
        verdict=replace(verdict, remarks=verdict.remarks + remarks),
        reach=reach,
        namespaces=frozenset({namespace}),
        refusal=f'admission webhook "{WEBHOOK.pattern}" denied the request',
    )


def _find_pods(
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

    return find_controller(objects, f"Gatekeeper's {operation}", namespace, is_meant)


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
) -> Verdict:
    """Whether some constraint does what is needed."""
    if not constraints:
        if objects.was_asked("Constraint"):
            return gap("there is no constraint, so nothing is checked")
        return unknown("nobody asked for its constraints", remedy=ASK_CONSTRAINTS)
    worst = [one.worst(constraint_effect) for one in enough or constraints]
    evidence = [one.source.shows("spec.enforcementAction", constraint_action(one)) for one in worst[:3]]
    if not enough:
        reason = f"none of {len(constraints)} constraints {needed.verb}: {_counted_actions(worst)}"
        return none_enough(reason, evidence, ASK_CONSTRAINTS, is_whole=is_whole(constraints))
    does = "deny" if needed is AdmissionEffect.DENIES else "audit or deny"
    names = listed([f"{one.kind} {one.name}" for one in worst])
    every = [one.worst(constraint_effect) for one in constraints]
    lax = [one for one in every if constraint_effect(one) < AdmissionEffect.DENIES]
    limit = f"{len(lax)} of {len(every)} constraints refuse nothing: {_counted_actions(lax)}"
    reason = f"{len(enough)} of {len(constraints)} constraints {does}: {names}"
    return covered(reason, *evidence, limits=(limit,) if lax else ())


def _counted_actions(constraints: Sequence[KubernetesFact]) -> str:
    return ", ".join(
        f"{count} {action}" for action, count in sorted(Counter(map(constraint_action, constraints)).items())
    )
