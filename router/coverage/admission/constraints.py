"""What a constraint of Gatekeeper does with a new pod: by its action, its match, and the pods that enforce it. Pure.

https://open-policy-agent.github.io/gatekeeper/website/docs/violations,
https://open-policy-agent.github.io/gatekeeper/website/docs/enforcement-points,
https://open-policy-agent.github.io/gatekeeper/website/docs/howto/#the-match-field
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from router.coverage.admission.cluster_objects import ObjectCopies
from router.coverage.admission.effects import AdmissionEffect, listed
from router.coverage.admission.namespaces import (
    REACHED,
    GatedNamespace,
    Reach,
    all_reach,
    by_names,
    by_namespace,
    by_object,
)
from router.coverage.fields import find, find_list, find_text, find_truth, objects_at
from router.coverage.readers.kubernetes import KubernetesFact

_WEBHOOK_POINTS = ("*", "validation.gatekeeper.sh")
_AUDIT_POINTS = (*_WEBHOOK_POINTS, "audit.gatekeeper.sh")
_AUDITING = ("deny", "warn", "dryrun")
_WEBHOOK = "webhook"
"""The work of those of Gatekeeper's pods that answer the API server; others only audit what is in the cluster already."""


def effect_of(constraint: KubernetesFact) -> AdmissionEffect:
    """What a constraint does with a new pod that breaks it; one that matches no pod, or that no pod enforces, does nothing."""
    if not _matches_pods(constraint) or _enforcement(constraint) is AdmissionEffect.NOTHING:
        return AdmissionEffect.NOTHING
    return min(_said_effect(constraint), _enforcement(constraint))


def action_of(constraint: KubernetesFact) -> str:
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


def reach_of(constraint: KubernetesFact, namespace: GatedNamespace) -> Reach:
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
    if action == "scoped":
        return _scoped_effect(constraint)
    if action == "deny":
        return AdmissionEffect.DENIES
    return AdmissionEffect.AUDITS if action in _AUDITING else AdmissionEffect.NOTHING


def _scoped_effect(constraint: KubernetesFact) -> AdmissionEffect:
    effect = AdmissionEffect.NOTHING
    for action, point in _scoped_actions(constraint):
        if action == "deny" and point in _WEBHOOK_POINTS:
            return AdmissionEffect.DENIES
        if action in _AUDITING and point in _AUDIT_POINTS:
            effect = AdmissionEffect.AUDITS
    return effect


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
