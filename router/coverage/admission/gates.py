"""Three gates -> one verdict: one gate that does what is needed is enough, and the others are spoken of beside it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import replace

from router.coverage.admission import namespaces
from router.coverage.admission.defender import image_gate, misconfiguration_gate
from router.coverage.admission.effects import (
    AdmissionEffect,
    ClusterObjects,
    GateAnswer,
    is_whole,
    join_parts,
    join_remedies,
    listed,
)
from router.coverage.admission.gatekeeper import gatekeeper
from router.coverage.admission.namespaces import GatedNamespace
from router.coverage.fields import find_text
from router.coverage.kubernetes.commands import ASK_CLUSTER, enable_policy, joint_asks
from router.coverage.readers.kubernetes import KubernetesFact
from router.coverage.verdicts import CoverageEvidence, CoverageState, Verdict, Workload, covered, gap, unknown

_GATES = (gatekeeper, image_gate, misconfiguration_gate)

_MOST_LISTS = 5
"""How many lists show that something is not there."""

_MOST_NAMES = 20
"""How many namespaces a sentence names."""


def judge_gates(facts: Iterable[KubernetesFact], cluster: Workload, needed: AdmissionEffect) -> Verdict:
    """Whether one of a cluster's gates has the effect that is needed, in every namespace that it is to look at."""
    objects = ClusterObjects.of(facts)
    answers = [answer for gate in _GATES for answer in gate(objects, needed)]
    if working := [one for one in answers if one.verdict.state is CoverageState.COVERED]:
        return _judge_namespaces(_join_working(working, answers, needed), working, objects)
    verdict = _judge_broken(answers, objects, cluster)
    if verdict.state is CoverageState.GAP and not verdict.evidence:
        absent = tuple(CoverageEvidence(file, "items", "no gate") for file in objects.lists[:_MOST_LISTS])
        return replace(verdict, evidence=absent)
    return verdict


def _judge_broken(answers: Sequence[GateAnswer], objects: ClusterObjects, cluster: Workload) -> Verdict:
    there = [one for one in answers if one.is_there]
    unknowns = [one for one in answers if one.verdict.state is CoverageState.UNKNOWN]
    if len(unknowns) == len(answers) and not there:
        reason = next((f"the cluster was asked, and did not answer: {one}" for one in objects.refusals), None)
        remedy = join_remedies([one.verdict for one in unknowns])
        return unknown(reason or "nobody asked which gates stand before the cluster", remedy=remedy)
    # What stands there and may work leaves it open; where all of it is broken, people believe in a gate that is none.
    if decisive := [one for one in there if one in unknowns] or there or unknowns:
        verdict = join_parts([replace(one.verdict, reason=f"{one.name}: {one.verdict.reason}") for one in decisive])
        return replace(verdict, remarks=_notes(answers, decisive), limits=())
    clouds = (find_text(one[0].body, "spec", "providerID") or "" for one in objects.find("Node"))
    cloud = next(clouds, "").partition("://")[0].lower()
    remedy = enable_policy(cluster, cloud) if cloud or cluster.id else None
    return gap(
        "neither Gatekeeper nor a gate of Defender's is in the cluster", remedy=remedy, remarks=_notes(answers, [])
    )


def _join_working(working: Sequence[GateAnswer], answers: Sequence[GateAnswer], needed: AdmissionEffect) -> Verdict:
    limits = tuple(f"{one.name}: {limit}" for one in working for limit in one.verdict.limits)
    return covered(
        "; ".join(f"{one.name} {needed.verb}: {one.verdict.reason}" for one in working),
        *(piece for one in working for piece in one.verdict.evidence),
        remarks=tuple(one for one in _notes(answers, working) if one not in limits),
        limits=limits,
    )


def _judge_namespaces(verdict: Verdict, working: Sequence[GateAnswer], objects: ClusterObjects) -> Verdict:
    """The verdict on gates that work, by the namespaces that none of them looks at, or of which it is not known."""
    others = namespaces.SYSTEM_NAMESPACES.union(*(one.namespaces for one in working))
    missed: dict[str, list[str]] = defaultdict(list)
    gaps: list[Verdict] = []
    doubts: list[Verdict] = []
    left_out: set[str] = set()
    for namespace in _gated_namespaces(objects, others):
        found = namespaces.best_of(one.reach(namespace) for one in working)
        if namespace.name in others:
            left_out |= {namespace.name} if found.state is CoverageState.GAP else set()
        elif found.state is CoverageState.GAP and namespace.name:
            missed[found.reason].append(namespace.name)
            gaps.append(found)
        elif found.state is not CoverageState.COVERED:
            doubts.append(replace(found, remedy=ASK_CLUSTER) if found.state is CoverageState.GAP else found)
    remarks = (verdict.reason, *verdict.remarks)
    if missed:
        return gap(
            "; ".join(f"no gate looks at new pods in {_list_names(names)}: {why}" for why, names in missed.items()),
            *dict.fromkeys(piece for one in gaps for piece in one.evidence),
            *verdict.evidence,
            remedy=next((one.remedy for one in gaps if one.remedy), None),
            remarks=remarks,
        )
    if doubts:
        reasons = "; ".join(dict.fromkeys(one.reason for one in doubts))
        remedy = joint_asks(one.remedy for one in doubts if one.remedy)
        return unknown(f"whether it does so everywhere: {reasons}", *verdict.evidence, remedy=remedy, remarks=remarks)
    if not left_out:
        return verdict
    limit = f"system namespaces are left out: {listed(sorted(left_out), _MOST_NAMES)}"
    return replace(verdict, remarks=(*verdict.remarks, limit), limits=(*verdict.limits, limit))


def _gated_namespaces(objects: ClusterObjects, others: frozenset[str]) -> list[GatedNamespace]:
    """The namespaces of a cluster, as often as documents show them.

    Where no whole list has them there are those of pods, too, whose labels are not known, and one more without a name.
    """
    every = objects.find("Namespace")
    pods: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for pod in objects.find("Pod"):
        pods[pod[0].namespace] += (copy.labels for copy in pod)
    has_all = objects.lists_all("", "Pod")
    found = [
        GatedNamespace(
            one[0].name,
            {namespaces.NAME_LABEL: one[0].name, **copy.labels},
            others,
            pods[one[0].name],
            has_all or objects.lists_all(one[0].name, "Pod"),
            copy.source,
        )
        for one in every
        for copy in one
    ]
    if is_whole(every):
        return found
    unlisted = {*pods, ""}.difference(one.name for one in found)
    return [*found, *(GatedNamespace(name, None, others, pods.get(name, ()), has_all) for name in sorted(unlisted))]


def _list_names(names: Iterable[str]) -> str:
    some = sorted(set(names))
    return f"{'namespace' if len(some) == 1 else 'namespaces'} {listed(some, _MOST_NAMES)}"


def _notes(answers: Sequence[GateAnswer], decisive: Sequence[GateAnswer]) -> tuple[str, ...]:
    """What is to be said of the gates that decide, and what the others lack."""
    spoken_of = decisive if any(one.is_there for one in decisive) else answers
    own = (f"{one.name}: {remark}" for one in spoken_of for remark in one.verdict.remarks)
    return (*own, *(f"{one.name}: {one.verdict.reason}" for one in answers if one not in decisive))
