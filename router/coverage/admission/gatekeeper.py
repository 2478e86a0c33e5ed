"""Gatekeeper, which the Azure Policy add-on brings, or which was installed by itself: webhook, pods, and a constraint. Pure.

https://learn.microsoft.com/azure/governance/policy/concepts/policy-for-kubernetes,
https://open-policy-agent.github.io/gatekeeper/website/docs/enforcement-points,
https://open-policy-agent.github.io/gatekeeper/website/docs/howto/#the-match-field,
https://open-policy-agent.github.io/gatekeeper/website/docs/exempt-namespaces
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from copy import replace

from router.coverage.admission import namespaces
from router.coverage.admission.effects import (
    AdmissionEffect,
    ClusterObjects,
    Copies,
    GateAnswer,
    GateRule,
    is_whole,
    join_parts,
    judge_rules,
    listed,
)
from router.coverage.admission.namespaces import GatedNamespace
from router.coverage.admission.webhooks import AdmissionWebhook, find_selector, find_webhooks, judge_pods, judge_service
from router.coverage.fields import find, find_list, find_text, find_truth, objects_at
from router.coverage.kubernetes.commands import ASK_CLUSTER, ASK_CONFIG, ASK_CONSTRAINTS, joint_asks
from router.coverage.readers.kubernetes import KubernetesFact
from router.coverage.verdicts import CoverageState, Verdict, gap, unknown

_WEBHOOK_POINTS = ("*", "validation.gatekeeper.sh")
_AUDIT_POINTS = (*_WEBHOOK_POINTS, "audit.gatekeeper.sh")
_ROLES = {"webhook": "controller-manager", "audit": "audit-controller"}
"""What pods do: those of the webhook answer the API server, others only audit what is in the cluster already."""

_PROCESSES = {AdmissionEffect.DENIES: ("*", "webhook"), AdmissionEffect.AUDITS: ("*", "webhook", "audit")}


def gatekeeper(objects: ClusterObjects, needed: AdmissionEffect) -> Iterator[GateAnswer]:
    """Whether Gatekeeper has the effect that is needed, by each of its webhooks: an older installation leaves one behind."""
    for webhook in find_webhooks(objects, re.compile(r"validation\.gatekeeper\.sh"), "validation.gatekeeper.sh"):
        yield _answer(objects, webhook, needed)


def _answer(objects: ClusterObjects, webhook: AdmissionWebhook, needed: AdmissionEffect) -> GateAnswer:
    namespace = webhook.namespace or "gatekeeper-system"
    constraints = objects.constraints
    chosen = find_selector(objects, webhook.service, namespace)
    manager = _judge_pods(objects, "webhook", namespace, constraints, chosen)
    audit = _judge_pods(objects, "audit", namespace, constraints)
    rules = [GateRule.worst(map(_read_rule, one)) for one in constraints]
    is_all = is_whole(constraints) if constraints else objects.was_asked("Constraint")
    parts = [webhook.verdict, manager, judge_rules("constraints", rules, needed, ASK_CONSTRAINTS, is_whole=is_all)]
    if webhook.service:
        parts.append(judge_service(objects, webhook.service, namespace))
    if needed is AdmissionEffect.AUDITS:
        parts.append(audit)
    verdict = join_parts(parts)
    if needed is AdmissionEffect.DENIES and audit.state is not CoverageState.COVERED:
        remark = f"what is in the cluster already is not known to be audited: {audit.reason}"
        verdict = replace(verdict, remarks=(*verdict.remarks, remark))
    if verdict.state is CoverageState.UNKNOWN and not objects.lists_all(namespace, "Config"):
        verdict = replace(verdict, remedy=joint_asks(filter(None, (verdict.remedy, ASK_CONFIG))))

    def reach(one: GatedNamespace) -> Verdict:
        by_rules = namespaces.best_of(rule.reach(one) for rule in rules if rule.effect >= needed)
        return namespaces.worst_of((webhook.reach(one), _by_config(objects, namespace, needed, one), by_rules))

    return GateAnswer(
        name="Gatekeeper",
        is_there=bool(webhook.entries or manager.evidence or audit.evidence or constraints),
        verdict=verdict,
        reach=reach,
        namespaces=frozenset({namespace}),
    )


def _judge_pods(
    objects: ClusterObjects,
    operation: str,
    namespace: str,
    constraints: Iterable[Copies],
    chosen: Mapping[str, str] | None = None,
) -> Verdict:
    """The pods that do a work of Gatekeeper's: those that a service chooses, or that say so, by label or in a status."""
    statuses = (part for one in constraints for copy in one for part in objects_at(copy.body, "status", "byPod"))
    names = {find_text(one, "id") for one in statuses if operation in (find_list(one, "operations") or ())}

    def is_meant(name: str, labels: Mapping[str, str]) -> bool:
        role = operation if labels.get("control-plane") == _ROLES[operation] else None
        does = labels.get("gatekeeper.sh/operation") or role
        if chosen is None:
            return does == operation or name in names
        return does in (operation, None) and chosen.items() <= labels.items()

    return judge_pods(objects, f"Gatekeeper's {operation}", namespace, is_meant)


def _by_config(objects: ClusterObjects, home: str, needed: AdmissionEffect, namespace: GatedNamespace) -> Verdict:
    """Whether Gatekeeper's own configuration, the one called config in its own namespace, leaves a namespace in."""
    every = [one for one in objects.find("Config") if one[0].group == "config.gatekeeper.sh"]
    own = [one for one in every if (one[0].name, one[0].namespace) == ("config", home)]
    if not own and not objects.lists_all(home, "Config"):
        return unknown("nobody asked which namespaces its Config leaves out", remedy=ASK_CONFIG)
    return namespaces.worst_of(
        namespaces.by_names("the Config of Gatekeeper", find_list(part, "excludedNamespaces") or (), namespace)
        for one in own
        for copy in one
        for part in objects_at(copy.body, "spec", "match")
        if any(process in _PROCESSES[needed] for process in find_list(part, "processes") or ())
    )


def _read_rule(constraint: KubernetesFact) -> GateRule:
    """A constraint: one that matches no new pod, or that no pod of Gatekeeper's enforces, does nothing."""
    actions, effect, does = _read_actions(constraint), AdmissionEffect.NOTHING, "of no new pod"
    if any(action == "deny" and point in _WEBHOOK_POINTS for action, point in actions):
        effect = AdmissionEffect.DENIES
    elif any(action in ("deny", "warn", "dryrun") and point in _AUDIT_POINTS for action, point in actions):
        effect = AdmissionEffect.AUDITS
    if _matches_pods(constraint):
        enforced = _enforcement(constraint)
        does = ("enforced by no pod", "enforced by no pod that answers the webhook", "")[enforced]
    else:
        enforced = AdmissionEffect.NOTHING
    written = ", ".join(action if point == "*" else f"{action} at {point}" for action, point in actions)
    action = ", ".join(filter(None, (written or "no action", does)))
    return GateRule(
        title=f"{constraint.kind} {constraint.name}",
        effect=min(effect, enforced),
        action=action,
        shown=constraint.source.shows("spec.enforcementAction", action),
        reach=lambda namespace: _reach(constraint, namespace),
    )


def _read_actions(constraint: KubernetesFact) -> list[tuple[str, str]]:
    """Its actions, each with the point at which it is taken, in lower case; what is not written is deny."""
    action = (find_text(constraint.body, "spec", "enforcementAction") or "deny").lower()
    if action != "scoped":
        return [(action, "*")]
    return [
        ((find_text(one, "action") or "").lower(), (find_text(point, "name") or "").lower())
        for one in objects_at(constraint.body, "spec", "scopedEnforcementActions")
        for point in objects_at(one, "enforcementPoints")
    ]


def _enforcement(constraint: KubernetesFact) -> AdmissionEffect:
    """What the pods that enforce it can do; all of it where its status does not name them."""
    pods = objects_at(constraint.body, "status", "byPod")
    enforcing = [one for one in pods if find_truth(one, "enforced")]
    if not pods or any("webhook" in (find_list(one, "operations") or ["webhook"]) for one in enforcing):
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


def _reach(constraint: KubernetesFact, namespace: GatedNamespace) -> Verdict:
    """Whether a constraint is about the new pods of a namespace, by its own match."""
    match, who = find(constraint.body, "spec", "match"), f"{constraint.kind} {constraint.name}"
    parts = [
        namespaces.by_names(who, find_list(match, "excludedNamespaces") or (), namespace),
        namespaces.by_namespace(who, find(match, "namespaceSelector"), namespace),
        namespaces.by_pods(who, "labelSelector", find(match, "labelSelector"), namespace),
    ]
    if (name := find_text(match, "name") or "*") != "*":
        parts.append(gap(f"{who} is about what is called {name}"))
    if (wanted := find_list(match, "namespaces")) and not (is_wanted := namespace.is_called(wanted)):
        reason = f"{who} is about the namespaces {listed(wanted)}"
        parts.append(gap(reason) if is_wanted is False else unknown(reason, remedy=ASK_CLUSTER))
    return namespaces.worst_of(parts)
